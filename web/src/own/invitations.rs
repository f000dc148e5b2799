//! `/2/firefly/invitations/*`: inviting people without an account to a shared folder. No mail is sent: the link is shown once, to who
//! invites.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::account::DEFAULT_TEAM;
use storage::meta::invitation::{Invitation, Invited};
use storage::meta::{Address, AuditAction, InvitationId, Refusal};

use super::people::policy_name;
use super::session::{From, PER_ADDRESS, limit, log, open, password};
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::device::Device;
use crate::frame::limiter::network;
use crate::frame::reply::Answer;
use crate::frame::stamp::Stamp;
use crate::frame::{Arg, Failure, Reply, StrangerArg, Union, Void};
use crate::sharing::error::{access, add, namespace};
use crate::sharing::shape::{access_level, role};

/// Whom, to what, as what.
#[derive(Deserialize)]
pub struct CreateArg {
    shared_folder_id: String,
    email: String,
    access_level: Union,
}

/// Which folder's.
#[derive(Deserialize)]
pub struct ListArg {
    shared_folder_id: String,
}

/// Which invitation.
#[derive(Deserialize)]
pub struct WhichArg {
    invitation_id: String,
}

/// A link's code.
#[derive(Deserialize)]
pub struct CodeArg {
    code: String,
}

/// A link's code, and what the new account needs.
#[derive(Deserialize)]
pub struct ClaimArg {
    code: String,
    password: String,
    #[serde(default)]
    name: String,
}

/// Who may invite people without an account.
pub async fn team(State(app): State<App>, caller: Caller, _: Void) -> Answer<Value> {
    let team = caller.account.team.unwrap_or(DEFAULT_TEAM);
    let policy = app
        .blocking(move |app| app.meta().invitation_policy(team))
        .await?;
    let policy = policy.map_err(Failure::from_storage)?;
    Ok(Reply(json!({ "invitations": policy_name(policy) })))
}

/// Invites an address: at once where it has an account, else by a link.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<CreateArg>,
) -> Answer<Value> {
    let (ns, role) = (
        namespace(&arg.shared_folder_id)?,
        role(&arg.access_level.tag)?,
    );
    let invited = app.blocking(move |app| {
        let invited = app.meta().invite(caller.actor(), ns, &arg.email, role);
        let subject = |whom: &str| format!("{ns}: {whom} as {}", arg.access_level.tag);
        match invited.map_err(refused)? {
            Invited::Member(account) => {
                app.record(
                    &caller,
                    AuditAction::MemberAdded,
                    subject(&account.to_string()),
                )?;
                Ok(json!({ "state": "member", "account_id": account.to_string() }))
            }
            Invited::Pending(invitation, code) => {
                app.record(
                    &caller,
                    AuditAction::InvitationCreated,
                    subject(&invitation.email),
                )?;
                Ok(json!({
                    "state": state(&invitation),
                    "invitation": shape(app, &invitation)?,
                    "url": format!("{}/invitation#{}", app.settings().public_url, code.expose()),
                }))
            }
        }
    });
    invited.await?.map(Reply)
}

/// A folder's invitations that may still be accepted.
pub async fn list(State(app): State<App>, caller: Caller, Arg(arg): Arg<ListArg>) -> Answer<Value> {
    let ns = namespace(&arg.shared_folder_id)?;
    let listed = app.blocking(move |app| {
        let found = app
            .meta()
            .invitations(caller.actor(), ns)
            .map_err(refused)?;
        let shapes = found.iter().map(|invitation| shape(app, invitation));
        Ok(json!({ "invitations": shapes.collect::<Result<Vec<_>, Failure>>()? }))
    });
    listed.await?.map(Reply)
}

/// Takes an invitation back.
pub async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<WhichArg>,
) -> Answer<()> {
    let id = InvitationId::parse(&arg.invitation_id).ok_or_else(|| Failure::tag("not_found"))?;
    let withdrawn = app.blocking(move |app| {
        let withdrawn = app.meta().withdraw_invitation(caller.actor(), id);
        let invitation = withdrawn.map_err(|error| {
            Failure::shaped(error, |refusal| match refusal {
                Refusal::NotFound => Some(json!({ ".tag": "not_found" })),
                other => access(other),
            })
        })?;
        let subject = format!("{}: {}", invitation.ns, invitation.email);
        app.record(&caller, AuditAction::InvitationWithdrawn, subject)
    });
    withdrawn.await?.map(Reply)
}

