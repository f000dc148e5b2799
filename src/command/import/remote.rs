//! Imports through a server's public API.

use std::collections::HashMap;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use storage::meta::Refusal;
use sync::import::{Destination, Existing};
use sync::{Error, Result};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::io::AsyncReadExt;

use crate::client::{ApiError, Client};

/// Files up to this size go in one call; larger ones in parts of this size (two blocks).
const PART_BYTES: usize = 8 << 20;

/// A server, seen as the account of the client's token.
pub struct RemoteDestination {
    client: Client,
}

impl RemoteDestination {
    /// Imports go through `client`.
    pub fn new(client: Client) -> Self {
        RemoteDestination { client }
    }

    async fn rpc(&self, route: &str, argument: Value) -> Result<Value> {
        self.client.rpc(route, &argument).await.map_err(error)
    }

    async fn in_parts(
        &self,
        first: Bytes,
        mut file: tokio::fs::File,
        commit: Value,
        source: &Path,
    ) -> Result<()> {
        let upload = |route: &'static str, argument: Value, part: Bytes| async move {
            self.client
                .upload(route, &argument, part)
                .await
                .map_err(error)
        };
        let mut offset = first.len();
        let started = upload("files/upload_session/start", json!({}), first).await?;
        let session = started["session_id"].clone();
        loop {
            let part = read_part(&mut file, source).await?;
            let cursor = json!({"session_id": session, "offset": offset});
            if part.len() < PART_BYTES {
                let argument = json!({"cursor": cursor, "commit": commit});
                return upload("files/upload_session/finish", argument, part)
                    .await
                    .map(drop);
            }
            offset += part.len();
            upload(
                "files/upload_session/append_v2",
                json!({"cursor": cursor}),
                part,
            )
            .await?;
        }
    }
}

#[async_trait]
impl Destination for RemoteDestination {
    async fn existing(&self, folder: &str) -> Result<HashMap<String, Existing>> {
        let mut found = HashMap::new();
        let argument = json!({"path": folder, "recursive": true, "limit": 2000});
        let mut page = match self.client.rpc("files/list_folder", &argument).await {
            Ok(page) => page,
            Err(e) if is_not_found(&e) => return Ok(found),
            Err(e) => return Err(error(e)),
        };
        loop {
            collect(&page, &mut found);
            if page["has_more"] != true {
                return Ok(found);
            }
            page = self
                .rpc(
                    "files/list_folder/continue",
                    json!({"cursor": page["cursor"]}),
                )
                .await?;
        }
    }

    async fn put(&self, path: &str, source: &Path, modified_s: i64) -> Result<()> {
        let io = |e| Error::Io {
            what: format!("read {}", source.display()),
            source: e,
        };
        let mut file = tokio::fs::File::open(source).await.map_err(io)?;
        let commit = json!({"path": path, "mode": "overwrite", "mute": true, "client_modified": timestamp(modified_s)});
        let first = read_part(&mut file, source).await?;
        if first.len() < PART_BYTES {
            return self
                .client
                .upload("files/upload", &commit, first)
                .await
                .map(drop)
                .map_err(error);
        }
        self.in_parts(first, file, commit, source).await
    }

    async fn folder(&self, path: &str) -> Result<()> {
        match self
            .rpc("files/create_folder_v2", json!({"path": path}))
            .await
        {
            Err(Error::Storage(storage::Error::Refused(Refusal::Conflict(_)))) => Ok(()),
            other => other.map(drop),
        }
    }
}

async fn read_part(file: &mut tokio::fs::File, source: &Path) -> Result<Bytes> {
    let mut part = Vec::new();
    let read = file.take(PART_BYTES as u64).read_to_end(&mut part).await;
    read.map_err(|e| Error::Io {
        what: format!("read {}", source.display()),
        source: e,
    })?;
    Ok(part.into())
}

fn collect(page: &Value, found: &mut HashMap<String, Existing>) {
    for entry in page["entries"].as_array().into_iter().flatten() {
        if let (Some(path), Some(size), Some(hash), Some(modified)) = (
            entry["path_lower"].as_str(),
            entry["size"].as_u64(),
            entry["content_hash"].as_str(),
            entry["client_modified"].as_str(),
        ) {
            let modified_s =
                OffsetDateTime::parse(modified, &Rfc3339).map_or(0, OffsetDateTime::unix_timestamp);
            let existing = Existing {
                size,
                modified_s,
                content_hash: hash.to_owned(),
            };
            found.insert(path.to_owned(), existing);
        }
    }
}

fn timestamp(seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()?
        .format(&Rfc3339)
        .ok()
}

fn is_not_found(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<ApiError>()
        .is_some_and(|e| e.summary.starts_with("path/not_found"))
}

/// The server's answer as an error of the importer: what may pass later is retryable.
fn error(error: anyhow::Error) -> Error {
    match error.downcast_ref::<ApiError>() {
        Some(e) if e.status.as_u16() == 429 || e.status.is_server_error() => Error::Stopped,
        Some(e) if e.summary.starts_with("path/conflict") => {
            Refusal::Conflict(storage::meta::ConflictKind::Folder).into()
        }
        _ => Error::Storage(storage::Error::Engine(format!("{error:#}"))),
    }
}
