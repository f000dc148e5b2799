//! `/2/firefly/account/change_password`: a new password for who knows the old one; other browsers are signed out.

use std::time::Instant;

use axum::extract::State;
use serde::Deserialize;
use storage::meta::AuditAction;

use super::session::{PER_ACCOUNT, end_sessions, password};
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
    let key = format!("account {}", caller.account.email.to_lowercase());
    let taken = app.limiter().take(&key, PER_ACCOUNT, Instant::now());
    taken.map_err(|wait_s| Failure::TooMany("too_many_requests", wait_s))?;
    let changed = app.blocking(move |app| {
        let (meta, email) = (app.meta(), &caller.account.email);
        let known = meta
            .verify_password(email, &arg.old_password)
            .map_err(Failure::from_storage)?;
        known.ok_or_else(|| Failure::tag("invalid_credentials"))?;
        meta.set_password(caller.id(), &arg.new_password)
            .map_err(password)?;
        end_sessions(app, caller.id(), Some(caller.token_id())).map_err(Failure::from_storage)?;
        app.record(&caller, AuditAction::PasswordSet, email.clone())
    });
    changed.await??;
    app.limiter().forget(&key);
    Ok(Reply(()))
}
