//! Accounts: people who sign in, each with a root namespace of their own.
//!
//! Rows: `ACCOUNT ++ 0 ++ id` -> [`Account`]; `ACCOUNT ++ 1 ++ folded e-mail` -> id; `ACCOUNT ++ 2 ++ id` ->
//! when it was last seen. An e-mail is unique in its folded form.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::ids::{AccountId, NamespaceId, TeamId};
use super::node::Actor;
use super::tree::edit;
use super::{Meta, Refusal, email, keys, namespace, password, quota, secret};
use crate::error::{Error, Result};
use crate::keyspace::ACCOUNT;
use crate::kv::{Snapshot, Transaction};
use crate::row;

const BY_ID: u8 = 0;
const BY_EMAIL: u8 = 1;
const SEEN: u8 = 2;
/// The team that an instance's accounts belong to unless told otherwise.
pub const DEFAULT_TEAM: TeamId = TeamId(1);
/// What an account may store unless told otherwise, bytes: 2 TiB.
pub const DEFAULT_QUOTA_BYTES: u64 = 2 << 40;
/// Most accounts listed at once.
pub const MAX_PAGE: usize = 1000;
/// Most characters kept of a name.
const MAX_NAME_CHARS: usize = 200;

/// A person's account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id, random.
    pub id: AccountId,
    /// The address as it was given.
    pub email: String,
    /// The name that others see.
    pub name: String,
    /// May do everything to the service.
    pub is_admin: bool,
    /// Its root namespace.
    pub root: NamespaceId,
    /// Argon2id, as a PHC string; `None` until a password is set.
    pub password_hash: Option<String>,
    /// What it may store, bytes.
    pub quota_bytes: u64,
    /// Authenticates nowhere.
    pub disabled: bool,
    /// The team it belongs to.
    pub team: Option<TeamId>,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

impl Account {
    fn administers(&self) -> bool {
        self.is_admin && !self.disabled
    }

    /// The account, acting in its own root.
    pub fn actor(&self) -> Actor {
        Actor {
            account: self.id,
            root: self.root,
        }
    }
}

/// What [`Meta::change_account`] changes; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The name that others see.
    pub name: Option<String>,
    /// May do everything to the service.
    pub is_admin: Option<bool>,
    /// What it may store, bytes. May be below what it stores: then it only shrinks.
    pub quota_bytes: Option<u64>,
    /// Authenticates nowhere.
    pub disabled: Option<bool>,
    /// The team it belongs to.
    pub team: Option<Option<TeamId>>,
}

/// An account that is about to be made, with a root namespace of its own.
pub(super) struct NewAccount {
    pub(super) account: Account,
    folded: String,
}

impl NewAccount {
    /// Draws its ids. Takes a commit of its own, for the namespace's number.
    pub(super) fn draw(meta: &Meta, email: &str, name: &str, is_admin: bool) -> Result<NewAccount> {
        let folded = email::fold(email)?;
        let name = if name.trim().is_empty() {
            email.split('@').next().unwrap_or(email)
        } else {
            name.trim()
        };
        let account = Account {
            id: AccountId(meta.random_id()),
            email: email.nfc().collect(),
            name: cut(name),
            is_admin,
            root: namespace::allocate(&**meta.store())?,
            password_hash: None,
            quota_bytes: meta.options().default_quota_bytes,
            disabled: false,
            team: Some(DEFAULT_TEAM),
            created_ms: meta.now_ms(),
        };
        Ok(NewAccount { account, folded })
    }

    /// The same, which has a password.
    pub(super) fn with_password(mut self, hash: String) -> NewAccount {
        self.account.password_hash = Some(hash);
        self
    }

    /// Writes its rows; `EmailTaken` where the address has an account.
    pub(super) fn insert(&self, meta: &Meta, txn: &mut dyn Transaction) -> Result<()> {
        let (account, by_email) = (&self.account, email_key(&self.folded));
        if txn.get(&by_email)?.is_some() {
            return Err(Refusal::EmailTaken.into());
        }
        if read_account(&*txn, account.id)?.is_some() {
            return Err(Error::Engine(format!("{} was drawn twice", account.id)));
        }
        txn.put(by_email, account.id.0.to_be_bytes().to_vec().into());
        put_account(txn, account)?;
        edit::make_home(txn, meta.env(), account.root, account.id, account.team).map(drop)
    }
}

impl AccountChange {
    fn applied_to(self, account: Account) -> Account {
        let name = self.name.filter(|name| !name.trim().is_empty());
        Account {
            name: name.map_or_else(|| account.name.clone(), |name| cut(name.trim())),
            is_admin: self.is_admin.unwrap_or(account.is_admin),
            quota_bytes: self
                .quota_bytes
                .unwrap_or(account.quota_bytes)
                .min(i64::MAX.unsigned_abs()),
            disabled: self.disabled.unwrap_or(account.disabled),
            team: self.team.unwrap_or(account.team),
            ..account
        }
    }
}

impl Meta {
    /// Makes an account with its root namespace, in team [`DEFAULT_TEAM`] and with the store's default quota. Refused as
    /// `InvalidEmail` or `EmailTaken`. An empty name becomes the part of the address before the `@`.
    pub fn create_account(&self, email: &str, name: &str, is_admin: bool) -> Result<Account> {
        let new = NewAccount::draw(self, email, name, is_admin)?;
        self.transact(|txn| new.insert(self, txn))?;
        Ok(new.account)
    }

    /// The account with this id.
    pub fn account(&self, id: AccountId) -> Result<Option<Account>> {
        read_account(&*self.store().snapshot()?, id)
    }

