//! Imports straight into this process's storage.

use std::collections::HashMap;
use std::io::Read;

use async_trait::async_trait;
use storage::block::BlockStore;
use storage::chunk::{BLOCK_BYTES, BlockHash, content_hash};
use storage::meta::{
    Actor, Address, Entry, Meta, NamespaceId, NewFile, Node, NodeKind, Refusal, RevId, WriteMode,
};

use super::{Deleted, Destination, Existing, Source};
use crate::Pace;
use crate::error::{Error, Result};

/// The storage of this process, seen as one account.
#[derive(Clone)]
pub struct LocalDestination {
    meta: Meta,
    blocks: BlockStore,
    actor: Actor,
    pace: Pace,
}

impl LocalDestination {
    /// Imports go to `actor`'s files, in this pace.
    pub fn new(meta: Meta, blocks: BlockStore, actor: Actor, pace: Pace) -> Self {
        LocalDestination {
            meta,
            blocks,
            actor,
            pace,
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(LocalDestination) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let own = self.clone();
        tokio::task::spawn_blocking(move || work(own))
            .await
            .map_err(|_| Error::Stopped)?
    }

    fn list(&self, folder: &str) -> Result<HashMap<String, Existing>> {
        let view = self.meta.view(self.actor.account)?;
        let mut found = HashMap::new();
        let top = match view.resolve(self.actor.root, &Address::parse(folder)?) {
            Ok(top) => top,
            Err(storage::Error::Refused(Refusal::NotFound)) => return Ok(found),
            Err(error) => return Err(error.into()),
        };
        view.walk(&top, None, false, &mut |entry| {
            if let Entry::Live(place) = &entry
                && let Some(existing) = existing(&place.node)
            {
                found.insert(place.path_lower.clone(), existing);
            }
            Ok(true)
        })?;
        Ok(found)
    }

    fn find(&self, path: &str) -> Result<Option<Existing>> {
        let view = self.meta.view(self.actor.account)?;
        match view.resolve(self.actor.root, &Address::parse(path)?) {
            Ok(place) => Ok(existing(&place.node)),
            Err(storage::Error::Refused(Refusal::NotFound)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn store(&self, path: &str, source: &Source, modified_s: i64) -> Result<(NamespaceId, String)> {
        let mut names = Vec::new();
        let size = each_block(source, &mut |block| {
            names.push(self.blocks.put(block)?);
            Ok(())
        })?;
        let file = NewFile {
            content_hash: content_hash(&names),
            blocks: names,
            size,
            mode: WriteMode::Overwrite,
            autorename: false,
            strict_conflict: false,
            client_modified_ms: Some(modified_s * 1000),
        };
        let place = self
            .meta
            .commit_file(self.actor, &Address::parse(path)?, &file)?;
        let rev = existing(&place.node).map(|existing| existing.rev);
        Ok((place.ns, rev.unwrap_or_default()))
    }

    fn remove(&self, path: &str, rev: &str) -> Result<Deleted> {
        let Some(rev) = RevId::parse(rev) else {
            return Ok(Deleted::Changed);
        };
        let at = Address::parse(path)?;
        match self.meta.delete(self.actor, &at, Some(rev.rev)) {
            Ok(_) => Ok(Deleted::Done),
            Err(storage::Error::Refused(Refusal::NotFound)) => Ok(Deleted::Gone),
            Err(storage::Error::Refused(Refusal::InvalidParentRev | Refusal::NotFile)) => {
                Ok(Deleted::Changed)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What a live node is for an import; none when it is no file.
fn existing(node: &Node) -> Option<Existing> {
    let NodeKind::File(version) = &node.kind else {
        return None;
    };
    let rev = RevId {
        rev: version.rev,
        file: node.id,
    };
    Some(Existing {
        size: version.size,
        modified_s: version.client_modified_ms.div_euclid(1000),
        content_hash: hex::encode(version.content_hash),
        rev: rev.to_string(),
    })
}

#[async_trait]
impl Destination for LocalDestination {
    async fn existing(&self, folder: &str) -> Result<HashMap<String, Existing>> {
        let folder = folder.to_owned();
        self.blocking(move |own| own.list(&folder)).await
    }

    async fn look(&self, path: &str) -> Result<Option<Existing>> {
        let path = path.to_owned();
        self.blocking(move |own| own.find(&path)).await
    }

    async fn put(&self, path: &str, source: &Source, modified_s: i64) -> Result<String> {
        let (path, source) = (path.to_owned(), source.clone());
        let stored = self.blocking(move |own| own.store(&path, &source, modified_s));
        let (ns, rev) = stored.await?;
        tokio::time::sleep((self.pace)(ns)).await;
        Ok(rev)
    }

    async fn folder(&self, path: &str) -> Result<()> {
        let path = path.to_owned();
        self.blocking(move |own| {
            match own
                .meta
                .create_folder(own.actor, &Address::parse(&path)?, false)
            {
                Ok(_) | Err(storage::Error::Refused(Refusal::Conflict(_))) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    async fn delete(&self, path: &str, rev: &str) -> Result<Deleted> {
        let (path, rev) = (path.to_owned(), rev.to_owned());
        self.blocking(move |own| own.remove(&path, &rev)).await
    }
}

/// Dropbox's content_hash of a local file, lower-case hex.
pub fn content_hash_of(source: &Source) -> Result<String> {
    let mut names = Vec::new();
    each_block(source, &mut |block| {
        names.push(BlockHash::of(block));
        Ok(())
    })?;
    Ok(hex::encode(content_hash(&names)))
}

/// Calls `visit` with every block of a local file; returns its size in bytes.
fn each_block(source: &Source, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<u64> {
    let io = |error| Error::Io {
        what: format!("read {}", source.path().display()),
        source: error,
    };
    let mut file = source.open().map_err(io)?;
    let mut size = 0;
    loop {
        let mut block = Vec::new();
        (&mut file)
            .take(BLOCK_BYTES as u64)
            .read_to_end(&mut block)
            .map_err(io)?;
        if block.is_empty() {
            return Ok(size);
        }
        size += block.len() as u64;
        visit(&block)?;
        if block.len() < BLOCK_BYTES {
            return Ok(size);
        }
    }
}
