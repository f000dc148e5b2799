//! `/oauth2/authorize`: a person lets an application in. In a browser by a form; with a bearer token at once.

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use storage::meta::{AccountId, AuditAction, Challenge, NewToken, Purpose, TokenKind};

use crate::App;
use crate::frame::Failure;
use crate::frame::caller::{Caller, cookie, same, session_cookie};
use crate::own::session::From;
use crate::page::html::{escape, page};
use crate::page::words::{Words, words_for};

/// How long a code may be exchanged, milliseconds.
const CODE_MS: i64 = 10 * 60 * 1000;
/// Longest name of an application, and of a state, characters.
const MAX_CHARS: usize = 500;
/// Schemes that would act in the browser instead of leading to an application.
const NOT_LEADING_ON: [&str; 6] = ["javascript", "data", "vbscript", "file", "blob", "about"];

/// What an application asks for.
#[derive(Debug, Clone, Deserialize)]
pub struct Asked {
    client_id: String,
    response_type: String,
    redirect_uri: Option<String>,
    state: Option<String>,
    token_access_type: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
}

/// The form's answer.
#[derive(Deserialize)]
pub struct Allowed {
    csrf: String,
    #[serde(flatten)]
    asked: Asked,
}

/// Shows what an application asks for; for a bearer token the code comes at once.
pub async fn ask(
    State(app): State<App>,
    caller: Result<Caller, Failure>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    check(&asked)?;
    let words = words_for(&headers);
    let Ok(caller) = caller else {
        let body = format!(
            "<p><a class=\"go\" href=\"/sign-in\">{}</a></p><p>{}</p>",
            words.sign_in, words.open_again
        );
        let title = words.sign_in_first;
        return Ok(page(words, StatusCode::UNAUTHORIZED, title, &body));
    };
    match &caller.token.kind {
        TokenKind::Session { csrf } => Ok(form(words, &asked, csrf, &caller.account.email)),
        _ => {
            let code = grant(&app, caller.id(), &asked, caller.address.to_string()).await?;
            Ok(lead_on(&asked, &code).unwrap_or_else(|| shown(words, &code, None)))
        }
    }
}

/// The signed-in person allows it: the code, and the way on.
pub async fn allow(
    State(app): State<App>,
    From(address): From,
    headers: HeaderMap,
    Form(allowed): Form<Allowed>,
) -> Result<Response, Failure> {
    check(&allowed.asked)?;
    let secret = cookie(&headers, session_cookie(&app));
    let secret = secret.ok_or(Failure::Unauthorized("invalid_access_token"))?;
    let (token, account) = app.sessions().authenticate(&app, secret).await?;
    match &token.kind {
        TokenKind::Session { csrf } if same(csrf.as_bytes(), allowed.csrf.as_bytes()) => {}
        _ => return Err(Failure::Unauthorized("invalid_access_token")),
    }
    let code = grant(&app, account.id, &allowed.asked, address.to_string()).await?;
    let target = target(&allowed.asked, &code);
    Ok(shown(words_for(&headers), &code, target.as_deref()))
}

fn check(asked: &Asked) -> Result<(), Failure> {
    let fits = |text: &str| !text.is_empty() && text.chars().count() <= MAX_CHARS;
    if asked.response_type != "code" {
        return Err(Failure::bad("response_type: only \"code\" is supported"));
    }
    if !fits(&asked.client_id)
        || [&asked.state, &asked.code_challenge]
            .into_iter()
            .flatten()
            .any(|text| text.len() > 4 * MAX_CHARS)
    {
        return Err(Failure::bad(
            "client_id, state or code_challenge: empty or too long",
        ));
    }
    if asked
        .redirect_uri
        .as_deref()
        .is_some_and(|uri| !leads_on(uri))
    {
        return Err(Failure::bad(
            "redirect_uri: not an address of an application",
        ));
    }
    match asked.code_challenge_method.as_deref() {
        None | Some("S256" | "plain") => Ok(()),
        Some(_) => Err(Failure::bad("code_challenge_method: S256 or plain")),
    }
}

/// Whether an address leads to an application: absolute, and with no scheme that acts in the browser.
fn leads_on(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let plain = scheme
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
    let visible = uri.len() <= 4 * MAX_CHARS && uri.bytes().all(|b| b.is_ascii_graphic());
    let scheme = scheme.to_ascii_lowercase();
    plain
        && visible
        && !rest.is_empty()
        && !uri.contains('#')
        && !NOT_LEADING_ON.contains(&scheme.as_str())
}

