//! What a shared link opens: `get_shared_link_metadata` and `get_shared_link_file`.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use storage::meta::{Address, AuditAction, OpenedLink, Refusal};

use super::error::link as shape_error;
use super::link_shape::{key, shape};
use crate::App;
use crate::files::error::address;
use crate::frame::caller::Caller;
use crate::frame::content::{Presentation, outgoing};
use crate::frame::limiter::{Rate, network};
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, HeaderArg, Reply, api_result};
use crate::own::session::{limit, log};

/// Wrong guesses of a link's password from one address.
const PER_ADDRESS: Rate = Rate {
    burst: 10.0,
    per_second: 0.1,
};
/// Wrong guesses of a link's password from anywhere.
const PER_LINK: Rate = Rate {
    burst: 50.0,
    per_second: 50.0 / 3600.0,
};
/// Characters of a link's key that the audit log may know: too few to open it.
const KEY_SHOWN: usize = 6;

/// Which link, and what below it.
#[derive(Deserialize)]
pub struct LinkArg {
    url: String,
    path: Option<String>,
    link_password: Option<String>,
}

/// What the link leads to.
pub async fn metadata(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<LinkArg>,
) -> Answer<Value> {
    let key = key(&arg.url)?.to_owned();
    let opened = open(
        &app,
        caller.address,
        key,
        arg.link_password,
        arg.path.as_deref(),
    )
    .await?;
    let shaped = app.blocking(move |app| {
        let own = if opened.actor.account == caller.id() {
            Some(caller.start_of(app)?)
        } else {
            None
        };
        storage::Result::Ok(shape(app, &opened.link, &opened.place, own))
    });
    shaped.await?.map(Reply).map_err(Failure::from_storage)
}

/// The bytes of the file that the link leads to, or of one below its folder.
pub async fn file(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<LinkArg>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let key = key(&arg.url)?.to_owned();
    let opened = open(
        &app,
        caller.address,
        key,
        arg.link_password,
        arg.path.as_deref(),
    )
    .await?;
    if !opened.link.allow_download {
        return Err(Failure::tag("shared_link_access_denied"));
    }
    let Some(version) = opened.place.node.head() else {
        return Err(Failure::tag("shared_link_is_directory"));
    };
    let mut response = outgoing(&app, &headers, version, Presentation::BYTES).await?;
    let result = api_result(&shape(&app, &opened.link, &opened.place, None))?;
    response
        .headers_mut()
        .insert(HeaderName::from_static("dropbox-api-result"), result);
    app.note(
        &caller,
        AuditAction::LinkOpened,
        opened.place.node.id.to_string(),
    )
    .await;
    Ok(response)
}

/// Opens a link, with a bound on how often its password may be guessed; wrong guesses are in the audit log.
pub async fn open(
    app: &App,
    from: std::net::IpAddr,
    key: String,
    password: Option<String>,
    below: Option<&str>,
) -> Result<OpenedLink, Failure> {
    let below = names(below)?;
    let opened = app.blocking(move |app| {
        let shaped = |e| Failure::shaped(e, shape_error);
        if password.is_none() {
            return app.meta().open_link(&key, None, &below).map_err(shaped);
        }
        let keys = [
            format!("link {key} {}", network(from)),
            format!("link {key}"),
        ];
        limit(app, &keys[0], PER_ADDRESS)?;
        limit(app, &keys[1], PER_LINK)?;
        let opened = app.meta().open_link(&key, password.as_deref(), &below);
        if let Err(storage::Error::Refused(Refusal::WrongPassword)) = &opened {
            let shown: String = key.chars().take(KEY_SHOWN).collect();
            let subject = format!("shared link {shown}…");
            log(app, None, AuditAction::SignInFailed, subject, from)?;
        } else {
            keys.iter().for_each(|key| app.limiter().give_back(key));
        }
        opened.map_err(shaped)
    });
    opened.await?
}

/// The names of a path below a link.
pub fn names(below: Option<&str>) -> Result<Vec<String>, Failure> {
    match address(below.unwrap_or(""), shape_error)? {
        Address::Path(names) => Ok(names),
        _ => Err(Failure::of_refusal(&Refusal::NotFound, shape_error)),
    }
}
