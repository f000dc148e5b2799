//! What a running request hangs on: its account and token. When the account is suspended or gone, or the token revoked, the
//! request ends within a second, in whichever process that was done.
//!
//! A request that is still being answered hears 401. One whose content is on its way loses its connection, or over HTTP/2 its
//! stream alone: a client that reads slowly is not waited for.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::Version;
use axum::response::Response;
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::body::{Body as _, Frame, SizeHint};
use storage::meta::{AccountId, Ended, TokenId};
use tokio::sync::watch;

use crate::App;
use crate::app::WeakApp;
use crate::line::Line;
use crate::streams::PIECE_BYTES;

/// How often running requests are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Requests younger than this are not looked at: most are over before.
const YOUNG: Duration = Duration::from_millis(150);
/// Answers up to this length are not cut, bytes.
const SHORT_BYTES: u64 = 64 << 10;

tokio::task_local! {
    /// The request that this task answers.
    static CURRENT: Tie;
}

/// One request.
#[derive(Clone)]
pub struct Tie(Arc<Inner>);

struct Inner {
    ended: watch::Sender<Option<Ended>>,
    line: Option<Line>,
    version: Version,
    is_streaming: AtomicBool,
    is_untied: AtomicBool,
    bound: OnceLock<Bound>,
}

/// Takes the request off the list when it is over.
struct Bound {
    app: App,
    id: u64,
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.app.running().lock().remove(&self.id);
    }
}

/// Requests that hang on an account.
#[derive(Default)]
pub struct Running {
    requests: Mutex<HashMap<u64, Request>>,
    next: AtomicU64,
    is_watched: AtomicBool,
}

struct Request {
    account: AccountId,
    token: Option<TokenId>,
    begun: Instant,
    tie: std::sync::Weak<Inner>,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ties the request that is being answered to an account, and to a token of it. Later calls change nothing.
pub fn bind(app: &App, account: AccountId, token: Option<TokenId>) {
    let bound = CURRENT.try_with(|tie| tie.bind(app, account, token));
    debug_assert!(bound.is_ok(), "only requests are tied");
}

/// The request that is being answered ends its own access, and is to be answered nevertheless.
pub fn untie() {
    let untied = CURRENT.try_with(|tie| tie.0.is_untied.store(true, Ordering::Release));
    debug_assert!(untied.is_ok(), "only requests are tied");
}

impl Tie {
    /// A request that came over `line`, in this version of HTTP.
    pub fn new(line: Option<Line>, version: Version) -> Self {
        Tie(Arc::new(Inner {
            ended: watch::Sender::new(None),
            line,
            version,
            is_streaming: AtomicBool::new(false),
            is_untied: AtomicBool::new(false),
            bound: OnceLock::new(),
        }))
    }

    /// Answers the request; what [`bind`] says in `work` is said of it. Returns early, with the reason, when it is to end.
    pub async fn answer<T>(&self, work: impl Future<Output = T>) -> Result<T, Ended> {
        tokio::select! {
            biased;
            answer = CURRENT.scope(self.clone(), work) => Ok(answer),
            why = self.ended() => Err(why),
        }
    }

    /// Keeps the request tied until its content is sent. A short answer is as good as sent.
    pub fn stream(self, response: Response) -> Response {
        let bytes = response.body().size_hint().exact();
        let is_short = bytes.is_some_and(|bytes| bytes <= SHORT_BYTES);
        if is_short || self.0.bound.get().is_none() {
            return response;
        }
        self.0.is_streaming.store(true, Ordering::Release);
        let tie = self.clone();
        let ended = async move { tie.ended().await }.boxed();
        let piece_bytes = match self.0.version {
            Version::HTTP_2 => PIECE_BYTES,
            _ => usize::MAX,
        };
        response.map(|body| {
            Body::new(Tied {
                body,
                rest: Bytes::new(),
                piece_bytes,
                ended,
                _tie: self,
            })
        })
    }

    fn bind(&self, app: &App, account: AccountId, token: Option<TokenId>) {
        let running = app.running();
        self.0.bound.get_or_init(|| {
            let id = running.next.fetch_add(1, Ordering::Relaxed);
            let request = Request {
                account,
                token,
                begun: Instant::now(),
                tie: Arc::downgrade(&self.0),
            };
            running.lock().insert(id, request);
            Bound {
                app: app.clone(),
                id,
            }
        });
        if !running.is_watched.swap(true, Ordering::AcqRel) {
            tokio::spawn(watch_over(app.downgrade()));
        }
    }

    async fn ended(&self) -> Ended {
        let mut ended = self.0.ended.subscribe();
        let why = ended.wait_for(Option::is_some).await.map(|why| *why);
        match why {
            Ok(Some(why)) => why,
            // The sender lives in self.
            _ => std::future::pending().await,
        }
    }
}

impl Inner {
    fn end(&self, why: Ended) {
        if self.is_untied.load(Ordering::Acquire) {
            return;
        }
        self.ended.send_replace(Some(why));
        if self.is_streaming.load(Ordering::Acquire)
            && let Some(line) = &self.line
        {
            line.cut();
        }
    }
}

/// Looks at all running requests again and again, until there is none.
async fn watch_over(app: WeakApp) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(app) = app.upgrade() else { return };
        if app.running().lock().is_empty() {
            app.running().is_watched.store(false, Ordering::Release);
            // One that came between the two lines starts its own watch, or is seen here.
            if app.running().lock().is_empty()
                || app.running().is_watched.swap(true, Ordering::AcqRel)
            {
                return;
            }
        }
        // Not one of the bounded turns of `App::blocking`: these may all be taken by what is to be ended.
        let looked = tokio::task::spawn_blocking(move || look(&app)).await;
        match looked {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "running requests are not looked at"),
            Err(error) => tracing::error!(%error, "looking at running requests"),
        }
    }
}

fn look(app: &App) -> storage::Result<()> {
    let requests: Vec<_> = {
        let requests = app.running().lock();
        let old = requests
            .values()
            .filter(|request| request.begun.elapsed() >= YOUNG);
        old.map(|request| (request.account, request.token, request.tie.clone()))
            .collect()
    };
    let mut holders: Vec<_> = requests
        .iter()
        .map(|(account, token, _)| (*account, *token))
        .collect();
    holders.sort_unstable();
    holders.dedup();
    let ended: HashMap<_, _> = app.meta().ended(&holders)?.into_iter().collect();
    for (account, token, tie) in requests {
        if let Some(why) = ended.get(&(account, token))
            && let Some(tie) = tie.upgrade()
        {
            tie.end(*why);
        }
    }
    Ok(())
}

/// Content on its way, which breaks off when its request is to end.
struct Tied {
    body: Body,
    /// Of the body's last piece, what is still to be handed over.
    rest: Bytes,
    piece_bytes: usize,
    ended: BoxFuture<'static, Ended>,
    _tie: Tie,
}

impl hyper::body::Body for Tied {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.ended.poll_unpin(cx).is_ready() {
            let error = std::io::Error::other("the account's access has ended");
            return Poll::Ready(Some(Err(axum::Error::new(error))));
        }
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
        }
        let piece_bytes = self.rest.len().min(self.piece_bytes);
        let piece = self.rest.split_to(piece_bytes);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
