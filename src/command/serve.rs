//! `firefly serve`: storage, search, API and page in one process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indexer::extract::{Limits, Unopened, WorkerCommand, WorkerPool};
use indexer::snapshot::Place;
use indexer::{Alive, Holding, Indexer, Sharing};
use query::Engine;
use query::hit::Sources;
use storage::meta::{Account, TokenKind};
use sync::bus::EmbeddedBus;
use sync::bus::amqp::AmqpBus;
use sync::import::hosted::{self, Hosted};
use sync::import::{Import, LocalDestination};
use sync::listing::Listing;
use sync::notify::Notifier;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::client::ServerAddress;
use crate::cluster::member::Member;
use crate::cluster::note::PROCESSES;
use crate::cluster::role::{Role, Roles};
use crate::command::import;
use crate::config::{Config, TlsMode};
use crate::hints::Hints;
use crate::node::Node;
use crate::operations::{ADMIN_EMAIL, Operations, Running};
use crate::work::Work;

/// Threads for work that blocks: more than all that is bounded elsewhere can want together (requests, calls of other processes,
/// imports), so that none of these waits for another's. They are made when they are wanted.
const MAX_BLOCKING_THREADS: usize = 1_024;

/// Everything that runs beside storage.
pub struct Services {
    /// Shards and extraction; none where the process has neither.
    pub indexer: Option<Arc<Indexer>>,
    /// Search.
    pub engine: Engine,
    /// Wakes longpolls.
    pub notifier: Arc<Notifier>,
    /// Listings and cursors.
    pub listing: Listing,
    /// The broker and those who use it, where there is one.
    pub wire: Option<Wire>,
}

/// What the broker adds.
pub struct Wire {
    /// The transport.
    pub bus: Arc<AmqpBus>,
    hints: Hints,
}

/// How long a process waits for a content to be taken up by the one that the broker gave it to, and how long that one may take.
const SHARING: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

impl Services {
    /// Starts them on an opened store; of a cluster's process those that its roles need.
    pub fn start(config: &Config, node: &Node, member: Option<&Member>) -> Result<Services> {
        let all = Roles::all();
        let roles = member.map_or(&all, |member| &member.roles);
        let indexer = match roles.has(Role::Shard) || roles.has(Role::Extract) {
            true => Some(Arc::new(start_indexer(config, node, member, roles)?)),
            false => None,
        };
        let sources = Sources {
            meta: node.meta.clone(),
            extractions: node.extractions.clone(),
            blocks: node.blocks.clone(),
        };
        let engine = match member.filter(|_| roles.has(Role::Web)) {
            Some(member) => Engine::over(Arc::new(member.remote()), sources, &*node.store)?,
            None => {
                let shards = indexer.as_ref().map(|indexer| indexer.shards().to_vec());
                let shards = shards.unwrap_or_default();
                Engine::new(move || shards.clone(), sources, &*node.store)?
            }
        };
        let notifier = Arc::new(Notifier::start(&EmbeddedBus::new(node.store.clone()))?);
        let wire = Wire::start(config, node, roles, indexer.as_ref(), &notifier)?;
        Ok(Services {
            engine,
            notifier,
            wire,
            listing: Listing::new(node.meta.clone(), &*node.store)?,
            indexer,
        })
    }

    /// How long acknowledgements wait. Does not keep the indexer from ending.
    pub fn pace(&self) -> sync::Pace {
        let indexer = self.indexer.as_ref().map(Arc::downgrade);
        Arc::new(move |ns| {
            let indexer = indexer.as_ref().and_then(Weak::upgrade);
            indexer.map_or(Duration::ZERO, |indexer| indexer.delay(ns))
        })
    }

    /// Ends them; every shard commits what it has.
    pub fn stop(self) {
        self.notifier.stop();
        if let Some(wire) = self.wire {
            wire.stop();
        }
        drop(self.engine);
        match self.indexer.map(Arc::try_unwrap) {
            None => {}
            Some(Ok(indexer)) => indexer.stop(),
            Some(Err(_)) => {
                tracing::warn!("the indexer is still in use; its log is replayed at the next start")
            }
        }
    }
}

