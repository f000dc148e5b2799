//! Metadata: accounts, namespaces, the file tree, versions, sharing.
//!
//! Reading order: `ids`, `node` (the nouns), `path` (names), `keys` (rows), `place` (reading: [`View`]), `tree` (writing).

use std::sync::Arc;

pub mod account;
pub mod audit;
pub mod audit_chain;
pub mod check;
mod check_people;
pub mod email;
pub mod env;
pub mod grant;
pub mod group;
mod group_rows;
pub mod ids;
pub mod invitation;
pub mod job;
pub mod keys;
pub mod leaver;
pub mod link;
pub mod member;
mod mount;
mod namespace;
pub mod node;
pub mod opened;
mod options;
mod parting;
pub mod password;
pub mod path;
#[cfg(test)]
mod people_tests;
pub mod place;
mod purge;
pub mod quota;
pub mod receive;
pub mod refusal;
pub mod retention;
pub mod rewind;
pub mod searches;
pub mod second_factor;
pub mod secret;
pub mod session;
pub mod sharing;
pub mod standing;
pub mod team;
pub mod token;
mod token_cache;
mod token_rows;
pub mod tree;
mod version;

pub use account::{Account, AccountChange};
pub use audit::{AuditAction, AuditEvent, AuditFilter};
pub use audit_chain::{AuditHead, AuditReport};
pub use env::{Clock, Env, Random};
pub use grant::Grant;
pub use group::{Group, GroupMember};
pub use ids::{AccountId, FileId, GroupId, InvitationId, NamespaceId, Rev, RevId, TeamId, TokenId};
pub use job::{JobId, JobKind, JobState};
pub use leaver::HandedOver;
pub use link::{Link, LinkChange, LinkPage, LinkSettings, LinkedPlace, OpenedLink};
pub use node::*;
pub use opened::Opened;
pub use options::Options;
pub use password::PasswordCost;
pub use path::Address;
pub use place::View;
pub use receive::{UploadReceiver, upload_content};
pub use refusal::{ConflictKind, Refusal};
pub use rewind::{Rewind, RewindId};
pub use searches::{KeptSearches, RecentSearch, SavedSearch};
pub use second_factor::{CodeKind, FactorSecret, SecondFactor};
pub use secret::Secret;
pub use session::{Append, Piece, Upload, UploadId};
pub use sharing::{Member, MemberPolicy, SharedFolder};
pub use standing::{Reader, Standing};
pub use team::InvitationPolicy;
pub use token::{Authentication, Challenge, Ended, Holder, NewToken, Purpose, Token, TokenKind};

use crate::error::{Error, Result};
use crate::kv::{Commit, Store, Transaction};

/// All metadata of a store. Cheap to clone; calls block.
#[derive(Clone)]
pub struct Meta {
    store: Arc<dyn Store>,
    env: Env,
    blocks: Blocks,
    people: Arc<options::People>,
}

/// Whether a commit demands that its blocks are in the block index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blocks {
    Required,
    Trusted,
}

impl Meta {
    /// Metadata in `store`.
    pub fn open(store: Arc<dyn Store>, env: Env) -> Result<Meta> {
        Ok(Meta {
            store,
            env,
            blocks: Blocks::Required,
            people: Arc::default(),
        })
    }

    /// The same, but blocks need not be stored: for tests of the tree alone.
    pub fn open_without_blocks(store: Arc<dyn Store>, env: Env) -> Result<Meta> {
        Ok(Meta {
            store,
            env,
            blocks: Blocks::Trusted,
            people: Arc::default(),
        })
    }

    /// The store underneath.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Clock and randomness.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// Runs one operation as one transaction, and returns what its last run made. A crossed quota is
    /// [`Refusal::InsufficientSpace`].
    pub(crate) fn transact<T>(
        &self,
        mut body: impl FnMut(&mut dyn Transaction) -> Result<T>,
    ) -> Result<T> {
        self.transact_commit(&mut body).map(|(made, _)| made)
    }

    /// The same, with the commit's sequences.
    pub(crate) fn transact_commit<T>(
        &self,
        body: &mut dyn FnMut(&mut dyn Transaction) -> Result<T>,
    ) -> Result<(T, Commit)> {
        let mut made = None;
        let outcome = self.store.transact(&mut |txn| {
            made = Some(body(txn)?);
            Ok(())
        });
        match (outcome, made) {
            (Ok(commit), Some(made)) => Ok((made, commit)),
            (Ok(_), None) => Err(Error::Engine(
                "transaction committed without running".to_owned(),
            )),
            (Err(Error::CounterBound { .. }), _) => Err(Refusal::InsufficientSpace.into()),
            (Err(error), _) => Err(error),
        }
    }
}
