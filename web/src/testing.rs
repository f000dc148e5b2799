//! The real service on a store in a temporary folder, for tests of routes.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, Request, header};
use serde_json::Value;
use storage::block::{BlockStore, Options as BlockOptions, Target};
use storage::extraction::Extractions;
use storage::key::Keyring;
use storage::kv::Store;
use storage::kv::leveldb::{self, LevelDbStore};
use storage::meta::env::ManualClock;
use storage::meta::{Account, Env, Meta, Options, PasswordCost, TokenKind};
use sync::bus::EmbeddedBus;
use sync::import::hosted::{self, Hosted};
use sync::listing::Listing;
use sync::notify::Notifier;
use tower::ServiceExt;

use crate::{App, OperationFailure, Parts, People, Settings, Unopened};

/// Where the service says that it is.
const URL: &str = "http://firefly.test";

/// A service and its store.
pub struct Bench {
    pub app: App,
    pub clock: Arc<ManualClock>,
    router: Router,
    folder: tempfile::TempDir,
}

/// An answer, read to its end.
pub struct Seen {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Seen {
    /// The body as JSON; `null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The status, and the tag of a refusal; empty where there is none.
    pub fn refusal(&self) -> (u16, String) {
        let tag = self.json()["error"][".tag"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (self.status, tag)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    }
}

impl Bench {
    /// A service on an empty store.
    pub fn new() -> Bench {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = LevelDbStore::open(&folder.path().join("kv"), leveldb::Options::default());
        let store: Arc<dyn Store> = Arc::new(store.expect("a store"));
        let (env, clock) = Env::seeded(1, 1_700_000_000_000);
        let meta = Meta::open(store.clone(), env).expect("metadata");
        let meta = meta.with_options(Options {
            password_cost: PasswordCost::CHEAP,
            ..Options::default()
        });
        let targets = vec![Target::new("t".to_owned(), folder.path().join("blocks"))];
        let keys = Keyring::in_memory().expect("keys");
        let blocks = BlockStore::open(
            store.clone(),
            targets,
            BlockOptions::default(),
            keys,
            clock.clone(),
        );
        let listing = Listing::new(meta.clone(), &*store).expect("listings");
        let blocks = blocks.expect("blocks");
        let extractions = Extractions::new(store.clone());
        let sources = query::hit::Sources {
            meta: meta.clone(),
            extractions,
            blocks: blocks.clone(),
        };
        let query = query::Engine::new(Vec::new, sources, &*store);
        let pace: sync::Pace = Arc::new(|_| std::time::Duration::ZERO);
        let own = folder.path();
        let settings = hosted::Settings {
            roots: vec![own.to_owned()],
            closed: vec![own.join("kv"), own.join("blocks")],
            records: own.join("imports"),
        };
        let imports = Hosted::open(meta.clone(), blocks.clone(), pace.clone(), settings);
        let people = meta.clone();
        let parts = Parts {
            imports: imports.expect("imports"),
            blocks,
            extractions: Extractions::new(store.clone()),
            listing,
            notifier: Arc::new(Notifier::start(&EmbeddedBus::new(store)).expect("a notifier")),
            operations: Arc::new(move |name, argument| {
                let people = People {
                    meta: &people,
                    public_url: URL,
                };
                match name {
                    "echo" => Ok(argument),
                    name => people
                        .call(name, argument)
                        .unwrap_or(Err(OperationFailure::Unknown)),
                }
            }),
            query: query.expect("an engine"),
            pace,
            open_member: Arc::new(|_, _, _| Err(Unopened::Missing)),
            meta,
        };
        let settings = Settings {
            public_url: URL.into(),
            trusted_proxies: Vec::new(),
            open_metrics: false,
            retention_days: 30,
            session_ms: 30 * 24 * 3600 * 1000,
        };
        let app = App::new(parts, settings).expect("an app");
        Bench {
            router: crate::router::router(app.clone()),
            app,
            clock,
            folder,
        }
    }

    /// The folder that everything is in; imports may be made from it.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A new account and a bearer token for it.
    pub fn account(&self, email: &str, is_admin: bool) -> (Account, String) {
        let account = self
            .app
            .meta()
            .create_account(email, "A Person", is_admin)
            .expect("an account");
        let token = self
            .app
            .meta()
            .create_token(account.id, TokenKind::Bearer, "test", None)
            .expect("a token");
        (account, token.into_string())
    }

    /// Sends a request.
    pub async fn send(&self, request: Request<Body>) -> Seen {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = axum::body::to_bytes(response.into_body(), 64 << 20)
            .await
            .expect("a body");
        Seen {
            status,
            headers,
            body: body.to_vec(),
        }
    }

    /// Sends a request whose answer does not end.
    pub async fn stream(&self, request: Request<Body>) -> BodyDataStream {
        let answer = self.router.clone().oneshot(request).await;
        answer.expect("an answer").into_body().into_data_stream()
    }

    /// Gets an address.
    pub async fn get(&self, uri: &str) -> Seen {
        self.send(Request::get(uri).body(Body::empty()).expect("a request"))
            .await
    }

    /// Calls an RPC route with a token.
    pub async fn rpc(&self, token: &str, route: &str, argument: Value) -> Seen {
        let request =
            Request::post(format!("/2/{route}")).header(header::CONTENT_TYPE, "application/json");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(
            request
                .body(Body::from(argument.to_string()))
                .expect("a request"),
        )
        .await
    }

    /// Calls a content route with a token.
    pub async fn content(&self, token: &str, route: &str, argument: Value, body: &[u8]) -> Seen {
        let request = Request::post(format!("/2/{route}"))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        let request = request.header("Dropbox-API-Arg", argument.to_string());
        self.send(request.body(Body::from(body.to_vec())).expect("a request"))
            .await
    }
}
