//! What administrators do with people's accounts: `/2/firefly/admin/account/*`, and the same behind the command line.
//!
//! None of it says a file's or a folder's name: the administrator's role alone shows nobody's content.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use storage::meta::account::DEFAULT_TEAM;
use storage::meta::{
    Account, AccountChange, AccountId, InvitationId, InvitationPolicy, Meta, Purpose, Refusal,
    Token, TokenKind,
};

use super::admin::OperationFailure;
use crate::frame::stamp::Stamp;

/// How long a one-time link is good, milliseconds: 7 days.
pub const LINK_MS: i64 = 7 * 24 * 3600 * 1000;
/// Accounts on a page.
const MAX_PAGE: usize = storage::meta::account::MAX_PAGE;

/// All policies.
const POLICIES: [InvitationPolicy; 3] = [
    InvitationPolicy::Everybody,
    InvitationPolicy::Approval,
    InvitationPolicy::Admins,
];

type Done = Result<Value, OperationFailure>;

/// Whom it is about.
#[derive(Deserialize)]
struct Whom {
    email: Option<String>,
    account_id: Option<String>,
}

#[derive(Deserialize)]
struct ListArg {
    cursor: Option<String>,
    limit: Option<usize>,
    query: Option<String>,
}

#[derive(Deserialize)]
struct NewArg {
    email: String,
    name: Option<String>,
    is_admin: Option<bool>,
    quota: Option<u64>,
}

#[derive(Deserialize)]
struct SuspendArg {
    #[serde(flatten)]
    whom: Whom,
    suspended: bool,
}

#[derive(Deserialize)]
struct QuotaArg {
    #[serde(flatten)]
    whom: Whom,
    quota: u64,
}

#[derive(Deserialize)]
struct AdminArg {
    #[serde(flatten)]
    whom: Whom,
    is_admin: bool,
}

#[derive(Deserialize)]
struct RenameArg {
    #[serde(flatten)]
    whom: Whom,
    name: String,
}

#[derive(Deserialize)]
struct HandOverArg {
    #[serde(flatten)]
    whom: Whom,
    to: String,
    folder: Option<String>,
}

#[derive(Deserialize)]
struct TeamArg {
    invitations: String,
}

#[derive(Deserialize)]
struct InvitationArg {
    invitation_id: String,
}

/// What people's operations stand on.
pub struct People<'a> {
    /// The accounts.
    pub meta: &'a Meta,
    /// Where links start.
    pub public_url: &'a str,
}

