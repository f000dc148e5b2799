//! What administrators may do, behind `/2/firefly/admin/…` and, when no server runs, behind the commands themselves.

pub mod audit;
pub mod backup;
mod databases;
mod index;
pub mod queue;
mod retention;
mod status;
mod storage_targets;

use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use storage::block::Finding;
use storage::chunk::BlockHash;
use storage::meta::{Account, FileId, NodeKind, Reader, TokenId, TokenKind};
use sync::bus::amqp::AmqpBus;
use web::OperationFailure;

use crate::cluster;
use crate::cluster::member::Member;
use crate::node::Node;
use crate::task::Tasks;

/// The e-mail of the account that first start makes.
pub const ADMIN_EMAIL: &str = "admin@localhost";
/// Findings of a check that are told; more only says that there is more.
const MAX_PROBLEMS: usize = 1000;
/// Files that are named for one damaged block.
const MAX_FILES: usize = 20;
/// Index rows that are rewrapped at a time.
const REWRAPPED: usize = 10_000;

/// The operations of one node.
#[derive(Clone)]
pub struct Operations {
    node: Node,
    running: std::sync::Arc<OnceLock<Running>>,
    tasks: Tasks,
}

/// What only a running server has.
pub struct Running {
    /// Start of links to this server.
    pub public_url: String,
    /// The live index, or this process's part of it; none in a process that has no part in it.
    pub indexer: Option<std::sync::Arc<indexer::Indexer>>,
    /// The cluster that this process is one of.
    pub member: Option<std::sync::Arc<Member>>,
    /// The broker, where there is one.
    pub bus: Option<std::sync::Arc<AmqpBus>>,
}

#[derive(Deserialize)]
struct Email {
    email: Option<String>,
}

#[derive(Deserialize)]
struct TokenCreate {
    email: Option<String>,
    name: String,
}

#[derive(Deserialize)]
struct TokenRevoke {
    email: Option<String>,
    id: String,
}

#[derive(Deserialize)]
struct TaskId {
    task: u64,
}

#[derive(Deserialize)]
struct Check {
    #[serde(default)]
    quick: bool,
    #[serde(default)]
    repair: bool,
}

impl Operations {
    /// Operations on an opened store.
    pub fn new(node: Node) -> Self {
        Operations {
            node,
            running: std::sync::Arc::default(),
            tasks: Tasks::default(),
        }
    }

    /// Adds what a running server has.
    pub fn set_running(&self, running: Running) -> Result<()> {
        self.running
            .set(running)
            .map_err(|_| anyhow::anyhow!("the server runs already"))
    }

    /// Ends what takes long after the unit at hand; the same call goes on with it later.
    pub fn stop(&self) {
        self.tasks.stop();
    }

    /// The operations as the web calls them.
    pub fn for_web(&self) -> web::Operations {
        let own = self.clone();
        std::sync::Arc::new(move |operation, argument| {
            own.call(operation, argument).map_err(failure)
        })
    }

    /// Runs an operation. Blocks; an unknown one and a bad argument are errors.
    pub fn call(&self, operation: &str, argument: Value) -> Result<Value> {
        match operation {
            "account/token_create" => self.create_token(read(argument)?),
            "account/token_list" => self.list_tokens(read(argument)?),
            "account/token_revoke" => self.revoke_token(read(argument)?),
            "check" => self.check(read(argument)?),
            "keys/status" => self.key_status(),
            "keys/rotate" => self.rotate_keys(),
            "reindex" | "index/pause" | "index/resume" | "index/status" | "index/verify"
            | "index/reasons" | "index/retry" => self.of_index(operation, argument),
            "queue/status" | "queue/list" | "queue/replay" => {
                let running = self.running.get();
                let bus = running.and_then(|running| running.bus.as_deref());
                queue::call(bus, operation.trim_start_matches("queue/"), argument)
            }
            "overview" => self.overview(),
            "status" => self.status(),
            "metrics" => self.metrics(),
            "storage/status" => Ok(json!(self.node.blocks.storage_status()?)),
            "storage/add" => self.add_target(read(argument)?),
            "storage/drain" => self.drain_target(read(argument)?),
            "storage/replace" => self.replace_target(read(argument)?),
            "storage/adopt" => self.adopt_target(read(argument)?),
            "database/status" => self.database_status(),
            "database/add" => self.add_database(read(argument)?),
            "database/move" => self.move_namespaces(read(argument)?),
            "database/drain" => self.drain_database(read(argument)?),
            "ready" => Ok(json!({"away": self.away_databases()})),
            "audit/list" => self.list_audit(read(argument)?),
            "audit/verify" => self.verify_audit(read(argument)?),
            "retention/get" => self.retention(),
            "retention/set" => self.set_retention(read(argument)?),
            "backup/start" => self.start_backup(read(argument)?),
            "task/status" => self.tasks.status(read::<TaskId>(argument)?.task),
            _ => match self.people(|people| people.call(operation, argument)) {
                Some(done) => Ok(done?),
                None => Err(OperationFailure::Unknown.into()),
            },
        }
    }