/// What a link offers, for who holds it.
pub async fn look(
    State(app): State<App>,
    From(address): From,
    StrangerArg(arg): StrangerArg<CodeArg>,
) -> Answer<Value> {
    limit(&app, &format!("address {}", network(address)), PER_ADDRESS)?;
    let looked = app
        .blocking(move |app| app.meta().look_at_invitation(&arg.code))
        .await?;
    let offered = looked.map_err(by_code)?;
    Ok(Reply(json!({
        "email": offered.invitation.email,
        "folder": offered.folder,
        "invited_by": offered.by,
        "access_level": access_level(offered.invitation.role),
        "expires": Stamp(offered.invitation.expires_ms),
        "state": state(&offered.invitation),
        "has_account": offered.has_account,
    })))
}

/// Makes the caller a member by a link.
pub async fn accept(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<CodeArg>,
) -> Answer<Value> {
    let accepted = app.blocking(move |app| {
        let invitation = app
            .meta()
            .accept_invitation(&arg.code, caller.id())
            .map_err(by_code)?;
        let subject = format!("{}: {}", invitation.ns, invitation.email);
        app.record(&caller, AuditAction::InvitationAccepted, subject)?;
        let view = app
            .meta()
            .view(caller.id())
            .map_err(Failure::from_storage)?;
        let at = Address::Namespace(invitation.ns, Vec::new());
        let place = view.resolve(caller.root, &at).map_err(by_code)?;
        Ok(json!({
            "shared_folder_id": invitation.ns.to_string(),
            "path_display": place.path_display,
        }))
    });
    accepted.await?.map(Reply)
}

/// Makes an account with the invited address, and signs it in.
pub async fn claim(
    State(app): State<App>,
    From(address): From,
    Device(device): Device,
    StrangerArg(arg): StrangerArg<ClaimArg>,
) -> Result<Response, Failure> {
    limit(&app, &format!("address {}", network(address)), PER_ADDRESS)?;
    let claimed = app.blocking(move |app| {
        let claimed = app
            .meta()
            .claim_invitation(&arg.code, &arg.name, &arg.password);
        let (account, invitation) = claimed.map_err(by_code)?;
        let subject = format!("{}: {}", invitation.ns, invitation.email);
        for (action, subject) in [
            (AuditAction::AccountCreated, invitation.email),
            (AuditAction::InvitationAccepted, subject),
        ] {
            log(app, Some(&account), action, subject, address)?;
        }
        open(app, account, address, &device)
    });
    claimed.await?
}

fn shape(app: &App, invitation: &Invitation) -> Result<Value, Failure> {
    let by = app
        .meta()
        .account(invitation.by)
        .map_err(Failure::from_storage)?;
    Ok(json!({
        "invitation_id": invitation.id.to_string(),
        "shared_folder_id": invitation.ns.to_string(),
        "email": invitation.email,
        "access_level": access_level(invitation.role),
        "state": state(invitation),
        "invited_by": by.map(|by| json!({ "account_id": by.id.to_string(), "name": by.name, "email": by.email })),
        "created": Stamp(invitation.created_ms),
        "expires": Stamp(invitation.expires_ms),
    }))
}

fn state(invitation: &Invitation) -> &'static str {
    match invitation.is_approved {
        true => "pending",
        false => "awaiting_approval",
    }
}

fn refused(error: storage::Error) -> Failure {
    Failure::shaped(error, |refusal| match refusal {
        Refusal::InvalidEmail => Some(json!({ ".tag": "invalid_email" })),
        Refusal::AdminsOnly => Some(json!({ ".tag": "admins_only" })),
        Refusal::TooManyInvitations => Some(json!({ ".tag": "too_many_invitations" })),
        other => add(other),
    })
}

/// Why a link is not good, or what came with it is not.
fn by_code(error: storage::Error) -> Failure {
    let tag = match &error {
        storage::Error::Refused(Refusal::NotFound) => "invalid_code",
        storage::Error::Refused(Refusal::AwaitingApproval) => "awaiting_approval",
        storage::Error::Refused(Refusal::EmailTaken) => "email_taken",
        storage::Error::Refused(Refusal::TooManyMembers) => "too_many_members",
        _ => return password(error),
    };
    Failure::tag(tag)
}
