//! What every endpoint can reach, and the bounds they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use storage::block::BlockStore;
use storage::extraction::Extractions;
use storage::meta::{AccountId, Meta, NamespaceId};
use storage::seal::Sealer;
use sync::import::hosted::Hosted;
use sync::listing::Listing;
use sync::notify::Notifier;
use tokio::sync::watch;

use crate::audit::AuditQueue;
use crate::blocking::Blocking;
use crate::frame::asking::Who;
use crate::frame::limiter::Limiter;
use crate::frame::sessions::Sessions;
use crate::frame::tie::Running;
use crate::opened::OpenedQueue;
use crate::own::admin::Operations;
use crate::own::member::{Open, Opener};
use crate::thumbnail::Thumbnails;
use crate::turns::Turns;

/// Event streams at once.
const MAX_EVENT_STREAMS: usize = 1_000;
/// The longest that an acknowledgement is held back because others wait.
const MAX_PACE: Duration = Duration::from_secs(1);

/// How the service presents itself.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the service is reached from outside, without a slash at the end: `https://files.example.com`.
    pub public_url: String,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Answer `/metrics` to everybody, not to administrators alone.
    pub open_metrics: bool,
    /// How long the trash and old versions are kept unless an administrator has said otherwise, days.
    pub retention_days: u32,
    /// How long a browser stays signed in, milliseconds.
    pub session_ms: i64,
}

impl Settings {
    /// Whether people reach the service encrypted, by its own TLS or a proxy's.
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// What the service stands on.
pub struct Parts {
    /// Accounts, files, sharing.
    pub meta: Meta,
    /// Content.
    pub blocks: BlockStore,
    /// Extracted text.
    pub extractions: Extractions,
    /// Listings and their cursors.
    pub listing: Listing,
    /// Answers searches.
    pub query: query::Engine,
    /// Wakes longpolls.
    pub notifier: Arc<Notifier>,
    /// What administrators and the command line call under `/2/firefly/admin/`.
    pub operations: Operations,
    /// Imports of this machine's folders.
    pub imports: Hosted,
    /// How long acknowledgements of uploads are held back.
    pub pace: sync::Pace,
    /// Opens what is in mails and archives.
    pub open_member: Open,
}

/// The service: cheap to clone, shared by all requests.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// The service, for what must not keep it alive.
pub struct WeakApp(std::sync::Weak<Inner>);

impl WeakApp {
    /// The service, while it is there.
    pub fn upgrade(&self) -> Option<App> {
        self.0.upgrade().map(App)
    }
}

struct Inner {
    parts: Parts,
    settings: Settings,
    links: Sealer,
    unlocked: Sealer,
    listed_links: Sealer,
    challenges: Sealer,
    sessions: Sessions,
    limiter: Limiter,
    audit: AuditQueue,
    looks: OpenedQueue,
    thumbnails: Thumbnails,
    opener: Opener,
    event_streams: Arc<Turns<Who>>,
    turns: Blocking,
    counters: Counters,
    running: Running,
    stopping: watch::Sender<bool>,
}

/// What the process is doing now.
#[derive(Default)]
pub struct Counters {
    in_flight: AtomicUsize,
}

/// Counts one request until dropped.
pub struct InFlight<'a>(&'a Counters);

impl Counters {
    /// Counts a request until the returned guard goes.
    pub fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// Requests being answered now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl App {
    /// The service on its parts. Loads, or makes, the keys that links are sealed with: blocks for a moment.
    pub fn new(parts: Parts, settings: Settings) -> crate::Result<Self> {
        crate::metrics::install();
        let sealer = |purpose: &[u8]| {
            let loaded = Sealer::load(&**parts.meta.store(), purpose);
            loaded.map_err(|e| crate::Error::Storage(e.to_string()))
        };
        let (links, unlocked) = (sealer(b"temporary-link")?, sealer(b"unlocked-link")?);
        let listed_links = sealer(b"listed-link")?;
        let challenges = sealer(b"second-factor")?;
        let audit = AuditQueue::start(parts.meta.clone())
            .map_err(|e| crate::Error::io("starting a thread", e))?;
        let looks = OpenedQueue::start(parts.meta.clone())
            .map_err(|e| crate::Error::io("starting a thread", e))?;
        Ok(App(Arc::new(Inner {
            links,
            unlocked,
            listed_links,
            challenges,
            settings,
            sessions: Sessions::default(),
            limiter: Limiter::default(),
            audit,
            looks,
            thumbnails: Thumbnails::default(),
            opener: Opener::new(parts.open_member.clone()),
            parts,
            event_streams: Turns::new("event_streams", MAX_EVENT_STREAMS),
            turns: Blocking::default(),
            counters: Counters::default(),
            running: Running::default(),
            stopping: watch::Sender::new(false),
        })))
    }

