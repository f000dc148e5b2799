//! Invitations to a shared folder for people who have no account: a link that makes one, or that somebody with an account
//! accepts.
//!
//! Rows, all under `INVITATION`: `0 id` -> invitation; `1 hash` -> id, by the SHA-256 of the link's code; `2 ns folded-e-mail` -> id.
//! An address has one invitation to a folder. It is good as long as who made it may change the folder's members.

use serde::{Deserialize, Serialize};

use super::account::{NewAccount, read_account};
use super::ids::{AccountId, InvitationId, NamespaceId, TeamId};
use super::keys::{self, NamespaceRow};
use super::member::{managed, member_of, no_second_owner};
use super::node::{Actor, Role};
use super::secret::{self, Secret, SecretHash};
use super::team::InvitationPolicy;
use super::{Account, Meta, Refusal, email};
use crate::error::{Error, Result};
use crate::keyspace::INVITATION;
use crate::kv::{Snapshot, Transaction};
use crate::row;

/// How long an invitation may be accepted, milliseconds: 14 days.
pub const LIFETIME_MS: i64 = 14 * 24 * 3600 * 1000;
/// Most invitations of a folder that wait.
pub const MAX_PENDING: usize = 200;
/// Most invitations of a team that are listed.
pub const MAX_LISTED: usize = 1000;
/// What a link's code starts with.
const PREFIX: &str = "ff_i_";

const BY_ID: u8 = 0;
const BY_HASH: u8 = 1;
const BY_EMAIL: u8 = 2;

/// An invitation that nobody has accepted yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Its id, random.
    pub id: InvitationId,
    /// To which shared folder.
    pub ns: NamespaceId,
    /// Of the folder's owner.
    pub team: Option<TeamId>,
    /// Whom, as it was typed.
    pub email: String,
    /// What the person may do in the folder.
    pub role: Role,
    /// Who made it.
    pub by: AccountId,
    /// When, milliseconds since 1970.
    pub created_ms: i64,
    /// From when on it is refused, milliseconds since 1970.
    pub expires_ms: i64,
    /// False while an administrator has to approve it.
    pub is_approved: bool,
    hash: SecretHash,
}

/// What inviting somebody came to.
#[derive(Debug)]
pub enum Invited {
    /// The address has an account: it is a member now.
    Member(AccountId),
    /// An invitation, and its link's code, shown once.
    Pending(Invitation, Secret),
}

/// An invitation as the holder of its link sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The invitation.
    pub invitation: Invitation,
    /// What the folder is called.
    pub folder: String,
    /// The name of who made it.
    pub by: String,
    /// Whether the address has an account.
    pub has_account: bool,
}

impl Meta {
    /// Invites an address to a shared folder; a second time gives a new role, a new link and a new end. Refused as [`Meta::add_member`],
    /// as `InvalidEmail`, `AdminsOnly` (by the team's policy), `TooManyInvitations`.
    pub fn invite(
        &self,
        actor: Actor,
        ns: NamespaceId,
        address: &str,
        role: Role,
    ) -> Result<Invited> {
        let folded = email::fold(address)?;
        if let Some(account) = self.account_by_email(address)? {
            self.add_member(actor, ns, account.id, role, true)?;
            return Ok(Invited::Member(account.id));
        }
        let code = Secret::draw::<32>(self.random(), PREFIX);
        let (id, now_ms) = (InvitationId(self.random_id()), self.now_ms());
        let invitation = self.transact(|txn| {
            let shared = managed(&*txn, actor.account, ns)?;
            no_second_owner(role)?;
            let is_approved = self.may_invite(&*txn, actor.account, &shared)?;
            self.make_room(txn, ns, &folded)?;
            let invitation = Invitation {
                id,
                ns,
                team: shared.team,
                email: address.trim().to_owned(),
                role,
                by: actor.account,
                created_ms: now_ms,
                expires_ms: now_ms + LIFETIME_MS,
                is_approved,
                hash: code.hash(),
            };
            put(txn, &invitation, &folded)?;
            Ok(invitation)
        })?;
        Ok(Invited::Pending(invitation, code))
    }

    /// The folder's invitations that may still be accepted; any member sees them.
    pub fn invitations(&self, actor: Actor, ns: NamespaceId) -> Result<Vec<Invitation>> {
        let rows = self.store().snapshot()?;
        member_of(&*rows, actor.account, ns)?;
        let mut found = Vec::new();
        for invitation in of_folder(&*rows, ns)? {
            let is_good = self.standing(&*rows, &invitation)?.is_some();
            found.extend(is_good.then_some(invitation));
        }
        Ok(found)
    }

