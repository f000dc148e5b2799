//! `/2/firefly/two_factor/*`: setting the second factor up and taking it away, by its owner.

use axum::extract::State;
use qrcodegen::{QrCode, QrCodeEcc};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::second_factor::{DIGITS, STEP_S};
use storage::meta::{AuditAction, Refusal};

use super::challenge::{attempt, factor_key, refused, take_code};
use super::password::check_password;
use super::session::end_sessions;
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::stamp::Stamp;
use crate::frame::{Arg, Failure, Reply, Void};
use crate::page::html::encode;

/// Who issues the codes, as applications list it.
const ISSUER: &str = "Firefly";
/// Light modules around a code that readers need.
const QUIET_MODULES: i32 = 4;

/// The account's password.
#[derive(Deserialize)]
pub struct PasswordArg {
    password: String,
}

/// A code of the application.
#[derive(Deserialize)]
pub struct CodeArg {
    code: String,
}

/// Both.
#[derive(Deserialize)]
pub struct BothArg {
    password: String,
    code: String,
}

/// Whether there is a second factor, since when, and how many recovery codes are left.
pub async fn status(State(app): State<App>, caller: Caller, _: Void) -> Answer<Value> {
    let account = caller.account.clone();
    let factor = app
        .blocking(move |app| app.meta().second_factor(account.id))
        .await?;
    let factor = factor.map_err(Failure::from_storage)?;
    Ok(Reply(json!({
        "enabled": factor.is_some(),
        "since": factor.map(|factor| Stamp(factor.since_ms)),
        "recovery_codes_left": factor.map_or(0, |factor| factor.recovery_codes_left),
        "password_set": caller.account.password_hash.is_some(),
    })))
}

/// Makes a secret, shown this once; codes are asked for only after [`confirm`].
pub async fn begin(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<PasswordArg>,
) -> Answer<Value> {
    let begun = app.blocking(move |app| {
        check_password(app, &caller, &arg.password)?;
        let made = app
            .meta()
            .begin_second_factor(caller.id(), app.blocks().keys());
        let secret = made.map_err(refused)?;
        let uri = uri(&caller.account.email, secret.expose());
        let picture = picture(&uri)?;
        Ok(json!({ "secret": secret.expose(), "uri": uri, "qr_svg": picture }))
    });
    begun.await?.map(Reply)
}

/// Takes the first code: from now on signing in asks for one. Other browsers are signed out.
pub async fn confirm(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<CodeArg>,
) -> Answer<Value> {
    let confirmed = app.blocking(move |app| {
        attempt(app, caller.id())?;
        let keys = app.blocks().keys();
        let codes = app
            .meta()
            .confirm_second_factor(caller.id(), keys, &arg.code);
        let codes = codes.map_err(|error| match error {
            storage::Error::Refused(Refusal::NoFactor) => Failure::tag("not_begun"),
            other => refused(other),
        })?;
        app.limiter().forget(&factor_key(caller.id()));
        end_sessions(app, caller.id(), Some(caller.token_id())).map_err(Failure::from_storage)?;
        app.record(
            &caller,
            AuditAction::SecondFactorSet,
            caller.account.email.clone(),
        )?;
        Ok(json!({ "recovery_codes": codes }))
    });
    confirmed.await?.map(Reply)
}

/// New recovery codes; the old ones end.
pub async fn recovery_codes(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<BothArg>,
) -> Answer<Value> {
    let renewed = app.blocking(move |app| {
        check_both(app, &caller, &arg)?;
        let codes = app
            .meta()
            .renew_recovery_codes(caller.id())
            .map_err(refused)?;
        app.record(&caller, AuditAction::SecondFactorSet, "recovery codes")?;
        Ok(json!({ "recovery_codes": codes }))
    });
    renewed.await?.map(Reply)
}

/// Takes the factor away.
pub async fn disable(State(app): State<App>, caller: Caller, Arg(arg): Arg<BothArg>) -> Answer<()> {
    let removed = app.blocking(move |app| {
        check_both(app, &caller, &arg)?;
        app.meta()
            .remove_second_factor(caller.id())
            .map_err(refused)?;
        app.record(
            &caller,
            AuditAction::SecondFactorRemoved,
            caller.account.email.clone(),
        )
    });
    removed.await?.map(Reply)
}

fn check_both(app: &App, caller: &Caller, arg: &BothArg) -> Result<(), Failure> {
    check_password(app, caller, &arg.password)?;
    take_code(app, &caller.account, &arg.code).map(drop)
}

/// What applications read: the format that all of them know.
fn uri(email: &str, secret: &str) -> String {
    format!(
        "otpauth://totp/{ISSUER}:{}?secret={secret}&issuer={ISSUER}&algorithm=SHA1&digits={DIGITS}&period={STEP_S}",
        encode(email)
    )
}

/// The address as a picture of one path: no script, no style, nothing of the text itself.
fn picture(uri: &str) -> Result<String, Failure> {
    let code = QrCode::encode_text(uri, QrCodeEcc::Medium);
    let code = code.map_err(|error| Failure::Internal(format!("a QR code: {error}")))?;
    let (mut path, side) = (String::new(), code.size() + 2 * QUIET_MODULES);
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|&x| code.get_module(x, y)) {
            path.push_str(&format!(
                "M{},{}h1v1h-1z",
                x + QUIET_MODULES,
                y + QUIET_MODULES
            ));
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0,0h{side}v{side}h-{side}z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}
