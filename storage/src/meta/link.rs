//! Shared links: whoever has the URL reads one file, or a folder and what lies below it, as its creator sees it.
//!
//! Rows: `LINK 0 hash` -> the link, by the SHA-256 of its key; `LINK 1 creator file` -> the key, readable, so that the creator
//! can list the URL again. A link is bound to a node and outlives its renames; a creator has one link to a node.

use serde::{Deserialize, Serialize};

use super::account::read_account;
use super::ids::{AccountId, FileId};
use super::node::{Actor, NodeKind, Place};
use super::password;
use super::path::Address;
use super::secret::{self, Secret, SecretHash};
use super::{Meta, Refusal, View, keys};
use crate::error::Result;
use crate::keyspace::LINK;
use crate::kv::{Snapshot, Transaction, prefix_end};
use crate::row;

const BY_KEY: u8 = 0;
const BY_CREATOR: u8 = 1;
/// Most links read for one page of a list.
pub const MAX_PAGE: usize = 1000;
/// Most bytes of a link's password; links may have short ones.
const MAX_PASSWORD_BYTES: usize = password::MAX_BYTES;

/// A shared link, as its creator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What the URL ends in: 22 characters of base64url.
    pub key: String,
    /// Who made it: it opens what this account may read.
    pub creator: AccountId,
    /// The node it opens.
    pub file: FileId,
    /// Whether a password is asked for.
    pub has_password: bool,
    /// Another number for each password that is set; tells nothing about it. 0 without one.
    pub password_mark: u64,
    /// From when on it opens nothing, milliseconds since 1970.
    pub expires_ms: Option<i64>,
    /// Whether the bytes may be downloaded, or only looked at.
    pub allow_download: bool,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
}

/// How a link is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSettings {
    /// Asked for when it is opened.
    pub password: Option<String>,
    /// From when on it opens nothing, milliseconds since 1970.
    pub expires_ms: Option<i64>,
    /// Whether the bytes may be downloaded, or only looked at.
    pub allow_download: bool,
}

impl Default for LinkSettings {
    fn default() -> Self {
        LinkSettings {
            password: None,
            expires_ms: None,
            allow_download: true,
        }
    }
}

/// What [`Meta::change_link`] changes; `None` leaves a setting as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkChange {
    /// Asked for when it is opened.
    pub password: Option<Option<String>>,
    /// From when on it opens nothing, milliseconds since 1970.
    pub expires_ms: Option<Option<i64>>,
    /// Whether the bytes may be downloaded, or only looked at.
    pub allow_download: Option<bool>,
}

/// A link and where it leads at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedPlace {
    /// The link.
    pub link: Link,
    /// What it opens, where its creator sees it.
    pub place: Place,
}

/// A page of an account's links.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkPage {
    /// Links that lead somewhere, in the order of their nodes' ids.
    pub links: Vec<LinkedPlace>,
    /// Where the next page goes on; `None` after the last.
    pub next: Option<FileId>,
}

/// An opened link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedLink {
    /// The link.
    pub link: Link,
    /// What the link leads to.
    pub top: Place,
    /// The place asked for: `top`, or something below it.
    pub place: Place,
    /// The creator, for further reads as the creator sees them.
    pub actor: Actor,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    creator: AccountId,
    file: FileId,
    password_hash: Option<String>,
    expires_ms: Option<i64>,
    allow_download: bool,
    created_ms: i64,
}

impl Meta {
    /// Makes a link to what `actor` can read at `at`. Refused as `LinkExists` with the key of the one that is there, and as
    /// `CantShareRoot` for a root.
    pub fn create_link(
        &self,
        actor: Actor,
        at: &Address,
        settings: LinkSettings,
    ) -> Result<LinkedPlace> {
        let view = self.view(actor.account)?;
        let place = view.resolve(actor.root, at)?;
        let file = linked_node(&view, &place)?;
        if place.node.parent.is_none() && place.shared_folder.is_none() {
            return Err(Refusal::CantShareRoot.into());
        }
        let now_ms = self.now_ms();
        let key = Secret::draw::<16>(self.random(), "").into_string();
        let row = Row {
            creator: actor.account,
            file,
            password_hash: settings
                .password
                .as_deref()
                .map(|password| self.link_password(password))
                .transpose()?,
            expires_ms: settings.expires_ms,
            allow_download: settings.allow_download,
            created_ms: now_ms,
        };
        self.transact(|txn| {
            if let Some((key, existing)) = of_node(&*txn, row.creator, row.file)? {
                if !is_over(existing.expires_ms, now_ms) {
                    return Err(Refusal::LinkExists(key).into());
                }
                remove(txn, &key, &existing);
            }
            keys::write(txn, link_key(&secret::hash(&key)), &row)?;
            keys::write(txn, creator_key(row.creator, row.file), &key)
        })?;
        Ok(LinkedPlace {
            link: link(key, &row),
            place,
        })
    }