    /// A team's invitations that may still be accepted, those that wait for approval first; at most [`MAX_LISTED`].
    pub fn invitations_of_team(&self, team: TeamId) -> Result<Vec<Invitation>> {
        let rows = self.store().snapshot()?;
        let mut found: Vec<Invitation> = Vec::new();
        for (_, value) in &keys::prefixed(&*rows, &[INVITATION, BY_ID])? {
            let invitation: Invitation = row::decode("invitation", value)?;
            if invitation.team == Some(team) && self.standing(&*rows, &invitation)?.is_some() {
                found.push(invitation);
            }
        }
        found.sort_by_key(|invitation| (invitation.is_approved, invitation.created_ms));
        found.truncate(MAX_LISTED);
        Ok(found)
    }

    /// Takes an invitation back: who may change the folder's members. Refused as `NotFound` or `NoPermission`.
    pub fn withdraw_invitation(&self, actor: Actor, id: InvitationId) -> Result<Invitation> {
        self.transact(|txn| {
            let invitation = read(&*txn, id)?.ok_or(Refusal::NotFound)?;
            managed(&*txn, actor.account, invitation.ns)?;
            remove(txn, &invitation)?;
            Ok(invitation)
        })
    }

    /// The same by an administrator of the team.
    pub fn refuse_invitation(&self, team: TeamId, id: InvitationId) -> Result<Invitation> {
        self.transact(|txn| {
            let invitation = of_team(&*txn, team, id)?;
            remove(txn, &invitation)?;
            Ok(invitation)
        })
    }

    /// An administrator of the team lets the link work. Refused as `NotFound`.
    pub fn approve_invitation(&self, team: TeamId, id: InvitationId) -> Result<Invitation> {
        self.transact(|txn| {
            let mut invitation = of_team(&*txn, team, id)?;
            invitation.is_approved = true;
            keys::write(txn, id_key(id), &invitation)?;
            Ok(invitation)
        })
    }

    /// What a link's code offers. Refused as `NotFound` when there is no such invitation, or it is good no more.
    pub fn look_at_invitation(&self, code: &str) -> Result<Offered> {
        let rows = self.store().snapshot()?;
        let (invitation, shared) = self.live(&*rows, code)?;
        let top = keys::get_node(&*rows, shared.root)?.ok_or(Refusal::NotFound)?;
        let by = read_account(&*rows, invitation.by)?.ok_or(Refusal::NotFound)?;
        let has_account = self.account_by_email(&invitation.email)?.is_some();
        Ok(Offered {
            invitation,
            folder: top.name,
            by: by.name,
            has_account,
        })
    }

    /// Makes an account a member by a link's code, which is used up. Refused as `NotFound`, `AwaitingApproval`, `TooManyMembers`.
    pub fn accept_invitation(&self, code: &str, account: AccountId) -> Result<Invitation> {
        self.transact(|txn| self.accept(txn, code, account))
    }

    /// Makes an account with the invited address and a password, and a member of it. Refused as [`Meta::accept_invitation`],
    /// `WeakPassword`, `EmailTaken`.
    pub fn claim_invitation(
        &self,
        code: &str,
        name: &str,
        password: &str,
    ) -> Result<(Account, Invitation)> {
        let offered = self.look_at_invitation(code)?.invitation;
        let hash = self.password_hash(&offered.email, password)?;
        let new = NewAccount::draw(self, &offered.email, name, false)?.with_password(hash);
        let accepted = self.transact(|txn| {
            new.insert(self, txn)?;
            self.accept(txn, code, new.account.id)
        })?;
        Ok((new.account, accepted))
    }

    fn accept(
        &self,
        txn: &mut dyn Transaction,
        code: &str,
        account: AccountId,
    ) -> Result<Invitation> {
        let (invitation, shared) = self.live(&*txn, code)?;
        if !invitation.is_approved {
            return Err(Refusal::AwaitingApproval.into());
        }
        self.admit(txn, invitation.ns, &shared, account, invitation.role, true)?;
        remove(txn, &invitation)?;
        Ok(invitation)
    }

    /// The invitation with this code and its folder, if it is good still.
    fn live(&self, rows: &dyn Snapshot, code: &str) -> Result<(Invitation, NamespaceRow)> {
        let id = rows
            .get(&hash_key(&secret::hash(code)))?
            .ok_or(Refusal::NotFound)?;
        let id = InvitationId(row::u64_at("invitation by code", &id, 0)?);
        let invitation = read(rows, id)?.ok_or(Refusal::NotFound)?;
        let shared = self.standing(rows, &invitation)?;
        Ok((invitation, shared.ok_or(Refusal::NotFound)?))
    }