    /// What is asked of the index, wherever it is.
    fn of_index(&self, operation: &str, argument: Value) -> Result<Value> {
        let member = self
            .running
            .get()
            .and_then(|running| running.member.as_ref());
        match member {
            Some(member) => cluster::index::ask(member, operation, &argument),
            None => self.of_own_index(operation, argument),
        }
    }

    /// The same of this process's part of the index.
    pub fn of_own_index(&self, operation: &str, argument: Value) -> Result<Value> {
        match operation {
            "reindex" => self.reindex(),
            "index/pause" => index::pause(self.indexer()?, true),
            "index/resume" => index::pause(self.indexer()?, false),
            "index/status" => Ok(serde_json::to_value(self.indexer()?.status())?),
            "index/verify" => self.verify_index(),
            "index/reasons" => index::reasons(self.indexer()?),
            "index/retry" => index::retry(self.indexer()?, &self.node.extractions, read(argument)?),
            _ => Err(OperationFailure::Unknown.into()),
        }
    }

    /// What is done with people's accounts.
    fn people<T>(&self, call: impl FnOnce(&web::People<'_>) -> T) -> T {
        let running = self.running.get();
        call(&web::People {
            meta: &self.node.meta,
            public_url: running.map_or("", |running| running.public_url.as_str()),
        })
    }

    /// A one-time link with which the account's password is set.
    pub fn invite_url(&self, account: &Account) -> Result<String> {
        let link = self.people(|people| people.one_time_link(account.id))?;
        Ok(link["invite_url"].as_str().unwrap_or_default().to_owned())
    }

    fn create_token(&self, new: TokenCreate) -> Result<Value> {
        let account = self.account(new.email.as_deref())?;
        let secret = self
            .node
            .meta
            .create_token(account.id, TokenKind::Bearer, &new.name, None)?;
        Ok(json!({"token": secret.expose()}))
    }

    fn list_tokens(&self, whose: Email) -> Result<Value> {
        let account = self.account(whose.email.as_deref())?;
        let tokens = self.node.meta.tokens(account.id)?;
        let rows = tokens.iter().map(|token| {
            let kind = match token.kind {
                TokenKind::Bearer => "bearer",
                TokenKind::Session { .. } => "session",
                TokenKind::OneTime { .. } => "one-time",
                TokenKind::Refresh => "refresh",
            };
            json!({"id": token.id.to_string(), "kind": kind, "name": token.name, "last_used": moment(token.last_used_ms)})
        });
        Ok(json!({"tokens": rows.collect::<Vec<_>>()}))
    }

    fn revoke_token(&self, which: TokenRevoke) -> Result<Value> {
        let account = self.account(which.email.as_deref())?;
        let Some(id) = TokenId::parse(&which.id) else {
            bail!("a token's id has 16 hexadecimal digits");
        };
        self.node.meta.revoke(account.id, id)?;
        Ok(json!({}))
    }

    /// The account with this e-mail; the admin that first start made when none is given.
    fn account(&self, email: Option<&str>) -> Result<Account> {
        let email = email.unwrap_or(ADMIN_EMAIL);
        let found = self.node.meta.account_by_email(email)?;
        found.with_context(|| format!("there is no account {email}"))
    }

    fn check(&self, how: Check) -> Result<Value> {
        let mut rows = 0;
        let mut problems = self
            .node
            .meta
            .check(MAX_PROBLEMS, &mut |seen| rows = seen)?;
        let (mut blocks, mut repaired) = (0, 0);
        if !how.quick {
            let mut damaged = Vec::new();
            let report = self.node.blocks.verify(&mut |finding| {
                damaged.extend(damage(&finding));
                damaged.len() < MAX_PROBLEMS
            })?;
            blocks = report.blocks;
            for (hash, what) in damaged {
                if how.repair && self.node.blocks.repair(&hash).is_ok() {
                    repaired += 1;
                    continue;
                }
                problems.push(format!("{what}; files: {}", self.files_of(&hash)?));
            }
        }
        Ok(json!({"rows": rows, "blocks": blocks, "repaired": repaired, "problems": problems}))
    }

    /// The files that a block belongs to, for a person: `ns:ID/path`.
    fn files_of(&self, hash: &BlockHash) -> Result<String> {
        let mut reader = self.node.meta.reader()?;
        let mut paths = Vec::new();
        for file in self.node.blocks.files_of(hash, MAX_FILES)? {
            paths.push(path_of(&mut reader, file)?);
        }
        Ok(if paths.is_empty() {
            "none".into()
        } else {
            paths.join(", ")
        })
    }

    fn key_status(&self) -> Result<Value> {
        let keys = &self.node.keys;
        let blocks = self.node.blocks.blocks_by_version()?;
        Ok(json!({
            "current": keys.current_version(),
            "versions": keys.versions(),
            "blocks": blocks,
            "kept_in": keys.kept_in(),
        }))
    }

    fn rotate_keys(&self) -> Result<Value> {
        let blocks = &self.node.blocks;
        let version = blocks.rotate_key()?;
        let (mut rewrapped, mut position) = (0, Some(Vec::new()));
        while let Some(from) = position {
            let report = blocks.rewrap(&from, REWRAPPED)?;
            rewrapped += report.rewrapped;
            position = report.position;
        }
        let keys = &self.node.keys;
        let factors = self.node.meta.rewrap_second_factors(keys)?;
        Ok(
            json!({"current": version, "rewrapped_blocks": rewrapped, "rewrapped_second_factors": factors}),
        )
    }

    /// How everything is, for a page that looks again and again: the index, the disks, and the broker where there is one.
    fn overview(&self) -> Result<Value> {
        let running = self.running.get();
        let bus = running.and_then(|running| running.bus.as_deref());
        Ok(json!({
            "index": self.of_index("index/status", Value::Null)?,
            "storage": self.node.blocks.storage_status()?,
            "queue": bus.map(queue::status).transpose()?,
        }))
    }

    fn indexer(&self) -> Result<&indexer::Indexer> {
        let running = self.running.get();
        running
            .and_then(|running| running.indexer.as_deref())
            .context("no server runs: start it with `firefly serve`")
    }

    /// Compares every file with the index; names at most [`MAX_PROBLEMS`] of each kind.
    fn verify_index(&self) -> Result<Value> {
        let verified = self.indexer()?.verify()?;
        let mut reader = self.node.meta.reader()?;
        let mut named = |files: &[FileId]| {
            let paths = files.iter().take(MAX_PROBLEMS);
            let paths = paths.map(|&file| path_of(&mut reader, file));
            paths.collect::<Result<Vec<_>>>()
        };
        let unknown = verified.unknown.iter().map(|ns| format!("ns:{ns}"));
        Ok(json!({
            "is_right": verified.is_right(),
            "namespaces": verified.namespaces,
            "nodes": verified.nodes,
            "waiting": verified.waiting,
            "missing": named(&verified.missing)?,
            "extra": named(&verified.extra)?,
            "unknown": unknown.take(MAX_PROBLEMS).collect::<Vec<_>>(),
        }))
    }

    fn reindex(&self) -> Result<Value> {
        match self.indexer() {
            Ok(indexer) => {
                indexer.rebuild();
                Ok(
                    json!({"message": "the index is being built anew; searches go on with the old one until it is ready"}),
                )
            }
            Err(_) => bail!(
                "no server runs: start it with `firefly serve`; it rebuilds an index that is missing or of another format by itself"
            ),
        }
    }
}

/// Where a file is, by the names above it; of a deleted one, where it was.
fn path_of(reader: &mut Reader<'_>, file: FileId) -> Result<String> {
    let mut names = Vec::new();
    let mut at = Some(file);
    while let Some(id) = at {
        let Some((node, _)) = reader.look(id)? else {
            break;
        };
        match node.kind {
            NodeKind::Root { ns } => names.push(format!("ns:{ns}")),
            _ => names.push(node.name),
        }
        at = node.parent;
    }
    names.reverse();
    Ok(names.join("/"))
}

/// What is wrong with which block; none when a finding is only progress.
fn damage(finding: &Finding) -> Option<(BlockHash, String)> {
    match finding {
        Finding::Progress { .. } => None,
        Finding::BadReplica {
            hash,
            target,
            reason,
        } => Some((*hash, format!("block {hash} on {target}: {reason}"))),
        Finding::BadRow { hash, reason } => Some((*hash, format!("block {hash}: {reason}"))),
        Finding::Dangling { hash, .. } => Some((
            *hash,
            format!("block {hash} is referred to, but not stored"),
        )),
    }
}

fn read<T: DeserializeOwned>(argument: Value) -> Result<T> {
    serde_json::from_value(argument).context("argument")
}

/// An operation's error as the web tells it.
fn failure(error: anyhow::Error) -> OperationFailure {
    if let Some(failure) = error.downcast_ref::<OperationFailure>() {
        return failure.clone();
    }
    if error.chain().any(|cause| cause.is::<serde_json::Error>()) {
        return OperationFailure::BadArgument(format!("{error:#}"));
    }
    match error.downcast_ref::<storage::Error>() {
        Some(storage::Error::Refused(refusal)) => {
            OperationFailure::BadArgument(refusal.to_string())
        }
        None if error.source().is_none() => OperationFailure::BadArgument(format!("{error:#}")),
        _ => OperationFailure::Failed(format!("{error:#}")),
    }
}

fn moment(at_ms: Option<i64>) -> String {
    let at = at_ms.and_then(|ms| time::OffsetDateTime::from_unix_timestamp(ms / 1000).ok());
    let text = at.and_then(|at| {
        at.format(&time::format_description::well_known::Rfc3339)
            .ok()
    });
    text.unwrap_or_else(|| "never".into())
}