/// The shards of this process, and its extraction.
fn start_indexer(
    config: &Config,
    node: &Node,
    member: Option<&Member>,
    roles: &Roles,
) -> Result<Indexer> {
    let worker = roles.has(Role::Extract).then(WorkerCommand::current_exe);
    let patience = match config.broker {
        Some(_) => SHARING.0,
        None => Duration::ZERO,
    };
    let is_shared = config.broker.is_some() || member.is_some();
    let owner = member.map_or_else(rand::random, |member| member.leases.me());
    let alive: Alive = match member.map(|member| member.leases.clone()) {
        Some(leases) => Arc::new(move || {
            let alive = leases.alive(PROCESSES)?.into_iter();
            Ok(alive.map(|(_, lease)| lease.holder).collect())
        }),
        None => Arc::new(move || Ok(vec![owner])),
    };
    Ok(Indexer::start(
        node.meta.clone(),
        node.journal.clone(),
        node.extractions.clone(),
        node.blocks.clone(),
        &config.data.join("index"),
        indexer::Options {
            shards: u16::try_from(config.shards)?,
            memory_bytes: config.shard_memory_bytes,
            worker: worker.transpose()?,
            extractions: config.extract_workers,
            limits: Limits::default(),
            helpers: config.helpers.clone(),
            sharing: is_shared.then(|| Sharing {
                owner,
                alive,
                patience,
                claim: SHARING.1,
            }),
            snapshots: match config.cluster.as_ref().and_then(|c| c.snapshots.as_deref()) {
                Some(url) => Some(Place::open(url, node.store.clone())?),
                None => None,
            },
            holding: match member {
                Some(_) => Holding::Leased,
                None => Holding::All,
            },
        },
    )?)
}

impl Wire {
    /// Follows what comes from the broker; `None` when no broker is set.
    fn start(
        config: &Config,
        node: &Node,
        roles: &Roles,
        indexer: Option<&Arc<Indexer>>,
        notifier: &Notifier,
    ) -> Result<Option<Wire>> {
        let Some(bus) = config.bus()? else {
            return Ok(None);
        };
        let hints = Hints::start(&bus, roles, indexer, &node.blocks)?;
        if roles.has(Role::Web) {
            notifier.listen(&bus)?;
        }
        Ok(Some(Wire {
            bus: Arc::new(bus),
            hints,
        }))
    }

    fn stop(self) {
        self.hints.stop();
    }
}