    /// The folder of an invitation that is good still: its time is not over, and its maker may still change the members.
    fn standing(
        &self,
        rows: &dyn Snapshot,
        invitation: &Invitation,
    ) -> Result<Option<NamespaceRow>> {
        let by = read_account(rows, invitation.by)?.filter(|by| !by.disabled);
        if by.is_none() || invitation.expires_ms <= self.now_ms() {
            return Ok(None);
        }
        match managed(rows, invitation.by, invitation.ns) {
            Err(Error::Refused(_)) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Whether the account's invitations work at once; `AdminsOnly` where it may make none.
    fn may_invite(
        &self,
        rows: &dyn Snapshot,
        account: AccountId,
        shared: &NamespaceRow,
    ) -> Result<bool> {
        let is_admin = read_account(rows, account)?.is_some_and(|account| account.is_admin);
        if is_admin {
            return Ok(true);
        }
        match super::team::policy(rows, shared.team)? {
            InvitationPolicy::Everybody => Ok(true),
            InvitationPolicy::Approval => Ok(false),
            InvitationPolicy::Admins => Err(Refusal::AdminsOnly.into()),
        }
    }

    /// Removes what is over, and what the new one takes the place of; `TooManyInvitations` where there are too many still.
    fn make_room(&self, txn: &mut dyn Transaction, ns: NamespaceId, folded: &str) -> Result<()> {
        let mut kept = 0;
        for invitation in of_folder(&*txn, ns)? {
            let is_over = invitation.expires_ms <= self.now_ms();
            if is_over || email::fold(&invitation.email)? == folded {
                remove(txn, &invitation)?;
            } else {
                kept += 1;
            }
        }
        if kept >= MAX_PENDING {
            return Err(Refusal::TooManyInvitations.into());
        }
        Ok(())
    }
}

/// Removes all invitations of a folder that is shared no more.
pub(super) fn forget(txn: &mut dyn Transaction, ns: NamespaceId) -> Result<()> {
    for invitation in of_folder(&*txn, ns)? {
        remove(txn, &invitation)?;
    }
    Ok(())
}

/// Whether the code and the address lead to the invitation, for the check of a store.
pub(super) fn is_listed(rows: &dyn Snapshot, invitation: &Invitation) -> Result<bool> {
    let id = invitation.id.0.to_be_bytes();
    let folded = email::fold(&invitation.email)?;
    let by_hash = rows.get(&hash_key(&invitation.hash))?;
    let by_email = rows.get(&email_key(invitation.ns, &folded))?;
    Ok([by_hash, by_email]
        .iter()
        .all(|row| row.as_deref() == Some(&id[..])))
}

fn of_folder(rows: &dyn Snapshot, ns: NamespaceId) -> Result<Vec<Invitation>> {
    let start = keys::key(INVITATION, &[&[BY_EMAIL], &ns.0.to_be_bytes()]);
    let mut found = Vec::new();
    for (_, id) in keys::prefixed(rows, &start)? {
        found.extend(read(
            rows,
            InvitationId(row::u64_at("invitation", &id, 0)?),
        )?);
    }
    Ok(found)
}

fn of_team(rows: &dyn Snapshot, team: TeamId, id: InvitationId) -> Result<Invitation> {
    let found = read(rows, id)?.filter(|found| found.team == Some(team));
    found.ok_or_else(|| Refusal::NotFound.into())
}

fn read(rows: &dyn Snapshot, id: InvitationId) -> Result<Option<Invitation>> {
    keys::read(rows, &id_key(id), "invitation")
}

fn put(txn: &mut dyn Transaction, invitation: &Invitation, folded: &str) -> Result<()> {
    let id = invitation.id.0.to_be_bytes().to_vec();
    txn.put(hash_key(&invitation.hash), id.clone().into());
    txn.put(email_key(invitation.ns, folded), id.into());
    keys::write(txn, id_key(invitation.id), invitation)
}

fn remove(txn: &mut dyn Transaction, invitation: &Invitation) -> Result<()> {
    txn.delete(hash_key(&invitation.hash));
    txn.delete(email_key(invitation.ns, &email::fold(&invitation.email)?));
    txn.delete(id_key(invitation.id));
    Ok(())
}

fn id_key(id: InvitationId) -> Vec<u8> {
    keys::key(INVITATION, &[&[BY_ID], &id.0.to_be_bytes()])
}

fn hash_key(hash: &SecretHash) -> Vec<u8> {
    keys::key(INVITATION, &[&[BY_HASH], hash])
}

fn email_key(ns: NamespaceId, folded: &str) -> Vec<u8> {
    keys::key(
        INVITATION,
        &[&[BY_EMAIL], &ns.0.to_be_bytes(), folded.as_bytes()],
    )
}