    /// The account with this address, however it is capitalised; `None` also for what is no address.
    pub fn account_by_email(&self, email: &str) -> Result<Option<Account>> {
        let Ok(folded) = email::fold(email) else {
            return Ok(None);
        };
        let snapshot = self.store().snapshot()?;
        let Some(bytes) = snapshot.get(&email_key(&folded))? else {
            return Ok(None);
        };
        read_account(
            &*snapshot,
            AccountId(row::u64_at("account by e-mail", &bytes, 0)?),
        )
    }

    /// Accounts in the order of their ids, after `after`, at most `limit` and never more than [`MAX_PAGE`].
    pub fn accounts(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<Account>> {
        let Some(first) = after.map_or(Some(0), |id| id.0.checked_add(1)) else {
            return Ok(Vec::new());
        };
        let (start, end) = (account_key(AccountId(first)), vec![ACCOUNT, BY_ID + 1]);
        let rows = self
            .store()
            .snapshot()?
            .range(&start, &end, false, limit.min(MAX_PAGE))?;
        rows.iter()
            .map(|(_, value)| row::decode("account", value))
            .collect()
    }

    /// Changes an account and returns it as it is now. A disabled account's tokens stop working at once. Refused as `LastAdmin` when
    /// nobody would be left who administers.
    pub fn change_account(&self, id: AccountId, change: AccountChange) -> Result<Account> {
        let account = self.transact(|txn| {
            let before = read_account(&*txn, id)?.ok_or(Refusal::NotFound)?;
            let account = change.clone().applied_to(before.clone());
            if before.administers() && !account.administers() && !has_other_admin(&*txn, id)? {
                return Err(Refusal::LastAdmin.into());
            }
            put_account(txn, &account)?;
            Ok(account)
        })?;
        self.token_cache().forget(id);
        Ok(account)
    }

    /// Sets what the account may store, bytes.
    pub fn set_quota(&self, id: AccountId, quota_bytes: u64) -> Result<()> {
        self.change_account(
            id,
            AccountChange {
                quota_bytes: Some(quota_bytes),
                ..AccountChange::default()
            },
        )
        .map(drop)
    }

    /// Sets the account's password. Refused as `WeakPassword`. Tokens and sessions stay: see [`Meta::revoke_all`].
    pub fn set_password(&self, id: AccountId, password: &str) -> Result<()> {
        let account = self.account(id)?.ok_or(Refusal::NotFound)?;
        let hash = self.password_hash(&account.email, password)?;
        self.update_account(id, |account| account.password_hash = Some(hash.clone()))
            .map(drop)
    }

    /// What is stored of a password; `WeakPassword` when it is refused for this address.
    pub(super) fn password_hash(&self, email: &str, password: &str) -> Result<String> {
        password::check_strength(email, password)?;
        let salt = secret::bytes::<16>(self.random());
        password::hash(password, &salt, self.options().password_cost)
    }

    /// The account, if the password is its own and it is not disabled. The work done is the same for unknown addresses.
    pub fn verify_password(&self, email: &str, password: &str) -> Result<Option<Account>> {
        let account = self.account_by_email(email)?;
        let stored = account
            .as_ref()
            .and_then(|account| account.password_hash.as_deref());
        let fits = password::verify(password, stored, self.options().password_cost)?;
        Ok(account.filter(|account| fits && !account.disabled))
    }

    fn update_account(&self, id: AccountId, change: impl Fn(&mut Account)) -> Result<Account> {
        self.transact(|txn| {
            let mut account = read_account(&*txn, id)?.ok_or(Refusal::NotFound)?;
            change(&mut account);
            put_account(txn, &account)?;
            Ok(account)
        })
    }
}

/// The account's row.
pub(crate) fn read_account(rows: &dyn Snapshot, id: AccountId) -> Result<Option<Account>> {
    keys::read(rows, &account_key(id), "account")
}

/// Whether somebody else administers.
fn has_other_admin(rows: &dyn Snapshot, id: AccountId) -> Result<bool> {
    let mut found = false;
    rows.scan(
        &account_key(AccountId(0)),
        &[ACCOUNT, BY_ID + 1],
        &mut |_, value| {
            let account: Account = row::decode("account", value)?;
            found = account.id != id && account.administers();
            Ok(!found)
        },
    )?;
    Ok(found)
}

/// Removes the account's own rows.
pub(super) fn remove_account(txn: &mut dyn Transaction, account: &Account) -> Result<()> {
    txn.delete(account_key(account.id));
    txn.delete(email_key(&email::fold(&account.email)?));
    txn.delete(seen_key(account.id));
    quota::set_limit(txn, account.id, None);
    Ok(())
}

/// When the account was last seen, to the minute: `ACCOUNT 2 id` -> milliseconds.
pub(super) fn seen_key(id: AccountId) -> Vec<u8> {
    keys::key(ACCOUNT, &[&[SEEN], &id.0.to_be_bytes()])
}

/// Writes the account's row and the limit that its uploads are charged against.
pub(super) fn put_account(txn: &mut dyn Transaction, account: &Account) -> Result<()> {
    quota::set_limit(txn, account.id, Some(account.quota_bytes));
    keys::write(txn, account_key(account.id), account)
}

fn account_key(id: AccountId) -> Vec<u8> {
    keys::key(ACCOUNT, &[&[BY_ID], &id.0.to_be_bytes()])
}

pub(super) fn email_key(folded: &str) -> Vec<u8> {
    keys::key(ACCOUNT, &[&[BY_EMAIL], folded.as_bytes()])
}

fn cut(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME_CHARS)
        .collect()
}
