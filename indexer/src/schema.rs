//! The index's fields. An index with other fields, or with another [`FORMAT`] (to be raised when the same fields mean something
//! else), is not opened: its shard is rebuilt.

use tantivy::Index;
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions,
};

use crate::analyse::{CountsTokenizer, NameTokenizer, PlacesTokenizer, WideNameTokenizer};

/// The index format, in every commit's payload; another one is rebuilt.
pub const FORMAT: u32 = 6; // 4 and 5 were never released

/// Bit of `flags`: the document is a folder (or the place where a shared folder is mounted).
pub const FLAG_FOLDER: u64 = 1;
/// Bit of `flags`: the document is deleted.
pub const FLAG_DELETED: u64 = 2;
/// Bit of `flags`: the document is a member of a file, found by itself.
pub const FLAG_MEMBER: u64 = 4;
/// Bit of `flags`: the document is an old version of a file (see `past`).
pub const FLAG_PAST: u64 = 8;

/// Where things are. Text fields but the two wide ones hold terms that start with a namespace prefix;
/// all are made by `term` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// Parts and joined forms of a live document's name, with positions and lengths.
    pub name: Field,
    /// The same for deleted documents: a search of what lives never meets them.
    pub deleted_name: Field,
    /// Words of the document's own title and author, with positions and lengths.
    pub title: Field,
    /// Exact words of the body, with positions; their lengths are those of `wide`.
    pub body: Field,
    /// Parts and joined forms of a live document's name *without* a namespace: for searches of very many namespaces, which
    /// must filter by the `namespace` column.
    pub wide_name: Field,
    /// Stems of title and body, and words that have none, *without* a namespace (`analyse::wide`), with lengths, no positions:
    /// for relevance. Whoever has few namespaces reads only what is in their documents.
    pub wide: Field,
    /// Closed facts (`term::Tag`): no frequencies, no lengths.
    pub tag: Field,
    /// The folder a live document lies in, as a term of its namespace.
    pub parent: Field,
    /// Fast and indexed `u64`: the file id. A file has one document, and behind it in the same segment one for each member.
    pub file: Field,
    /// Fast `u64`, only of members' documents: the member's number in its file, from 1.
    pub member: Field,
    /// Fast `i64`, only of messages: milliseconds, when they were sent.
    pub sent: Field,
    /// Fast `i64`, only of old versions: milliseconds, when a newer one took their place.
    pub until: Field,
    /// Indexed and fast `u64`: the parent folder's id of every document, for the indexer's own walks.
    pub below: Field,
    /// Fast `u64`: the namespace.
    pub namespace: Field,
    /// Fast `u64`: the rev that the document shows (0 for folders).
    pub rev: Field,
    /// Fast `i64`: milliseconds, the client's modification time (for deleted documents when that happened).
    pub modified: Field,
    /// Fast `u64`: bytes.
    pub size: Field,
    /// Fast `u64`: `document::category_code`.
    pub category: Field,
    /// Fast `u64`: [`FLAG_FOLDER`], [`FLAG_DELETED`].
    pub flags: Field,
    /// Fast `u64`: how extraction ended, `document::outcome_code`; 0 while it is waited for.
    pub outcome: Field,
    /// Fast `u64`: the account that wrote the head version (0 for folders).
    pub author: Field,
    /// Fast `i64`: milliseconds, when the node came to be.
    pub created: Field,
    /// Fast `u64`: `analyse::Language::number` of the text; 0 where it is not told.
    pub language: Field,
    /// Fast text, one value: the folded extension without its dot (absent when there is none).
    pub extension: Field,
    /// Fast text, one value: the folded name, to sort by.
    pub sort_name: Field,
}

/// The schema and its fields.
pub fn schema() -> (Schema, Fields) {
    use IndexRecordOption::{Basic, WithFreqs, WithFreqsAndPositions};
    let mut builder = Schema::builder();
    let words = |tokenizer: &str, record, lengths| {
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(tokenizer)
            .set_index_option(record)
            .set_fieldnorms(lengths);
        TextOptions::default().set_indexing_options(indexing)
    };
    let column = TextOptions::default().set_fast("raw");
    let fields = Fields {
        name: builder.add_text_field("name", words("names", WithFreqsAndPositions, true)),
        deleted_name: builder
            .add_text_field("deleted_name", words("names", WithFreqsAndPositions, true)),
        title: builder.add_text_field("title", words("words", WithFreqsAndPositions, true)),
        body: builder.add_text_field("body", words("words", WithFreqsAndPositions, false)),
        wide_name: builder.add_text_field("wide_name", words("wide_names", WithFreqs, true)),
        wide: builder.add_text_field("wide", words("wide", WithFreqs, true)),
        tag: builder.add_text_field("tag", words("raw", Basic, false)),
        parent: builder.add_text_field("parent", words("raw", Basic, false)),
        file: builder.add_u64_field("file", INDEXED | FAST),
        member: builder.add_u64_field("member", FAST),
        sent: builder.add_i64_field("sent", FAST),
        until: builder.add_i64_field("until", FAST),
        below: builder.add_u64_field("below", INDEXED | FAST),
        namespace: builder.add_u64_field("namespace", FAST),
        rev: builder.add_u64_field("rev", FAST),
        modified: builder.add_i64_field("modified", FAST),
        size: builder.add_u64_field("size", FAST),
        category: builder.add_u64_field("category", FAST),
        flags: builder.add_u64_field("flags", FAST),
        outcome: builder.add_u64_field("outcome", FAST),
        author: builder.add_u64_field("author", FAST),
        created: builder.add_i64_field("created", FAST),
        language: builder.add_u64_field("language", FAST),
        extension: builder.add_text_field("extension", column.clone()),
        sort_name: builder.add_text_field("sort_name", column),
    };
    (builder.build(), fields)
}

/// Makes the tokenizers known to an index that was opened or created: they read names, and analysed texts.
pub fn register(index: &Index) {
    let tokenizers = index.tokenizers();
    tokenizers.register("words", PlacesTokenizer);
    tokenizers.register("names", NameTokenizer);
    tokenizers.register("wide", CountsTokenizer);
    tokenizers.register("wide_names", WideNameTokenizer);
}
