//! `/2/firefly/account/change_password`: a new password for who knows the old one; other browsers are signed out.

use axum::extract::State;
use serde::Deserialize;
use storage::meta::AuditAction;

use super::session::{PER_ACCOUNT, end_sessions, limit, password};
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// Both passwords.
#[derive(Deserialize)]
pub struct ChangeArg {
    old_password: String,
    new_password: String,
}

/// Sets the password. 409 `invalid_credentials`, `weak_password`; 429 after too many wrong ones.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ChangeArg>,
) -> Answer<()> {
    let changed = app.blocking(move |app| {
        check_password(app, &caller, &arg.old_password)?;
        let set = app.meta().set_password(caller.id(), &arg.new_password);
        set.map_err(password)?;
        end_sessions(app, caller.id(), Some(caller.token_id())).map_err(Failure::from_storage)?;
        app.record(
            &caller,
            AuditAction::PasswordSet,
            caller.account.email.clone(),
        )
    });
    changed.await?.map(Reply)
}

/// Refuses as `invalid_credentials` what is not the caller's password; a bounded number of times. Blocks.
pub fn check_password(app: &App, caller: &Caller, password: &str) -> Result<(), Failure> {
    let email = &caller.account.email;
    let key = format!("account {}", email.to_lowercase());
    limit(app, &key, PER_ACCOUNT)?;
    let known = app.meta().verify_password(email, password);
    if known.map_err(Failure::from_storage)?.is_none() {
        app.record(caller, AuditAction::SignInFailed, email.clone())?;
        return Err(Failure::tag("invalid_credentials"));
    }
    app.limiter().forget(&key);
    Ok(())
}
