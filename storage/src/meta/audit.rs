//! The audit log: who did what to what, from where, and when. Append-only.
//!
//! Rows: `AUDIT ++ sequence(8)` -> format byte, hash (`audit_chain`), event. Rows of the first release have no hash.

use serde::{Deserialize, Serialize};

use super::Meta;
use super::ids::AccountId;
use crate::error::{Error, Result};
use crate::keyspace;
use crate::kv::Snapshot;

/// Rows without a chain.
pub(super) const FORMAT_PLAIN: u8 = 1;
/// Rows that carry a hash over themselves and the row before.
pub(super) const FORMAT_CHAINED: u8 = 2;
/// Length of that hash, bytes.
const HASH_BYTES: usize = 32;
/// Rows that one search looks at; the caller goes on from there.
const MAX_SCANNED: usize = 20_000;
/// Events are written within so long of when they happened, milliseconds.
const SLACK_MS: i64 = 5 * 60 * 1000;
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
    /// A second factor was set up, or has new recovery codes.
    SecondFactorSet,
    /// A second factor was taken away.
    SecondFactorRemoved,
    /// Signed in with a recovery code.
    RecoveryCodeUsed,
    /// A group was made, renamed or deleted.
    GroupChanged,
    /// Somebody was put into a group.
    GroupMemberAdded,
    /// Somebody was taken out of a group.
    GroupMemberRemoved,
    /// Somebody without an account was invited to a shared folder.
    InvitationCreated,
    /// An invitation was accepted.
    InvitationAccepted,
    /// An invitation was taken back.
    InvitationWithdrawn,
}

impl AuditAction {
    /// All actions.
    pub const ALL: [AuditAction; 34] = [
        AuditAction::SignIn,
        AuditAction::SignInFailed,
        AuditAction::SignOut,
        AuditAction::AccountCreated,
        AuditAction::AccountChanged,
        AuditAction::PasswordSet,
        AuditAction::TokenCreated,
        AuditAction::TokenRevoked,
        AuditAction::Search,
        AuditAction::Download,
        AuditAction::Deleted,
        AuditAction::Restored,
        AuditAction::Purged,
        AuditAction::FolderShared,
        AuditAction::FolderUnshared,
        AuditAction::MemberAdded,
        AuditAction::MemberChanged,
        AuditAction::MemberRemoved,
        AuditAction::OwnerChanged,
        AuditAction::PolicyChanged,
        AuditAction::LinkCreated,
        AuditAction::LinkOpened,
        AuditAction::LinkChanged,
        AuditAction::LinkRevoked,
        AuditAction::Admin,
        AuditAction::SecondFactorSet,
        AuditAction::SecondFactorRemoved,
        AuditAction::RecoveryCodeUsed,
        AuditAction::GroupChanged,
        AuditAction::GroupMemberAdded,
        AuditAction::GroupMemberRemoved,
        AuditAction::InvitationCreated,
        AuditAction::InvitationAccepted,
        AuditAction::InvitationWithdrawn,
    ];

    /// The action's name for people and filters.
    pub fn name(self) -> &'static str {
        match self {
            AuditAction::SignIn => "sign_in",
            AuditAction::SignInFailed => "sign_in_failed",
            AuditAction::SignOut => "sign_out",
            AuditAction::AccountCreated => "account_created",
            AuditAction::AccountChanged => "account_changed",
            AuditAction::PasswordSet => "password_set",
            AuditAction::TokenCreated => "token_created",
            AuditAction::TokenRevoked => "token_revoked",
            AuditAction::Search => "search",
            AuditAction::Download => "download",
            AuditAction::Deleted => "deleted",
            AuditAction::Restored => "restored",
            AuditAction::Purged => "purged",
            AuditAction::FolderShared => "folder_shared",
            AuditAction::FolderUnshared => "folder_unshared",
            AuditAction::MemberAdded => "member_added",
            AuditAction::MemberChanged => "member_changed",
            AuditAction::MemberRemoved => "member_removed",
            AuditAction::OwnerChanged => "owner_changed",
            AuditAction::PolicyChanged => "policy_changed",
            AuditAction::LinkCreated => "link_created",
            AuditAction::LinkOpened => "link_opened",
            AuditAction::LinkChanged => "link_changed",
            AuditAction::LinkRevoked => "link_revoked",
            AuditAction::Admin => "admin",
            AuditAction::SecondFactorSet => "second_factor_set",
            AuditAction::SecondFactorRemoved => "second_factor_removed",
            AuditAction::RecoveryCodeUsed => "recovery_code_used",
            AuditAction::GroupChanged => "group_changed",
            AuditAction::GroupMemberAdded => "group_member_added",
            AuditAction::GroupMemberRemoved => "group_member_removed",
            AuditAction::InvitationCreated => "invitation_created",
            AuditAction::InvitationAccepted => "invitation_accepted",
            AuditAction::InvitationWithdrawn => "invitation_withdrawn",
        }
    }

    /// The action with this name.
    pub fn parse(name: &str) -> Option<AuditAction> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// Which events are wanted: those that pass everything that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this account.
    pub actor: Option<AccountId>,
    /// One of these actions; empty: all.
    pub actions: Vec<AuditAction>,
    /// From this moment on, milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Up to this moment.
    pub until_ms: Option<i64>,
    /// With this in the subject, whatever the case.
    pub subject: Option<String>,
    /// From this address.
    pub address: Option<String>,
}