    /// The same, without keeping it alive.
    pub fn downgrade(&self) -> WeakApp {
        WeakApp(Arc::downgrade(&self.0))
    }

    /// How the service presents itself.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Accounts, files, sharing. Calls block.
    pub fn meta(&self) -> &Meta {
        &self.0.parts.meta
    }

    /// Content. Calls block.
    pub fn blocks(&self) -> &BlockStore {
        &self.0.parts.blocks
    }

    /// Extracted text. Calls block.
    pub fn extractions(&self) -> &Extractions {
        &self.0.parts.extractions
    }

    /// Listings and their cursors. Calls block.
    pub fn listing(&self) -> &Listing {
        &self.0.parts.listing
    }

    /// Answers searches. Calls block.
    pub fn query(&self) -> &query::Engine {
        &self.0.parts.query
    }

    /// Wakes longpolls.
    pub fn notifier(&self) -> &Notifier {
        &self.0.parts.notifier
    }

    /// Imports of this machine's folders.
    pub fn imports(&self) -> &Hosted {
        &self.0.parts.imports
    }

    /// What administrators call.
    pub fn operations(&self) -> &Operations {
        &self.0.parts.operations
    }

    /// Seals temporary links.
    pub fn links(&self) -> &Sealer {
        &self.0.links
    }

    /// Seals what says that a shared link's password was right. Not with the key of temporary links: one must never pass for
    /// the other.
    pub fn unlocked(&self) -> &Sealer {
        &self.0.unlocked
    }

    /// Seals where listings of shared links go on.
    pub fn listed_links(&self) -> &Sealer {
        &self.0.listed_links
    }

    /// Seals what says that a password was right and a code is still to come.
    pub fn challenges(&self) -> &Sealer {
        &self.0.challenges
    }

    /// Callers that were here a moment ago.
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// Slows guessing down.
    pub fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// Makes small pictures of pictures.
    pub fn thumbnails(&self) -> &Thumbnails {
        &self.0.thumbnails
    }

    /// Opens what is in mails and archives.
    pub fn opener(&self) -> &Opener {
        &self.0.opener
    }

    /// How many more event streams may be open.
    pub fn event_streams(&self) -> &Arc<Turns<Who>> {
        &self.0.event_streams
    }

    /// Turns at blocking threads.
    pub fn turns(&self) -> &Blocking {
        &self.0.turns
    }

    /// Waits as long as the acknowledgement of `changes` changes in `ns` is to be held back; about a second at most.
    pub async fn pace(&self, ns: NamespaceId, changes: usize) {
        let each = (self.0.parts.pace)(ns);
        let wait = each.saturating_mul(u32::try_from(changes).unwrap_or(u32::MAX));
        tokio::time::sleep(wait.min(MAX_PACE)).await;
    }

    /// What is written to the audit log soon.
    pub fn audit(&self) -> &AuditQueue {
        &self.0.audit
    }

    /// What people look at, written soon.
    pub fn looks(&self) -> &OpenedQueue {
        &self.0.looks
    }

    /// What the process is doing now.
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Requests that hang on an account.
    pub fn running(&self) -> &Running {
        &self.0.running
    }

    /// Whether an account may still hear of changes, by a token that it made a cursor with. Blocks.
    pub fn may_hear(&self, account: AccountId, token: Option<u64>) -> storage::Result<bool> {
        let live = self
            .meta()
            .account(account)?
            .is_some_and(|account| !account.disabled);
        let Some(id) = token.filter(|_| live) else {
            return Ok(live);
        };
        let now_ms = self.meta().env().clock.now_ms();
        Ok(self
            .meta()
            .tokens(account)?
            .iter()
            .any(|token| token.id.0 == id && !token.is_expired(now_ms)))
    }

    /// Tells everything that waits (longpolls) to end at once.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// True once the process is asked to end.
    pub fn is_stopping(&self) -> bool {
        *self.0.stopping.borrow()
    }

    /// Waits until the process is asked to end.
    pub async fn stopped(&self) {
        let mut stopping = self.0.stopping.subscribe();
        // The sender lives in self, so the wait cannot fail.
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}
