//! `/2/firefly/search`: hits with snippets, facets and warnings.

use axum::extract::State;
use query::{
    Answer, Facets, Hit, LATELY, Leaf, Marks, Matched, Members, Order, Request, Spot, Status,
};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::extraction::{Letter, Member, MemberKind};
use storage::meta::Refusal;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::App;
use crate::files::error::path_lookup;
use crate::files::search::{categories, extensions, status};
use crate::files::shape::{Shape, Start};
use crate::frame::caller::Caller;
use crate::frame::stamp::Stamp;
use crate::frame::{Arg, Failure, Reply, Union, reply};
use crate::search::{MAX_QUERY_CHARS, below, first, next, note};

const DEFAULT_RESULTS: usize = 20;
const MAX_RESULTS: usize = 1_000;

/// What is searched for.
#[derive(Deserialize)]
pub struct SearchArg {
    query: String,
    #[serde(default)]
    options: Option<Options>,
}

impl SearchArg {
    /// The query and its options.
    pub fn parts(self) -> (String, Options) {
        (self.query, self.options.unwrap_or_default())
    }
}

/// How.
#[derive(Deserialize, Default)]
pub struct Options {
    /// Only below this folder.
    pub path: Option<String>,
    max_results: Option<usize>,
    order_by: Option<Union>,
    file_status: Option<Union>,
    #[serde(default)]
    filename_only: bool,
    file_extensions: Option<Vec<String>>,
    file_categories: Option<Vec<Union>>,
    facets: Option<Counted>,
    #[serde(default)]
    why: bool,
    #[serde(default)]
    as_you_type: bool,
}

/// Which counts are wanted: none, those of the files' own kinds, or those that are named.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Counted {
    /// All but folders and owners, or none.
    Usual(bool),
    /// These.
    Named(Vec<String>),
}

impl Counted {
    /// True when any are wanted; true when folders and owners are among them.
    fn wanted(counted: Option<&Counted>) -> (bool, bool) {
        match counted {
            None => (true, false),
            Some(Counted::Usual(usual)) => (*usual, false),
            Some(Counted::Named(names)) => {
                let is_place = |name: &String| name == "folder" || name == "owner";
                (!names.is_empty(), names.iter().any(is_place))
            }
        }
    }
}

/// Where to go on.
#[derive(Deserialize)]
pub struct ContinueArg {
    cursor: String,
}

/// The first page.
pub async fn search(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<SearchArg>,
) -> reply::Answer<Value> {
    let options = arg.options.unwrap_or_default();
    let (path, is_final) = (options.path.clone(), !options.as_you_type);
    let worker = caller.clone();
    let found = app.searching(move |app| {
        let below = below(options.path.as_deref(), path_lookup)?;
        let mut answer = first(
            app,
            &worker,
            &Request {
                below,
                ..request(&arg.query, &options)?
            },
            shape,
        )?;
        if arg.query.chars().nth(MAX_QUERY_CHARS).is_some() {
            answer
                .warnings
                .push("only the first 1000 characters were looked for".into());
        }
        body(app, &worker, &answer).map_err(Failure::from_storage)
    });
    let body = found.await??;
    if is_final {
        note(&app, &caller, path.as_deref()).await;
    }
    Ok(Reply(body))
}

/// A later page, without facets.
pub async fn search_continue(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ContinueArg>,
) -> reply::Answer<Value> {
    let found = app.searching(move |app| {
        let answer = next(app, &caller, &arg.cursor, shape)?;
        body(app, &caller, &answer).map_err(Failure::from_storage)
    });
    found.await?.map(Reply)
}

/// The search that is asked for, wherever it looks.
pub fn request(query: &str, options: &Options) -> Result<Request, Failure> {
    let order = match options.order_by.as_ref().map(|union| union.tag.as_str()) {
        None | Some("relevance") => Order::Relevance,
        Some("last_modified_time") => Order::Modified,
        Some("name") => Order::Name,
        Some("size") => Order::Size,
        Some(other) => {
            return Err(Failure::bad(format!(
                "request body: options: order_by: unknown value {other:?}"
            )));
        }
    };
    let (facets, places) = Counted::wanted(options.facets.as_ref());
    Ok(Request {
        query: query.chars().take(MAX_QUERY_CHARS).collect(),
        below: None,
        max_results: options
            .max_results
            .unwrap_or(DEFAULT_RESULTS)
            .clamp(1, MAX_RESULTS),
        order,
        status: status(options.file_status.as_ref())?,
        filename_only: options.filename_only,
        extensions: extensions(options.file_extensions.as_deref()),
        categories: categories(options.file_categories.as_deref()),
        outcomes: Vec::new(),
        facets,
        places,
        why: options.why,
        marks: Marks::All,
        members: Members::Own,
        lately: LATELY,
        spelled: false,
    })
}

