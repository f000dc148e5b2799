//! A collection of documents in a store of its own: through the real store, extraction, index and query parser.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use query::{LatelyWeights, Request};
use serde::Deserialize;
use storage::chunk::content_hash;
use storage::meta::{Actor, Address, FileId, Meta, NewFile, Opened, WriteMode};
use time::OffsetDateTime;

use crate::command::serve::Services;
use crate::config::{Config, DataArg};
use crate::node::Node;

/// How long to wait until the collection is indexed.
const INDEX_LIMIT: Duration = Duration::from_secs(600);

/// A line of docs.jsonl.
#[derive(Deserialize)]
pub struct Document {
    /// What judgements call it.
    pub id: String,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Its text.
    pub text: String,
}

/// The documents of docs.jsonl below `folder`.
pub fn documents(folder: &Path) -> Result<Vec<Document>> {
    let path = folder.join("docs.jsonl");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let lines = text.lines().enumerate();
    let read = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("line {}", number + 1))
    };
    lines.map(read).collect()
}

/// A document as a file.
pub struct Filed {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// When it was modified, milliseconds since 1970; now when that is not told.
    pub modified_ms: Option<i64>,
}

/// A collection that is stored and indexed.
pub struct Collection {
    services: Services,
    actor: Actor,
    documents: HashMap<String, String>,
    files: HashMap<String, FileId>,
    meta: Meta,
    _folder: tempfile::TempDir,
}

impl Collection {
    /// Stores every document as a file in a temporary store, and waits until all are indexed. `file` says how.
    pub fn store(documents: &[Document], file: impl Fn(usize, &Document) -> Filed) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = DataArg {
            data: folder.path().join("data"),
        };
        let config = Config::without_flags(&data)?;
        let node = Node::open(&config)?;
        let services = Services::start(&config, &node, None)?;
        let account = node.meta.create_account("eval@localhost", "eval", false)?;
        let actor = account.actor();
        let (mut names, mut files) = (HashMap::new(), HashMap::new());
        for (number, document) in documents.iter().enumerate() {
            let filed = file(number, document);
            let stored = put(&node, actor, &filed)?;
            files.insert(filed.name.clone(), stored);
            names.insert(filed.name, document.id.clone());
        }
        let collection = Collection {
            services,
            actor,
            documents: names,
            files,
            meta: node.meta.clone(),
            _folder: folder,
        };
        collection.wait()?;
        Ok(collection)
    }

    fn wait(&self) -> Result<()> {
        let begun = Instant::now();
        while self.services.engine.coverage(self.actor)?.waiting > 0 {
            if begun.elapsed() > INDEX_LIMIT {
                bail!("not indexed after {INDEX_LIMIT:?}");
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        Ok(())
    }

    /// The first documents for a query that is typed to its end, best first.
    pub fn ask(&self, query: &str, depth: usize) -> Result<Vec<String>> {
        self.ask_with(query, depth, query::LATELY, OffsetDateTime::now_utc())
    }

    /// The same at another time, with other weights of what counts beside words.
    pub fn ask_with(
        &self,
        query: &str,
        depth: usize,
        lately: LatelyWeights,
        now: OffsetDateTime,
    ) -> Result<Vec<String>> {
        let request = Request {
            query: format!("{query} "), // the last word is whole
            max_results: depth,
            facets: false,
            marks: query::Marks::None,
            lately,
            ..Request::default()
        };
        let answer = self.services.engine.search(self.actor, &request, now)?;
        let names = answer.hits.iter().map(|hit| &hit.place.node.name);
        Ok(names
            .filter_map(|name| self.documents.get(name).cloned())
            .collect())
    }

    /// The file of a name.
    pub fn file(&self, name: &str) -> Option<FileId> {
        self.files.get(name).copied()
    }

    /// Has files count as opened by who asks.
    pub fn note_opened(&self, opened: &[Opened]) -> Result<()> {
        Ok(self.meta.note_opened(self.actor.account, opened)?)
    }

    /// Stops the store.
    pub fn stop(self) {
        self.services.stop();
    }
}

fn put(node: &Node, actor: Actor, filed: &Filed) -> Result<FileId> {
    let body = &filed.text;
    let blocks = vec![node.blocks.put(body.as_bytes())?];
    let file = NewFile {
        size: body.len() as u64,
        content_hash: content_hash(&blocks),
        blocks,
        mode: WriteMode::Overwrite,
        autorename: false,
        strict_conflict: false,
        client_modified_ms: filed.modified_ms,
    };
    let at = Address::parse(&format!("/{}", filed.name))?;
    Ok(node.meta.commit_file(actor, &at, &file)?.node.id)
}
