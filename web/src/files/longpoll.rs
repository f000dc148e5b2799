//! `files/list_folder/longpoll`: waits until a cursor has something to tell. Carries no Authorization: the cursor is
//! authenticated and names its account and token.

use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use storage::meta::TokenId;
use sync::listing::Position;
use tokio::time::{Instant, sleep, timeout_at};

use crate::App;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply, asking, tie};

/// How long to wait, seconds, as Dropbox bounds it.
const TIMEOUT_S: std::ops::RangeInclusive<u64> = 30..=480;
/// The most that is added to the timeout, so that clients do not come back all at once, milliseconds.
const MAX_JITTER_MS: u64 = 5_000;
/// Commits that come close together wake a waiter once.
const SETTLE: Duration = Duration::from_millis(100);

/// What to wait for.
#[derive(Deserialize)]
pub struct LongpollArg {
    cursor: String,
    timeout: Option<u64>,
}

/// Whether `list_folder/continue` has something to tell.
#[derive(Serialize)]
pub struct LongpollResult {
    changes: bool,
}

/// Waits for changes, at most as long as asked for and a little longer; ends at once when the process is to end.
pub async fn longpoll(
    State(app): State<App>,
    Arg(arg): Arg<LongpollArg>,
) -> Answer<LongpollResult> {
    let timeout_s = arg.timeout.unwrap_or(*TIMEOUT_S.start());
    if !TIMEOUT_S.contains(&timeout_s) {
        return Err(Failure::bad(
            "request body: timeout: must be between 30 and 480",
        ));
    }
    let jitter = Duration::from_millis(rand::random_range(0..=MAX_JITTER_MS));
    let until = Instant::now() + Duration::from_secs(timeout_s) + jitter;
    let mut hints = app.notifier().subscribe();
    let mut position = app.listing().position(&arg.cursor).map_err(reset)?;
    tie::bind(&app, position.account, position.token.map(TokenId));
    asking::is_of(position.account);
    loop {
        hints.borrow_and_update();
        let changes;
        (position, changes) = look(&app, position).await?;
        if changes {
            return Ok(Reply(LongpollResult { changes }));
        }
        let hint = tokio::select! {
            hint = timeout_at(until, hints.changed()) => hint,
            () = app.stopped() => return Ok(Reply(LongpollResult { changes: false })),
        };
        match hint {
            Ok(Ok(())) => sleep(SETTLE).await,
            // Time is over, or the notifier ended with the process.
            Ok(Err(_)) | Err(_) => return Ok(Reply(LongpollResult { changes: false })),
        }
    }
}

/// Whether there is something to tell; `reset` once the account or the token is no longer allowed to hear it.
async fn look(app: &App, mut position: Position) -> Result<(Position, bool), Failure> {
    let looked = app.blocking(move |app| {
        let may = app.may_hear(position.account, position.token)?;
        let changes = if may {
            app.listing().has_changes(&mut position)?
        } else {
            return Err(sync::Error::Reset);
        };
        Ok((position, changes))
    });
    looked.await?.map_err(reset)
}

fn reset(error: sync::Error) -> Failure {
    Failure::of_sync(error, |_| Some(serde_json::json!({ ".tag": "reset" })))
}