/// Makes the code.
async fn grant(
    app: &App,
    account: AccountId,
    asked: &Asked,
    address: String,
) -> Result<String, Failure> {
    let challenge = asked.code_challenge.clone().map(|challenge| {
        match asked.code_challenge_method.as_deref() {
            Some("S256") => Challenge::S256(challenge),
            _ => Challenge::Plain(challenge),
        }
    });
    let purpose = Purpose::Authorization {
        client_id: asked.client_id.clone(),
        redirect_uri: asked.redirect_uri.clone(),
        challenge,
        offline: asked.token_access_type.as_deref() == Some("offline"),
    };
    let name = format!("code for {}", asked.client_id);
    let code = app.at_door(move |app| {
        let now_ms = app.meta().env().clock.now_ms();
        let kind = TokenKind::OneTime { purpose };
        let new = NewToken {
            kind,
            name: name.clone(),
            scopes: Vec::new(),
            expires_ms: Some(now_ms + CODE_MS),
            parent: None,
        };
        let (_, code) = app.meta().create_token_with(account, new)?;
        let (actor, address) = (Some(account), Some(address));
        let action = AuditAction::TokenCreated;
        app.meta().audit(storage::meta::AuditEvent {
            at_ms: now_ms,
            actor,
            action,
            subject: name,
            address,
        })?;
        storage::Result::Ok(code.into_string())
    });
    code.await?.map_err(Failure::from_storage)
}

/// The application's address with the code.
fn target(asked: &Asked, code: &str) -> Option<String> {
    let uri = asked.redirect_uri.as_deref()?;
    let mut target = format!(
        "{uri}{}code={code}",
        if uri.contains('?') { '&' } else { '?' }
    );
    if let Some(state) = &asked.state {
        target.push_str(&format!("&state={}", crate::page::html::encode(state)));
    }
    Some(target)
}

fn lead_on(asked: &Asked, code: &str) -> Option<Response> {
    let location = HeaderValue::from_str(&target(asked, code)?).ok()?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::LOCATION, location);
    Some(response)
}

fn shown(words: &Words, code: &str, target: Option<&str>) -> Response {
    let body = match target {
        Some(target) => format!(
            "<p><a class=\"go\" href=\"{}\">{}</a></p>",
            escape(target),
            words.go_on
        ),
        None => format!(
            "<p>{}</p><p><code id=\"code\">{}</code></p>",
            words.enter_code,
            escape(code)
        ),
    };
    page(words, StatusCode::OK, words.may_come_in, &body)
}

fn form(words: &Words, asked: &Asked, csrf: &str, email: &str) -> Response {
    let field = |name: &str, value: Option<&str>| {
        let value = value.map(escape)?;
        Some(format!(
            "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">"
        ))
    };
    let fields = [
        field("csrf", Some(csrf)),
        field("client_id", Some(&asked.client_id)),
        field("response_type", Some(&asked.response_type)),
        field("redirect_uri", asked.redirect_uri.as_deref()),
        field("state", asked.state.as_deref()),
        field("token_access_type", asked.token_access_type.as_deref()),
        field("code_challenge", asked.code_challenge.as_deref()),
        field(
            "code_challenge_method",
            asked.code_challenge_method.as_deref(),
        ),
    ];
    let fields: String = fields.into_iter().flatten().collect();
    let to = asked.redirect_uri.as_deref().map(|uri| {
        let to = words.goes_on_at.replace("{address}", &escape(uri));
        format!("<p>{to}</p>")
    });
    // What an application calls itself is put in last: nothing is put into it.
    let name = format!("<b>{}</b>", escape(&asked.client_id));
    let asks = words
        .asks
        .replace("{email}", &escape(email))
        .replace("{name}", &name);
    let body = format!(
        "<p>{asks}</p>{}<form method=\"post\" action=\"/oauth2/authorize\">{fields}<button>{}</button></form>",
        to.unwrap_or_default(),
        words.allow,
    );
    page(words, StatusCode::OK, words.let_in, &body)
}

#[cfg(test)]
mod tests {
    use super::leads_on;

    #[test]
    fn only_addresses_of_applications_lead_on() {
        for uri in [
            "https://app.example/back",
            "http://localhost:8080/?a=1",
            "com.example.app:/done",
        ] {
            assert!(leads_on(uri), "{uri}");
        }
        for uri in [
            "javascript:alert(1)",
            "JavaScript:x",
            "data:text/html,x",
            "/relative",
            "https://a/#b",
            "https://a b",
            "",
        ] {
            assert!(!leads_on(uri), "{uri}");
        }
    }
}
