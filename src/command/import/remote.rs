//! Imports through a server's public API.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use storage::meta::Refusal;
use sync::import::{Deleted, Destination, Existing, Source};
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
        source: &Source,
    ) -> Result<Value> {
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
                return upload("files/upload_session/finish", argument, part).await;
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

    async fn look(&self, path: &str) -> Result<Option<Existing>> {
        let argument = json!({"path": path});
        match self.client.rpc("files/get_metadata", &argument).await {
            Ok(entry) => Ok(existing(&entry)),
            Err(e) if is_not_found(&e) => Ok(None),
            Err(e) => Err(error(e)),
        }
    }

    async fn put(&self, path: &str, source: &Source, modified_s: i64) -> Result<String> {
        let io = |e| Error::Io {
            what: format!("read {}", source.path().display()),
            source: e,
        };
        let mut file = tokio::fs::File::from_std(source.open().map_err(io)?);
        let commit = json!({"path": path, "mode": "overwrite", "mute": true, "client_modified": timestamp(modified_s)});
        let first = read_part(&mut file, source).await?;
        let stored = if first.len() < PART_BYTES {
            let stored = self.client.upload("files/upload", &commit, first);
            stored.await.map_err(error)?
        } else {
            self.in_parts(first, file, commit, source).await?
        };
        Ok(stored["rev"].as_str().unwrap_or_default().to_owned())
    }

    async fn delete(&self, path: &str, rev: &str) -> Result<Deleted> {
        let argument = json!({"path": path, "parent_rev": rev});
        let answer: anyhow::Result<Value> = self.client.rpc("files/delete_v2", &argument).await;
        let Err(refused) = answer else {
            return Ok(Deleted::Done);
        };
        let summary = refused
            .downcast_ref::<ApiError>()
            .map(|e| e.summary.as_str());
        match summary.unwrap_or_default() {
            s if s.starts_with("path_lookup/not_found") => Ok(Deleted::Gone),
            s if s.starts_with("path_lookup/not_file") => Ok(Deleted::Changed),
            s if s.starts_with("path_write/conflict") => Ok(Deleted::Changed),
            _ => Err(error(refused)),
        }
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

async fn read_part(file: &mut tokio::fs::File, source: &Source) -> Result<Bytes> {
    let mut part = Vec::new();
    let read = file.take(PART_BYTES as u64).read_to_end(&mut part).await;
    read.map_err(|e| Error::Io {
        what: format!("read {}", source.path().display()),
        source: e,
    })?;
    Ok(part.into())
}

fn collect(page: &Value, found: &mut HashMap<String, Existing>) {
    for entry in page["entries"].as_array().into_iter().flatten() {
        if let (Some(path), Some(existing)) = (entry["path_lower"].as_str(), existing(entry)) {
            found.insert(path.to_owned(), existing);
        }
    }
}

/// What an entry is for an import; none when it is no live file.
fn existing(entry: &Value) -> Option<Existing> {
    let modified = entry["client_modified"].as_str()?;
    Some(Existing {
        size: entry["size"].as_u64()?,
        modified_s: OffsetDateTime::parse(modified, &Rfc3339)
            .map_or(0, OffsetDateTime::unix_timestamp),
        content_hash: entry["content_hash"].as_str()?.to_owned(),
        rev: entry["rev"].as_str()?.to_owned(),
    })
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
        None => Error::Unreachable(format!("{error:#}")),
        Some(e) if e.summary.starts_with("path/conflict") => {
            Refusal::Conflict(storage::meta::ConflictKind::Folder).into()
        }
        _ => Error::Storage(storage::Error::Engine(format!("{error:#}"))),
    }
}