    /// The actor's own link to what is at `at`, if there is one.
    pub fn link_at(&self, actor: Actor, at: &Address) -> Result<Option<LinkedPlace>> {
        let view = self.view(actor.account)?;
        let place = view.resolve(actor.root, at)?;
        let found = of_node(view.rows(), actor.account, linked_node(&view, &place)?)?;
        let live = found.filter(|(_, row)| !is_over(row.expires_ms, self.now_ms()));
        Ok(live.map(|(key, row)| LinkedPlace {
            link: link(key, &row),
            place,
        }))
    }

    /// The actor's links that lead somewhere, from after `after` on; at most `limit` and never more than [`MAX_PAGE`] are
    /// looked at.
    pub fn list_links(
        &self,
        actor: Actor,
        after: Option<FileId>,
        limit: usize,
    ) -> Result<LinkPage> {
        let Some(first) = after.map_or(Some(0), |file| file.0.checked_add(1)) else {
            return Ok(LinkPage::default());
        };
        let (view, now_ms, limit) = (
            self.view(actor.account)?,
            self.now_ms(),
            limit.clamp(1, MAX_PAGE),
        );
        let of_creator = keys::key(LINK, &[&[BY_CREATOR], &actor.account.0.to_be_bytes()]);
        let start = creator_key(actor.account, FileId(first));
        let rows = view
            .rows()
            .range(&start, &prefix_end(&of_creator), false, limit + 1)?;
        let files = rows
            .iter()
            .map(|(key, _)| row::u64_at("link", key, 10).map(FileId))
            .collect::<Result<Vec<_>>>()?;
        let mut page = LinkPage {
            links: Vec::new(),
            next: files.get(limit).and(files.get(limit - 1)).copied(),
        };
        for file in files.into_iter().take(limit) {
            let found = of_node(view.rows(), actor.account, file)?
                .filter(|(_, row)| !is_over(row.expires_ms, now_ms));
            let Some((key, row)) = found else { continue };
            page.links
                .extend(view.place(file)?.map(|place| LinkedPlace {
                    link: link(key, &row),
                    place,
                }));
        }
        Ok(page)
    }

    /// Changes one of the actor's own links. Refused as `NotFound`, or `NoPermission` when it is somebody else's.
    pub fn change_link(&self, actor: Actor, key: &str, change: &LinkChange) -> Result<Link> {
        let password = match &change.password {
            Some(Some(password)) => Some(Some(self.link_password(password)?)),
            Some(None) => Some(None),
            None => None,
        };
        self.transact(|txn| {
            let mut row = own(&*txn, actor, key)?;
            row.password_hash = password.clone().unwrap_or(row.password_hash);
            row.expires_ms = change.expires_ms.unwrap_or(row.expires_ms);
            row.allow_download = change.allow_download.unwrap_or(row.allow_download);
            keys::write(txn, link_key(&secret::hash(key)), &row)?;
            Ok(link(key.to_owned(), &row))
        })
    }

    /// Revokes one of the actor's own links. Refused as `NotFound`, or `NoPermission` when it is somebody else's.
    pub fn revoke_link(&self, actor: Actor, key: &str) -> Result<()> {
        self.transact(|txn| {
            let row = own(&*txn, actor, key)?;
            remove(txn, key, &row);
            Ok(())
        })
    }

    /// Opens what the link leads to, or what lies below it by `below`. Refused as `NotFound` when there is no such link, it
    /// expired, its creator is disabled or may no longer read the place, or the place is gone; as `WrongPassword` when one is
    /// asked for and `password` is not it.
    pub fn open_link(
        &self,
        key: &str,
        password: Option<&str>,
        below: &[String],
    ) -> Result<OpenedLink> {
        let row = self.live_link(key)?;
        if let Some(stored) = &row.password_hash
            && !password.map_or(Ok(false), |given| {
                password::verify(given, Some(stored), self.options().password_cost)
            })?
        {
            return Err(Refusal::WrongPassword.into());
        }
        self.open_row(key, row, below)
    }

    /// The same for who proved a moment ago to know the password.
    pub fn open_unlocked_link(&self, key: &str, below: &[String]) -> Result<OpenedLink> {
        let row = self.live_link(key)?;
        self.open_row(key, row, below)
    }

    fn live_link(&self, key: &str) -> Result<Row> {
        let row = read(&*self.store().snapshot()?, &secret::hash(key))?.ok_or(Refusal::NotFound)?;
        if is_over(row.expires_ms, self.now_ms()) {
            return Err(Refusal::NotFound.into());
        }
        Ok(row)
    }

