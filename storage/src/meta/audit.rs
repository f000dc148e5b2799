//! The audit log: who did what to what, from where, and when. Append-only.
//!
//! Rows: `AUDIT ++ sequence(8)` -> format byte, event. The format byte is reserved for a later form that chains each row
//! to the one before it by hash.

use serde::{Deserialize, Serialize};

use super::Meta;
use super::ids::AccountId;
use crate::error::{Error, Result};
use crate::keyspace;
use crate::kv::Transaction;

/// Rows without a chain.
const FORMAT_PLAIN: u8 = 1;
/// Most bytes kept of a subject and of an address.
const MAX_TEXT_BYTES: usize = 4096;
/// Most events read at once.
pub const MAX_PAGE: usize = 1000;

/// What was done. Closed: new actions are added at the end, because rows hold the variant's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditAction {
    /// Signed in with a password, a one-time code or a token exchange.
    SignIn,
    /// Tried to sign in and failed.
    SignInFailed,
    /// Ended a session.
    SignOut,
    /// An account was made.
    AccountCreated,
    /// An account's name, quota, rights or state changed.
    AccountChanged,
    /// A password was set.
    PasswordSet,
    /// A token was made.
    TokenCreated,
    /// A token was revoked.
    TokenRevoked,
    /// Searched; the subject is the scope, not the words.
    Search,
    /// Read a file's content.
    Download,
    /// Deleted a file or folder.
    Deleted,
    /// Restored a file or folder.
    Restored,
    /// Removed for good.
    Purged,
    /// Made a folder a shared one.
    FolderShared,
    /// A shared folder is shared no more.
    FolderUnshared,
    /// A member was added to a shared folder.
    MemberAdded,
    /// A member's role changed.
    MemberChanged,
    /// A member was removed, or left.
    MemberRemoved,
    /// A shared folder changed hands.
    OwnerChanged,
    /// A shared folder's policy changed.
    PolicyChanged,
    /// A shared link was made.
    LinkCreated,
    /// A shared link was opened.
    LinkOpened,
    /// A shared link was changed.
    LinkChanged,
    /// A shared link was revoked.
    LinkRevoked,
    /// Anything an administrator did to the whole service.
    Admin,
}

/// One row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Who; `None` for the service itself and for callers without an account.
    pub actor: Option<AccountId>,
    /// What was done.
    pub action: AuditAction,
    /// To what: a path, a file id, an e-mail address; at most 4,096 bytes are kept.
    pub subject: String,
    /// From where: the network address; at most 4,096 bytes are kept.
    pub address: Option<String>,
}

impl Meta {
    /// Appends one event, durably.
    pub fn audit(&self, event: AuditEvent) -> Result<()> {
        self.audit_all(&[event])
    }

    /// Appends several events in one transaction.
    pub fn audit_all(&self, events: &[AuditEvent]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.store()
            .transact(&mut |txn| events.iter().try_for_each(|event| append(txn, event)))?;
        Ok(())
    }

    /// The events after sequence `after` (0 = from the start), oldest first, at most `limit` and never more than [`MAX_PAGE`],
    /// each with its sequence.
    pub fn audit_events(&self, after: u64, limit: usize) -> Result<Vec<(u64, AuditEvent)>> {
        let Some(first) = after.checked_add(1) else {
            return Ok(Vec::new());
        };
        let (start, end) = (key(first), vec![keyspace::AUDIT + 1]);
        let rows = self
            .store()
            .snapshot()?
            .range(&start, &end, false, limit.min(MAX_PAGE))?;
        rows.iter().map(|(key, value)| decode(key, value)).collect()
    }
}

/// Appends `event` in the caller's transaction.
pub fn append(txn: &mut dyn Transaction, event: &AuditEvent) -> Result<()> {
    let kept = AuditEvent {
        subject: cut(&event.subject).to_owned(),
        address: event
            .address
            .as_deref()
            .map(|address| cut(address).to_owned()),
        ..event.clone()
    };
    let bytes = postcard::to_extend(&kept, vec![FORMAT_PLAIN])
        .map_err(|e| Error::Engine(format!("audit event: {e}")))?;
    txn.append(&[keyspace::AUDIT], bytes.into());
    Ok(())
}

fn key(sequence: u64) -> Vec<u8> {
    let mut key = vec![keyspace::AUDIT];
    key.extend(sequence.to_be_bytes());
    key
}

/// The sequence and event of a row.
pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<(u64, AuditEvent)> {
    let corrupt = |detail: String| Error::Corrupt {
        what: format!("audit row {}", hex::encode(key)),
        detail,
    };
    let sequence = key
        .get(1..)
        .and_then(|rest| rest.try_into().ok())
        .map(u64::from_be_bytes);
    let sequence = sequence.ok_or_else(|| corrupt("key length".into()))?;
    match value.split_first() {
        Some((&FORMAT_PLAIN, rest)) => postcard::from_bytes(rest)
            .map(|event| (sequence, event))
            .map_err(|e| corrupt(e.to_string())),
        Some((&found, _)) => Err(Error::NewerFormat {
            what: "audit log".into(),
            found: found.into(),
            supported: FORMAT_PLAIN.into(),
        }),
        None => Err(corrupt("empty".into())),
    }
}

/// The longest prefix of `text` within [`MAX_TEXT_BYTES`].
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}