/// Runs the server until it is asked to end.
pub fn run(config: Config, folder: Option<PathBuf>, how: import::How) -> Result<ExitCode> {
    check_folder(folder.as_deref(), &how)?;
    crate::log::start(&config.log)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(MAX_BLOCKING_THREADS)
        .build()?
        .block_on(serve(config, folder, how))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config, folder: Option<PathBuf>, how: import::How) -> Result<()> {
    // Before anything says that it is there: whoever hears that may want it to end.
    let end = asked_to_end()?;
    let is_front = config
        .cluster
        .as_ref()
        .is_none_or(|cluster| cluster.roles.has(Role::Web));
    let listener = match is_front {
        true => Some(
            TcpListener::bind(&config.listen)
                .await
                .with_context(|| format!("listen on {}", config.listen))?,
        ),
        false => None,
    };
    let node = Node::open(&config)?;
    let member = match &config.cluster {
        Some(cluster) => {
            let shards = u16::try_from(config.shards)?;
            Some(Arc::new(
                Member::join(cluster, node.store.clone(), shards).await?,
            ))
        }
        None => None,
    };
    let services = Services::start(&config, &node, member.as_deref())?;
    let operations = Operations::new(node.clone());
    let running = |public_url: String| Running {
        public_url,
        indexer: services.indexer.clone(),
        member: member.clone(),
        bus: services.wire.as_ref().map(|wire| wire.bus.clone()),
    };
    let ended = match listener {
        Some(listener) => {
            let url = own_url(&config, listener.local_addr()?);
            let public_url = config.public_url.clone().unwrap_or_else(|| url.clone());
            operations.set_running(running(public_url.clone()))?;
            let work = Work::start(&node, &services, member.as_ref(), &operations)?;
            let front = Front {
                config: &config,
                node: &node,
                services: &services,
                operations: &operations,
                urls: (url, public_url),
            };
            let served = front.serve(listener, folder, how, end).await;
            (served, work)
        }
        None => {
            operations.set_running(running(String::new()))?;
            web::metrics::install();
            let work = Work::start(&node, &services, member.as_ref(), &operations)?;
            if let Some(member) = &member {
                println!(
                    "Firefly: {} of the cluster at {}",
                    member.roles, member.note.url
                );
            }
            end.await;
            (Ok(()), work)
        }
    };
    let (served, work) = ended;
    tokio::task::spawn_blocking(move || work.stop()).await?;
    let ending = operations.clone();
    tokio::task::spawn_blocking(move || ending.stop()).await?;
    drop(operations);
    drop(member);
    tokio::task::spawn_blocking(move || services.stop()).await?;
    tracing::info!("stopped");
    served
}

/// The web: what people and programs talk to.
struct Front<'a> {
    config: &'a Config,
    node: &'a Node,
    services: &'a Services,
    operations: &'a Operations,
    /// Its own address, and the one that links start with.
    urls: (String, String),
}

impl Front<'_> {
    async fn serve(
        self,
        listener: TcpListener,
        folder: Option<PathBuf>,
        how: import::How,
        end: impl Future<Output = ()>,
    ) -> Result<()> {
        let Front {
            config,
            node,
            services,
            operations,
            urls: (url, public_url),
        } = self;
        let admin = admin(node, &config.data)?;
        let imports = Hosted::open(
            node.meta.clone(),
            node.blocks.clone(),
            services.pace(),
            hosted::Settings {
                roots: config.import_roots.clone(),
                closed: import::own_folders(config),
                records: config.data.join(import::RECORDS),
            },
        )?;
        let app = web::App::new(
            web::Parts {
                meta: node.meta.clone(),
                blocks: node.blocks.clone(),
                extractions: node.extractions.clone(),
                listing: services.listing.clone(),
                notifier: services.notifier.clone(),
                query: services.engine.clone(),
                operations: operations.for_web(),
                imports,
                pace: services.pace(),
                open_member: open_member()?,
            },
            web::Settings {
                public_url: public_url.clone(),
                trusted_proxies: config.trusted_proxies.clone(),
                open_metrics: false,
                retention_days: config.retention_days,
                session_ms: config.sessions.lifetime_ms,
            },
        )?;
        ServerAddress {
            url,
            pid: std::process::id(),
        }
        .write(&config.data)?;
        greet(config, operations, &admin, &public_url)?;
        let importing = match folder {
            Some(folder) => {
                let (meta, blocks) = (node.meta.clone(), node.blocks.clone());
                let destination =
                    LocalDestination::new(meta, blocks, admin.actor(), services.pace());
                let into = import::default_target(&folder)?;
                let import = how.import(
                    Arc::new(destination),
                    &admin.id.to_string(),
                    &folder,
                    &into,
                    how.rules(&import::own_folders(config))?,
                    &config.data,
                )?;
                Some(tokio::spawn(import_folder(import, folder, into, how.watch)))
            }
            None => None,
        };
        let served = web::serve(app, listener, tls(config), end).await;
        ServerAddress::remove(&config.data);
        if let Some(importing) = importing {
            importing.abort();
        }
        Ok(served?)
    }
}