    fn open_row(&self, key: &str, row: Row, below: &[String]) -> Result<OpenedLink> {
        let view = self.view(row.creator)?;
        let creator = read_account(view.rows(), row.creator)?
            .filter(|creator| !creator.disabled)
            .ok_or(Refusal::NotFound)?;
        let top = place_of(&view, row.file)?;
        let place = if below.is_empty() {
            top.clone()
        } else {
            view.resolve(creator.root, &Address::Id(row.file, below.to_vec()))?
        };
        Ok(OpenedLink {
            link: link(key.to_owned(), &row),
            top,
            place,
            actor: creator.actor(),
        })
    }

    fn link_password(&self, password: &str) -> Result<String> {
        if password.is_empty() || password.len() > MAX_PASSWORD_BYTES {
            return Err(
                Refusal::WeakPassword("a link's password has 1 to 1,024 bytes".to_owned()).into(),
            );
        }
        password::hash(
            password,
            &secret::bytes::<16>(self.random()),
            self.options().password_cost,
        )
    }
}

/// The node that a link to the place is bound to: of a Mount the Root that it shows, which stays when the Mount goes.
fn linked_node(view: &View<'_>, place: &Place) -> Result<FileId> {
    match place.node.kind {
        NodeKind::Mount { ns } => Ok(keys::get_namespace(view.rows(), ns)?
            .ok_or(Refusal::NotFound)?
            .root),
        _ => Ok(place.node.id),
    }
}

fn place_of(view: &View<'_>, file: FileId) -> Result<Place> {
    Ok(view.place(file)?.ok_or(Refusal::NotFound)?)
}

fn is_over(expires_ms: Option<i64>, now_ms: i64) -> bool {
    expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms)
}

fn link(key: String, row: &Row) -> Link {
    let &Row {
        creator,
        file,
        expires_ms,
        allow_download,
        created_ms,
        ..
    } = row;
    Link {
        key,
        creator,
        file,
        has_password: row.password_hash.is_some(),
        password_mark: row.password_hash.as_deref().map_or(0, mark),
        expires_ms,
        allow_download,
        created_ms,
    }
}

/// The beginning of the SHA-256 of a salted hash.
fn mark(password_hash: &str) -> u64 {
    let hash = secret::hash(password_hash);
    hash.first_chunk()
        .map_or(0, |first| u64::from_be_bytes(*first))
}

fn read(rows: &dyn Snapshot, hash: &SecretHash) -> Result<Option<Row>> {
    keys::read(rows, &link_key(hash), "link")
}

/// True when the link's row is the one that its creator's list leads to.
pub(super) fn is_listed(rows: &dyn Snapshot, hash: SecretHash, value: &[u8]) -> Result<bool> {
    let row: Row = row::decode("link", value)?;
    let listed = of_node(rows, row.creator, row.file)?;
    Ok(listed.is_some_and(|(key, _)| secret::hash(&key) == hash))
}

/// The creator's link to a node, with its key.
pub(super) fn of_node(
    rows: &dyn Snapshot,
    creator: AccountId,
    file: FileId,
) -> Result<Option<(String, Row)>> {
    let Some(key) = keys::read::<String>(rows, &creator_key(creator, file), "link key")? else {
        return Ok(None);
    };
    Ok(read(rows, &secret::hash(&key))?.map(|row| (key, row)))
}

fn own(rows: &dyn Snapshot, actor: Actor, key: &str) -> Result<Row> {
    let row = read(rows, &secret::hash(key))?.ok_or(Refusal::NotFound)?;
    if row.creator == actor.account {
        Ok(row)
    } else {
        Err(Refusal::NoPermission.into())
    }
}

fn remove(txn: &mut dyn Transaction, key: &str, row: &Row) {
    txn.delete(link_key(&secret::hash(key)));
    txn.delete(creator_key(row.creator, row.file));
}

/// Removes all links of a removed account.
pub(super) fn forget(txn: &mut dyn Transaction, creator: AccountId) -> Result<()> {
    let start = keys::key(LINK, &[&[BY_CREATOR], &creator.0.to_be_bytes()]);
    for (at, key) in keys::prefixed(&*txn, &start)? {
        let key: String = row::decode("link key", &key)?;
        txn.delete(link_key(&secret::hash(&key)));
        txn.delete(at);
    }
    Ok(())
}

fn link_key(hash: &SecretHash) -> Vec<u8> {
    keys::key(LINK, &[&[BY_KEY], hash])
}

fn creator_key(creator: AccountId, file: FileId) -> Vec<u8> {
    keys::key(
        LINK,
        &[
            &[BY_CREATOR],
            &creator.0.to_be_bytes(),
            &file.0.to_be_bytes(),
        ],
    )
}