impl People<'_> {
    /// Runs an operation by its name (`account/suspend`); `None` when it is none of people's. Blocks.
    pub fn call(&self, operation: &str, argument: Value) -> Option<Done> {
        Some(match operation {
            "account/list" => self.list(argument),
            "account/create" => self.create(argument),
            "account/invite" => self.invite(argument),
            "account/withdraw" => self.withdraw(argument),
            "account/suspend" => self.suspend(argument),
            "account/reset_password" => self.reset_password(argument),
            "account/reset_two_factor" => self.reset_two_factor(argument),
            "account/set_quota" => self.set_quota(argument),
            "account/set_admin" => self.set_admin(argument),
            "account/rename" => self.rename(argument),
            "account/hand_over" => self.hand_over(argument),
            "account/delete" => self.delete(argument),
            "team/get" => self.team(),
            "team/set" => self.set_team(argument),
            "invitations/list" => self.invitations(),
            "invitations/approve" => self.approve(argument),
            "invitations/withdraw" => self.refuse(argument),
            _ => return None,
        })
    }

    /// A one-time link with which an account's password is set; those before it end.
    pub fn one_time_link(&self, account: AccountId) -> storage::Result<Value> {
        for token in self.open_links(account)? {
            self.meta.revoke(account, token.id)?;
        }
        let expires_ms = self.meta.env().clock.now_ms() + LINK_MS;
        let kind = TokenKind::OneTime {
            purpose: Purpose::Claim,
        };
        let code = self
            .meta
            .create_token(account, kind, "invitation", Some(expires_ms))?;
        let url = format!("{}/welcome#{}", self.public_url, code.expose());
        Ok(json!({ "invite_url": url, "expires": Stamp(expires_ms) }))
    }

    fn list(&self, argument: Value) -> Done {
        let arg: ListArg = read(argument)?;
        let after = match arg.cursor.as_deref().map(AccountId::parse) {
            Some(None) => return Err(OperationFailure::Refused("invalid_cursor".into())),
            after => after.flatten(),
        };
        let limit = arg.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
        let page = self.meta.accounts(after, limit).map_err(failed)?;
        let wanted = arg.query.unwrap_or_default().to_lowercase();
        let fits = |account: &&Account| {
            [&account.email, &account.name]
                .iter()
                .any(|text| text.to_lowercase().contains(&wanted))
        };
        let shown = page.iter().filter(fits).map(|account| self.shape(account));
        let shown = shown.collect::<storage::Result<Vec<_>>>().map_err(failed)?;
        let mut answer = json!({ "accounts": shown });
        if let Some(last) = page.last().filter(|_| page.len() == limit) {
            answer["cursor"] = json!(last.id.to_string());
        }
        Ok(answer)
    }

    fn shape(&self, account: &Account) -> storage::Result<Value> {
        let usage = self.meta.space_used(account.id)?;
        let link = self.open_links(account.id)?.pop();
        let expires = link
            .and_then(|link| link.expires_ms)
            .map(|at_ms| json!({ "expires": Stamp(at_ms) }));
        Ok(json!({
            "account_id": account.id.to_string(),
            "email": account.email,
            "name": account.name,
            "state": state(account),
            "is_admin": account.is_admin,
            "is_suspended": account.disabled,
            "created": Stamp(account.created_ms),
            "last_seen": self.meta.last_seen(account.id)?.map(Stamp),
            "used": usage.used,
            "quota": account.quota_bytes,
            "two_factor": self.meta.second_factor(account.id)?.is_some(),
            "groups": self.meta.groups_of(account.id)?.len(),
            "invitation": expires,
        }))
    }

    fn create(&self, argument: Value) -> Done {
        let new: NewArg = read(argument)?;
        let account = self.make(&new)?;
        let token =
            self.meta
                .create_token(account.id, TokenKind::Bearer, "made with the account", None);
        let mut made = self.one_time_link(account.id).map_err(failed)?;
        made["account_id"] = json!(account.id.to_string());
        made["token"] = json!(token.map_err(failed)?.expose());
        Ok(made)
    }

    /// Makes the account, if there is none with the address yet, and a link for it.
    fn invite(&self, argument: Value) -> Done {
        let new: NewArg = read(argument)?;
        let known = self.meta.account_by_email(&new.email).map_err(failed)?;
        let account = match known {
            Some(account) if account.disabled => {
                return Err(OperationFailure::Refused("suspended".into()));
            }
            Some(account) => account,
            None => self.make(&new)?,
        };
        let mut made = self.one_time_link(account.id).map_err(failed)?;
        made["account_id"] = json!(account.id.to_string());
        Ok(made)
    }

    fn make(&self, new: &NewArg) -> Result<Account, OperationFailure> {
        let name = new.name.as_deref().unwrap_or_default();
        let is_admin = new.is_admin.unwrap_or(false);
        let account = self
            .meta
            .create_account(&new.email, name, is_admin)
            .map_err(failed)?;
        match new.quota {
            Some(quota) => self.change(
                account.id,
                AccountChange {
                    quota_bytes: Some(quota),
                    ..AccountChange::default()
                },
            ),
            None => Ok(account),
        }
    }

    /// An account whose invitation nobody has taken goes.
    fn withdraw(&self, argument: Value) -> Done {
        let account = self.whom(&read(argument)?)?;
        if state(&account) != "invited" {
            return Err(OperationFailure::Refused("not_invited".into()));
        }
        self.set_disabled(account.id, true)?;
        match self.meta.delete_account(account.id) {
            Ok(()) => Ok(json!({})),
            Err(error) => {
                self.set_disabled(account.id, false)?;
                Err(failed(error))
            }
        }
    }

    fn suspend(&self, argument: Value) -> Done {
        let arg: SuspendArg = read(argument)?;
        self.set_disabled(self.whom(&arg.whom)?.id, arg.suspended)
    }

    fn reset_password(&self, argument: Value) -> Done {
        let account = self.whom(&read(argument)?)?;
        self.one_time_link(account.id).map_err(failed)
    }

    fn reset_two_factor(&self, argument: Value) -> Done {
        let account = self.whom(&read(argument)?)?;
        self.meta.remove_second_factor(account.id).map_err(failed)?;
        Ok(json!({}))
    }

    fn set_quota(&self, argument: Value) -> Done {
        let arg: QuotaArg = read(argument)?;
        let quota_bytes = Some(arg.quota);
        let change = AccountChange {
            quota_bytes,
            ..AccountChange::default()
        };
        self.change(self.whom(&arg.whom)?.id, change)
            .map(|_| json!({}))
    }

    fn set_admin(&self, argument: Value) -> Done {
        let arg: AdminArg = read(argument)?;
        let is_admin = Some(arg.is_admin);
        let change = AccountChange {
            is_admin,
            ..AccountChange::default()
        };
        self.change(self.whom(&arg.whom)?.id, change)
            .map(|_| json!({}))
    }

    fn rename(&self, argument: Value) -> Done {
        let arg: RenameArg = read(argument)?;
        let name = Some(arg.name);
        let change = AccountChange {
            name,
            ..AccountChange::default()
        };
        self.change(self.whom(&arg.whom)?.id, change)
            .map(|_| json!({}))
    }

    fn hand_over(&self, argument: Value) -> Done {
        let arg: HandOverArg = read(argument)?;
        let leaver = self.whom(&arg.whom)?;
        let is_id = arg.to.starts_with("dbid:");
        let heir = Whom {
            email: Some(arg.to.clone()).filter(|_| !is_id),
            account_id: Some(arg.to).filter(|_| is_id),
        };
        let heir = self.whom(&heir)?;
        let folder = arg
            .folder
            .unwrap_or_else(|| format!("Files of {}", leaver.name.replace('/', "_")));
        let done = self
            .meta
            .hand_over(leaver.id, heir.id, &folder)
            .map_err(failed)?;
        Ok(
            json!({ "folder": done.folder, "bytes": done.bytes, "shared_folders": done.shared_folders }),
        )
    }

    fn delete(&self, argument: Value) -> Done {
        let account = self.whom(&read(argument)?)?;
        self.meta.delete_account(account.id).map_err(failed)?;
        Ok(json!({}))
    }

    fn team(&self) -> Done {
        let policy = self.meta.invitation_policy(DEFAULT_TEAM).map_err(failed)?;
        Ok(json!({ "invitations": policy_name(policy) }))
    }

    fn set_team(&self, argument: Value) -> Done {
        let arg: TeamArg = read(argument)?;
        let policy = POLICIES
            .iter()
            .find(|policy| policy_name(**policy) == arg.invitations);
        let Some(policy) = policy else {
            let text = "invitations: everybody, approval or admins";
            return Err(OperationFailure::BadArgument(text.into()));
        };
        self.meta
            .set_invitation_policy(DEFAULT_TEAM, *policy)
            .map_err(failed)?;
        self.team()
    }

    /// Pending invitations to shared folders: of whom by whom, and not to which.
    fn invitations(&self) -> Done {
        let found = self
            .meta
            .invitations_of_team(DEFAULT_TEAM)
            .map_err(failed)?;
        let mut shown = Vec::new();
        for invitation in found {
            let by = self.meta.account(invitation.by).map_err(failed)?;
            shown.push(json!({
                "invitation_id": invitation.id.to_string(),
                "email": invitation.email,
                "invited_by": by.map(|by| json!({ "account_id": by.id.to_string(), "name": by.name, "email": by.email })),
                "created": Stamp(invitation.created_ms),
                "expires": Stamp(invitation.expires_ms),
                "state": if invitation.is_approved { "pending" } else { "awaiting_approval" },
            }));
        }
        Ok(json!({ "invitations": shown }))
    }

    fn approve(&self, argument: Value) -> Done {
        let id = invitation(argument)?;
        self.meta
            .approve_invitation(DEFAULT_TEAM, id)
            .map_err(failed)?;
        Ok(json!({}))
    }

    fn refuse(&self, argument: Value) -> Done {
        let id = invitation(argument)?;
        self.meta
            .refuse_invitation(DEFAULT_TEAM, id)
            .map_err(failed)?;
        Ok(json!({}))
    }

    fn set_disabled(&self, account: AccountId, disabled: bool) -> Done {
        let disabled = Some(disabled);
        let change = AccountChange {
            disabled,
            ..AccountChange::default()
        };
        self.change(account, change).map(|_| json!({}))
    }

    fn change(
        &self,
        account: AccountId,
        change: AccountChange,
    ) -> Result<Account, OperationFailure> {
        self.meta.change_account(account, change).map_err(failed)
    }

    fn whom(&self, whom: &Whom) -> Result<Account, OperationFailure> {
        let found = match (&whom.account_id, &whom.email) {
            (Some(id), _) => AccountId::parse(id).map_or(Ok(None), |id| self.meta.account(id)),
            (None, Some(email)) => self.meta.account_by_email(email),
            (None, None) => {
                return Err(OperationFailure::BadArgument(
                    "email or account_id is missing".into(),
                ));
            }
        };
        found
            .map_err(failed)?
            .ok_or_else(|| OperationFailure::Refused("not_found".into()))
    }

    /// Links that set the account's password, still good.
    fn open_links(&self, account: AccountId) -> storage::Result<Vec<Token>> {
        let now_ms = self.meta.env().clock.now_ms();
        let is_open = |token: &Token| {
            let is_claim = matches!(
                &token.kind,
                TokenKind::OneTime {
                    purpose: Purpose::Claim
                }
            );
            is_claim && !token.is_expired(now_ms)
        };
        let mut tokens = self.meta.tokens(account)?;
        tokens.retain(is_open);
        Ok(tokens)
    }
}