impl AuditFilter {
    fn passes(&self, event: &AuditEvent) -> bool {
        let has = |subject: &String| {
            event
                .subject
                .to_lowercase()
                .contains(&subject.to_lowercase())
        };
        self.actor.is_none_or(|actor| event.actor == Some(actor))
            && (self.actions.is_empty() || self.actions.contains(&event.action))
            && self.since_ms.is_none_or(|since| event.at_ms >= since)
            && self.until_ms.is_none_or(|until| event.at_ms <= until)
            && self.subject.as_ref().is_none_or(has)
            && self
                .address
                .as_ref()
                .is_none_or(|address| event.address.as_ref() == Some(address))
    }
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

    /// The events after sequence `after` that pass a filter, oldest first, at most `limit`, each with its sequence; and from where to go
    /// on, when there may be more.
    #[allow(clippy::type_complexity)] // a page and where the next one begins
    pub fn audit_search(
        &self,
        after: u64,
        filter: &AuditFilter,
        limit: usize,
    ) -> Result<(Vec<(u64, AuditEvent)>, Option<u64>)> {
        let rows = self.store().snapshot()?;
        let begin = match filter.since_ms {
            Some(since_ms) => first_since(&*rows, since_ms - SLACK_MS)?,
            None => 1,
        };
        let (mut found, mut last) = (Vec::new(), after.max(begin.saturating_sub(1)));
        let (start, end) = (key(last.saturating_add(1)), vec![keyspace::AUDIT + 1]);
        let page = rows.range(&start, &end, false, MAX_SCANNED)?;
        let is_last = page.len() < MAX_SCANNED;
        for (key, value) in page {
            let (sequence, event) = decode(&key, &value)?;
            if filter
                .until_ms
                .is_some_and(|until| event.at_ms > until + SLACK_MS)
            {
                return Ok((found, None));
            }
            last = sequence;
            if filter.passes(&event) {
                found.push((sequence, event));
            }
            if found.len() >= limit.clamp(1, MAX_PAGE) {
                return Ok((found, Some(last)));
            }
        }
        Ok((found, (!is_last).then_some(last)))
    }

    /// The same from the other end: the events before sequence `before` (none: the latest) that pass a filter, newest first.
    #[allow(clippy::type_complexity)] // a page and where the next one begins
    pub fn audit_latest(
        &self,
        before: Option<u64>,
        filter: &AuditFilter,
        limit: usize,
    ) -> Result<(Vec<(u64, AuditEvent)>, Option<u64>)> {
        let rows = self.store().snapshot()?;
        let begin = match filter.since_ms {
            Some(since_ms) => first_since(&*rows, since_ms - SLACK_MS)?,
            None => 1,
        };
        let mut end = before.unwrap_or(u64::MAX);
        if let Some(until_ms) = filter.until_ms {
            end = end.min(first_since(&*rows, until_ms + SLACK_MS + 1)?);
        }
        if end <= begin {
            return Ok((Vec::new(), None));
        }
        let (mut found, mut last) = (Vec::new(), end);
        let page = rows.range(&key(begin), &key(end), true, MAX_SCANNED)?;
        let is_last = page.len() < MAX_SCANNED;
        for (key, value) in page {
            let (sequence, event) = decode(&key, &value)?;
            last = sequence;
            if filter.passes(&event) {
                found.push((sequence, event));
            }
            if found.len() >= limit.clamp(1, MAX_PAGE) {
                return Ok((found, (sequence > begin).then_some(last)));
            }
        }
        Ok((found, (!is_last).then_some(last)))
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

/// An event as it is stored, without what stands before it in its row.
pub(super) fn encode(event: &AuditEvent) -> Result<Vec<u8>> {
    let kept = AuditEvent {
        subject: cut(&event.subject).to_owned(),
        address: event
            .address
            .as_deref()
            .map(|address| cut(address).to_owned()),
        ..event.clone()
    };
    postcard::to_stdvec(&kept).map_err(|e| Error::Engine(format!("audit event: {e}")))
}

/// A sequence below which nothing is younger than `since_ms`: rows are written nearly in the order of their times.
fn first_since(rows: &dyn Snapshot, since_ms: i64) -> Result<u64> {
    let edge = |reverse: bool| -> Result<Option<u64>> {
        let (start, end) = ([keyspace::AUDIT], [keyspace::AUDIT + 1]);
        let row = rows.range(&start, &end, reverse, 1)?;
        row.first()
            .map(|(key, value)| decode(key, value).map(|(sequence, _)| sequence))
            .transpose()
    };
    let (Some(mut low), Some(last)) = (edge(false)?, edge(true)?) else {
        return Ok(1);
    };
    let mut high = last + 1;
    while low < high {
        let middle = low + (high - low) / 2;
        let row = rows.get(&key(middle))?;
        let event = row.map(|row| decode(&key(middle), &row)).transpose()?;
        match event {
            Some((_, event)) if event.at_ms < since_ms => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
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
        Some((&format @ (FORMAT_PLAIN | FORMAT_CHAINED), rest)) => {
            let before = if format == FORMAT_CHAINED {
                HASH_BYTES
            } else {
                0
            };
            let event = rest.get(before..).unwrap_or_default();
            postcard::from_bytes(event)
                .map(|event| (sequence, event))
                .map_err(|e| corrupt(e.to_string()))
        }
        Some((&found, _)) => Err(Error::NewerFormat {
            what: "audit log".into(),
            found: found.into(),
            supported: FORMAT_CHAINED.into(),
        }),
        None => Err(corrupt("empty".into())),
    }
}

/// The longest prefix of `text` within [`MAX_TEXT_BYTES`].
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}