fn body(app: &App, caller: &Caller, answer: &Answer) -> storage::Result<Value> {
    let view = app.meta().view(caller.id())?;
    let start = caller.start(&view)?;
    let mut hits = Vec::with_capacity(answer.hits.len());
    for hit in &answer.hits {
        let mut shown = hit_of(hit, start);
        // Several of one path may have been deleted: id, revision and this time tell them apart.
        if answer.status == Status::Deleted {
            shown["deleted"] = json!(view.deleted_ms(hit.place.node.id)?.map(Stamp));
        }
        hits.push(shown);
    }
    let mut body = json!({
        "hits": hits,
        "total": answer.total,
        "total_estimated": answer.estimated,
        "did_you_mean": answer.did_you_mean,
        "took_ms": answer.took.as_secs_f64() * 1000.0,
        "partial": answer.partial,
        "missing_namespaces": answer.missing.iter().map(|ns| ns.to_string()).collect::<Vec<_>>(),
        "has_more": answer.cursor.is_some(),
        "cursor": answer.cursor,
        "warnings": answer.warnings,
        "coverage": answer.coverage.map(|covered| {
            json!({ "searchable": covered.searchable, "files": covered.files })
        }),
    });
    if let Some(facets) = &answer.facets {
        body["facets"] = facets_of(facets);
    }
    Ok(body)
}

fn hit_of(hit: &Hit, start: Start) -> Value {
    let matched = match hit.matched {
        Matched::Name => "filename",
        Matched::Content => "content",
        Matched::Both => "both",
    };
    let mut shown = json!({
        "metadata": Shape::tagged(&hit.place, start),
        "snippet": { "text": hit.snippet.text, "highlights": hit.snippet.highlights },
        "name_highlights": hit.name_highlights,
        "match": matched,
    });
    if let Some(member) = &hit.member {
        shown["member"] = member_of(member);
    }
    if hit.is_old
        && let (Some(version), Some(rev)) = (hit.place.node.head(), hit.place.node.rev_id())
    {
        let stored = moment(version.server_modified_ms);
        shown["version"] = json!({ "rev": rev.to_string(), "stored": stored });
    }
    if let Some(letter) = &hit.letter {
        shown["mail"] = letter_of(Some(letter));
    }
    if let Some(spot) = &hit.spot {
        shown["spot"] = spot_of(spot);
    }
    if let Some(why) = &hit.why {
        shown["why"] = json!(why);
    }
    shown
}

/// What in the file was found, and the address under which it is opened.
pub fn member_of(member: &Member) -> Value {
    let kind = match member.kind {
        MemberKind::Message => "message",
        MemberKind::Attachment => "attachment",
        MemberKind::Member => "member",
    };
    let mut shown = letter_of(member.letter.as_ref());
    shown["path"] = json!(member.path);
    shown["name"] = json!(member.name);
    shown["kind"] = json!(kind);
    shown["type"] = json!(member.category);
    shown["size"] = json!(member.size);
    shown["modified"] = json!(member.modified_ms.and_then(moment));
    shown
}

/// Who wrote what to whom; nulls where that is not told.
fn letter_of(letter: Option<&Letter>) -> Value {
    let told = |text: fn(&Letter) -> &String| letter.map(text).filter(|text| !text.is_empty());
    json!({
        "from": told(|letter| &letter.from),
        "to": told(|letter| &letter.to),
        "subject": told(|letter| &letter.subject),
        "sent": letter.and_then(|letter| letter.sent_ms).and_then(moment),
    })
}

/// A time in UTC.
fn moment(ms: i64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000)).ok()?;
    time.format(&Rfc3339).ok()
}

/// Where in the extracted text (`firefly/text`) the first match of the snippet is.
fn spot_of(spot: &Spot) -> Value {
    let mut shown = json!({ "range": spot.range });
    if let Some((leaf, number)) = spot.page {
        let leaf = match leaf {
            Leaf::Page => "page",
            Leaf::Slide => "slide",
            Leaf::Sheet => "sheet",
            Leaf::Chapter => "chapter",
            Leaf::Message => "message",
            Leaf::Attachment => "attachment",
            Leaf::Member => "member",
        };
        shown[leaf] = json!(number);
    }
    if let Some(label) = &spot.label {
        shown["label"] = json!(label);
    }
    shown
}

fn facets_of(facets: &Facets) -> Value {
    let counts = |values: &[(String, u64)]| {
        let count = |(value, count): &(String, u64)| json!({ "value": value, "count": count });
        values.iter().map(count).collect::<Vec<_>>()
    };
    json!({
        "type": counts(&facets.category),
        "extension": counts(&facets.extension),
        "modified": counts(&facets.modified),
        "size": counts(&facets.size),
        "language": counts(&facets.language),
        "folder": counts(&facets.folder),
        "owner": counts(&facets.owner),
    })
}

/// How refusals are worded.
pub fn shape(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::InvalidRevision => Some(json!({ ".tag": "reset" })),
        _ => path_lookup(refusal),
    }
}