/// Where this server answers.
fn own_url(config: &Config, listen: SocketAddr) -> String {
    let scheme = if config.tls == TlsMode::Off {
        "http"
    } else {
        "https"
    };
    let host = if listen.ip().is_unspecified() {
        "127.0.0.1".to_owned()
    } else {
        listen.ip().to_string()
    };
    let host = if listen.is_ipv6() {
        format!("[{host}]")
    } else {
        host
    };
    format!("{scheme}://{host}:{}", listen.port())
}

fn tls(config: &Config) -> web::Tls {
    match &config.tls {
        TlsMode::Off => web::Tls::None,
        TlsMode::SelfMade => web::Tls::SelfMade {
            dir: config.data.clone(),
            names: Vec::new(),
        },
        TlsMode::Files { cert, key } => web::Tls::Files {
            cert: cert.clone(),
            key: key.clone(),
        },
    }
}

/// The admin account and its token file, made on first start.
fn admin(node: &Node, data: &Path) -> Result<Account> {
    let account = match node.meta.account_by_email(ADMIN_EMAIL)? {
        Some(account) => account,
        None => node.meta.create_account(ADMIN_EMAIL, "Admin", true)?,
    };
    let path = data.join("admin.token");
    if !path.exists() {
        let token = node
            .meta
            .create_token(account.id, TokenKind::Bearer, "admin.token", None)?;
        write_private(&path, token.expose())?;
    }
    Ok(account)
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let temporary = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    Ok(std::fs::rename(temporary, path)?)
}

/// Says where the server is and how to sign in.
/// Opens members of mails and archives in child processes.
fn open_member() -> Result<web::OpenMember> {
    let pool = WorkerPool::new(WorkerCommand::current_exe()?, 2, Limits::default());
    Ok(Arc::new(move |name, bytes, number| {
        pool.open_member(name, bytes, number)
            .map_err(|why| match why {
                Unopened::Missing => web::Unopened::Missing,
                Unopened::TooLarge => web::Unopened::TooLarge,
                Unopened::Unreadable(why) => web::Unopened::Unreadable(why),
            })
    }))
}

fn greet(config: &Config, operations: &Operations, admin: &Account, url: &str) -> Result<()> {
    println!("Firefly answers on {url}");
    if admin.password_hash.is_none() {
        println!(
            "To sign in the first time, open {}",
            operations.invite_url(admin)?
        );
        println!("(a one-time link: it signs you in as {ADMIN_EMAIL} and asks for a password)");
    } else {
        println!("To sign in, open {url} as {ADMIN_EMAIL}");
    }
    println!(
        "For programs: the token in {}",
        config.data.join("admin.token").display()
    );
    if config.kek_command.is_none() {
        let keys = config.data.join("keys/kek.json");
        println!(
            "Keep a copy of {} somewhere else: without it nobody can read the stored files",
            keys.display()
        );
    }
    Ok(())
}

async fn import_folder(import: Import, folder: PathBuf, into: String, watch: bool) {
    let imported = async {
        if watch {
            import::follow(&import, &folder, &into).await?;
        }
        import::with_progress(&import, &folder).await
    };
    match imported.await {
        Ok(report) => import::print(&report, &into),
        Err(error) => eprintln!("firefly: import of {}: {error:#}", folder.display()),
    }
}

/// Listens from now on for Ctrl-C and SIGTERM; what it returns ends when the process is asked to end.
pub(super) fn asked_to_end() -> Result<impl Future<Output = ()> + Send + use<>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("ending: running requests are finished first");
    })
}

/// Refuses a folder to import that is not there, or cannot be imported so, before anything is started.
fn check_folder(folder: Option<&Path>, how: &import::How) -> Result<()> {
    match folder {
        Some(folder) if !folder.is_dir() => {
            bail!("--import {}: there is no such folder", folder.display())
        }
        None if how.watch || how.delete || !how.exclude.is_empty() => {
            bail!("--watch, --delete and --exclude go with --import")
        }
        _ => how.rules(&[]).map(drop),
    }
}