/// A policy's name outside.
pub fn policy_name(policy: InvitationPolicy) -> &'static str {
    match policy {
        InvitationPolicy::Everybody => "everybody",
        InvitationPolicy::Approval => "approval",
        InvitationPolicy::Admins => "admins",
    }
}

fn invitation(argument: Value) -> Result<InvitationId, OperationFailure> {
    let arg: InvitationArg = read(argument)?;
    let id = InvitationId::parse(&arg.invitation_id);
    id.ok_or_else(|| OperationFailure::Refused("not_found".into()))
}

/// Whether somebody is there yet, or no more.
fn state(account: &Account) -> &'static str {
    match account {
        account if account.disabled => "suspended",
        account if account.password_hash.is_none() => "invited",
        _ => "active",
    }
}

fn read<T: DeserializeOwned>(argument: Value) -> Result<T, OperationFailure> {
    serde_json::from_value(argument)
        .map_err(|error| OperationFailure::BadArgument(error.to_string()))
}

fn failed(error: storage::Error) -> OperationFailure {
    let storage::Error::Refused(refusal) = &error else {
        return OperationFailure::Failed(error.to_string());
    };
    let tag = match refusal {
        Refusal::EmailTaken => "email_taken",
        Refusal::InvalidEmail => "invalid_email",
        Refusal::LastAdmin => "last_admin",
        Refusal::NotSuspended => "not_suspended",
        Refusal::HasFiles => "has_files",
        Refusal::SameAccount => "same_account",
        Refusal::InsufficientSpace => "insufficient_space",
        Refusal::TooManyMembers => "too_many_members",
        Refusal::NotFound => "not_found",
        Refusal::NoFactor => "not_enabled",
        other => return OperationFailure::BadArgument(other.to_string()),
    };
    OperationFailure::Refused(tag.into())
}
