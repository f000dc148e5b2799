//! `GET /2/firefly/events`: what changes in all that the caller sees, as it changes (server-sent events).
//!
//! An event `change` carries entries as `list_folder/continue` has them, in order; its id is a cursor, and a browser that
//! lost its connection goes on there. `reset` says that too much happened, or that the cursor does not fit any more: look anew.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use futures::{FutureExt, Stream};
use serde::Deserialize;
use serde_json::json;
use storage::meta::{AccountId, Address};
use sync::listing::{Listed, Options};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::App;
use crate::files::shape::{Shape, Start};
use crate::frame::Failure;
use crate::frame::asking::{self, Asking, Who};
use crate::frame::caller::Caller;
use crate::turns::Turn;

/// Commits that come close together are one event.
const SETTLE: Duration = Duration::from_millis(100);
/// How often a quiet stream says that it lives, and looks whether its reader may still hear.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// Entries of one event at most.
const MAX_ENTRIES: u32 = 500;

/// Where a page that was away goes on.
#[derive(Deserialize)]
pub struct EventsQuery {
    after: Option<String>,
}

struct Reader {
    app: App,
    account: AccountId,
    token: u64,
    start: Start,
    cursor: String,
    hints: watch::Receiver<u64>,
    /// What the first event says: whether the cursor that was given is gone on with.
    first: Option<bool>,
    _turn: Turn<Who>,
}

/// The stream; 429 when the caller has too many open, 503 when all others together have.
pub async fn events(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let turn = app.event_streams().take_now(asking::who());
    let turn = turn.map_err(Failure::of_turns)?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let after = last.map(str::to_owned).or(query.after);
    let hints = app.notifier().subscribe();
    let (account, token) = (caller.id(), caller.token_id().0);
    let begun = app.blocking(move |app| {
        let known = after.filter(|cursor| {
            let position = app.listing().position(cursor);
            position.is_ok_and(|position| position.account == account)
        });
        let continued = known.is_some();
        let cursor = match known {
            Some(cursor) => cursor,
            None => latest(app, &caller)?,
        };
        Ok::<_, sync::Error>((cursor, continued, caller.start_of(app)?))
    });
    let (cursor, continued, start) = begun.await?.map_err(|e| Failure::of_sync(e, |_| None))?;
    let stream = Reader {
        app,
        account,
        token,
        start,
        cursor,
        hints,
        first: Some(continued),
        _turn: turn,
    };
    Ok(Sse::new(stream.events(asking::present())).into_response())
}

fn latest(app: &App, caller: &Caller) -> sync::Result<String> {
    let options = Options {
        recursive: true,
        limit: MAX_ENTRIES,
        ..Options::default()
    };
    let root = Address::Path(Vec::new());
    app.listing()
        .latest(caller.actor(), Some(caller.token_id().0), &root, options)
}

impl Reader {
    /// Looks on behalf of the request that began it.
    fn events(self, asking: Option<Asking>) -> impl Stream<Item = Result<Event, Infallible>> {
        futures::stream::unfold(Some(self), move |stream| {
            let next = Self::step(stream);
            match &asking {
                Some(asking) => asking.scope(next).left_future(),
                None => next.right_future(),
            }
        })
    }

    /// The next event, and the stream while it goes on.
    async fn step(stream: Option<Self>) -> Option<(Result<Event, Infallible>, Option<Self>)> {
        let mut stream = stream?;
        let (event, ended) = stream.next().await?;
        Some((Ok(event), (!ended).then_some(stream)))
    }

    /// The next event, and whether it is the last; `None` when the reader may hear no more, or the process ends.
    async fn next(&mut self) -> Option<(Event, bool)> {
        if let Some(continued) = self.first.take() {
            let data = json!({ "continued": continued });
            return Some((self.event("ready", &data), false));
        }
        self.hints.borrow_and_update();
        loop {
            match self.look().await {
                Ok(Some(event)) => return Some((event, false)),
                Ok(None) => {}
                Err(sync::Error::Reset) => {
                    return Some((Event::default().event("reset").data("{}"), true));
                }
                Err(error) => {
                    tracing::warn!(%error, "an event stream ends");
                    return None;
                }
            }
            let app = self.app.clone();
            let woken = tokio::select! {
                woken = timeout(HEARTBEAT, self.hints.changed()) => woken,
                () = app.stopped() => return None,
            };
            match woken {
                Ok(Ok(())) => sleep(SETTLE).await,
                Ok(Err(_)) => return None,
                Err(_) if self.may_hear().await => {
                    return Some((Event::default().comment("alive"), false));
                }
                Err(_) => return None,
            }
            self.hints.borrow_and_update();
        }
    }

    async fn may_hear(&self) -> bool {
        let (account, token) = (self.account, self.token);
        let asked = self
            .app
            .blocking(move |app| app.may_hear(account, Some(token)))
            .await;
        matches!(asked, Ok(Ok(true)))
    }

    /// What changed since the cursor, if anything did.
    async fn look(&mut self) -> sync::Result<Option<Event>> {
        let (account, token, cursor, start) =
            (self.account, self.token, self.cursor.clone(), self.start);
        let looked = self.app.blocking(move |app| {
            if !app.may_hear(account, Some(token))? {
                return Err(sync::Error::Reset);
            }
            let page = app.listing().resume(account, &cursor)?;
            let shape = |listed: &Listed| match listed {
                Listed::Live(place) => Shape::tagged(place, start),
                Listed::Deleted(gone) => {
                    Shape::deleted(&gone.name, &gone.path_lower, &gone.path_display, start)
                }
            };
            Ok((
                page.entries.iter().map(shape).collect::<Vec<_>>(),
                page.cursor,
            ))
        });
        // No turn came: the next hint or heartbeat looks again.
        let Ok(looked) = looked.await else {
            return Ok(None);
        };
        let (entries, cursor) = looked?;
        self.cursor = cursor;
        if entries.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.event("change", &json!({ "entries": entries }))))
    }

    fn event(&self, name: &str, data: &serde_json::Value) -> Event {
        Event::default()
            .event(name)
            .id(&self.cursor)
            .data(data.to_string())
    }
}
