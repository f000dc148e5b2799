//! A small store with a row of every kind that metadata has, for targets that damage one or that need an account.

use std::sync::{Arc, OnceLock};

use storage::block::BlockStore;
use storage::extraction::{ExtractionRecord, Extractions, Outcome};
use storage::key::Keyring;
use storage::kv::memory::MemoryStore;
use storage::kv::{Batch, Number, Pair, Store};
use storage::lease::{Leases, Terms};
use storage::meta::account::DEFAULT_TEAM;
use storage::meta::{
    Account, Address, Append, AuditAction, AuditEvent, Env, InvitationPolicy, JobKind,
    LinkSettings, MemberPolicy, Meta, NewFile, Opened, Options, PasswordCost, Role, TokenKind,
    WriteMode,
};
use storage::relayed::{Log, Relayed};
use storage::snapshot::{Snapshot, Snapshots};

/// Above every key.
const END: [u8; 8] = [0xff; 8];
/// More rows than the store has.
const ALL: usize = 10_000;
/// When everything was made.
const NOW_MS: i64 = 1_800_000_000_000;

/// The store's rows.
pub struct Base {
    pub rows: Vec<Pair>,
    pub heads: Vec<(Vec<u8>, u64)>,
    pub counters: Vec<(Vec<u8>, i64)>,
    pub account: Account,
}

/// The store, made once.
pub fn base() -> Option<&'static Base> {
    static BASE: OnceLock<Option<Base>> = OnceLock::new();
    BASE.get_or_init(|| made().ok()).as_ref()
}

/// Metadata on a store, with a clock that stands still.
pub fn open(store: &Arc<dyn Store>) -> storage::Result<Meta> {
    let (env, _) = Env::seeded(1, NOW_MS);
    let options = Options {
        password_cost: PasswordCost::CHEAP,
        ..Options::default()
    };
    Ok(Meta::open_without_blocks(store.clone(), env)?.with_options(options))
}

impl Base {
    /// A store with these rows in the place of its own.
    pub fn store(&self, rows: Vec<Pair>) -> storage::Result<Arc<dyn Store>> {
        let store: Arc<dyn Store> = Arc::<MemoryStore>::default();
        store.load(&Batch {
            pairs: rows,
            heads: self.heads.clone(),
            counters: self.counters.clone(),
        })?;
        Ok(store)
    }
}

fn made() -> storage::Result<Base> {
    let store: Arc<dyn Store> = Arc::<MemoryStore>::default();
    let meta = open(&store)?;
    let account = meta.create_account("ann@example.org", "Ann", true)?;
    files(&meta, &account)?;
    people(&meta, &account)?;
    extraction(&store)?;
    cluster(&store)?;
    let view = store.snapshot()?;
    let (mut heads, mut counters) = (Vec::new(), Vec::new());
    view.numbers(&mut |number, value| {
        match number {
            Number::Head(log) => heads.push((log.to_vec(), value)),
            Number::Counter(name) => counters.push((name.to_vec(), value.cast_signed())),
        }
        Ok(())
    })?;
    Ok(Base {
        rows: view.range(&[], &END, false, ALL)?,
        heads,
        counters,
        account,
    })
}

/// Files, versions, one in the trash, one in a shared folder, a rewind, an upload.
fn files(meta: &Meta, account: &Account) -> storage::Result<()> {
    for (path, content) in [
        ("/a/b.txt", 1),
        ("/a/b.txt", 2),
        ("/a/c.txt", 3),
        ("/d.txt", 4),
        ("/shared/e.txt", 5),
    ] {
        let file = NewFile {
            blocks: Vec::new(),
            size: 0,
            content_hash: [content; 32],
            mode: WriteMode::Overwrite,
            autorename: false,
            strict_conflict: false,
            client_modified_ms: None,
        };
        meta.commit_file(account.actor(), &Address::parse(path)?, &file)?;
    }
    meta.delete(account.actor(), &Address::parse("/d.txt")?, None)?;
    let rewind = meta.begin_rewind(account.actor(), &Address::parse("/a")?, NOW_MS)?;
    meta.run_rewind(rewind.id, &mut |_| true)?;
    meta.begin_undo(account.actor(), rewind.id)?;
    meta.start_upload(account.id, &Append::default())?;
    Ok(())
}

/// Whoever else there is, and what people have beside files.
fn people(meta: &Meta, ann: &Account) -> storage::Result<()> {
    let actor = ann.actor();
    let bob = meta.create_account("bob@example.org", "Bob", false)?;
    meta.set_password(bob.id, "correct horse battery 9")?;
    meta.create_token(ann.id, TokenKind::Bearer, "laptop", None)?;
    let at = Address::parse("/shared")?;
    let ns = meta.share_folder(actor, &at, MemberPolicy::Owner)?;
    meta.add_member(actor, ns, bob.id, Role::Editor, true)?;
    let group = meta.create_group(DEFAULT_TEAM, "Everybody")?;
    meta.join_group(group.id, ann.id, true)?;
    meta.add_group(actor, ns, group.id, Role::Viewer)?;
    meta.set_invitation_policy(DEFAULT_TEAM, InvitationPolicy::Everybody)?;
    meta.invite(actor, ns, "carl@example.org", Role::Viewer)?;
    meta.create_link(actor, &at, LinkSettings::default())?;
    meta.save_search(ann.id, "papers", "heron")?;
    meta.note_search(ann.id, "heron")?;
    let file = meta.view(ann.id)?.resolve(ann.root, &at)?.node.id;
    let at_ms = NOW_MS;
    meta.note_opened(ann.id, &[Opened { file, at_ms }])?;
    meta.begin_second_factor(ann.id, &Keyring::in_memory()?)?;
    let job = meta.create_job(ann.id, JobKind::Delete)?;
    meta.finish_job(ann.id, job, b"{}".to_vec())?;
    meta.set_retention_days(Some(30))?;
    let event = |subject: &str| AuditEvent {
        at_ms: NOW_MS,
        actor: Some(ann.id),
        action: AuditAction::SignIn,
        subject: subject.to_owned(),
        address: Some("10.0.0.1".to_owned()),
    };
    meta.audit_all(&[event("one"), event("two")])
}

/// One file that is extracted, others that wait.
fn extraction(store: &Arc<dyn Store>) -> storage::Result<()> {
    let extractions = Extractions::new(store.clone());
    let jobs = extractions.next_jobs(None, 10, 10)?;
    if let Some(job) = jobs.first() {
        let record = ExtractionRecord {
            outcome: Outcome::Damaged {
                detail: "cut".to_owned(),
            },
            ..ExtractionRecord::default()
        };
        extractions.finish(job, &record)?;
    }
    extractions.claim(jobs, (1, &[1]), NOW_MS, NOW_MS + 1)?;
    Relayed::new(store.clone()).advance(&[(Log::Blocks, 1)])?;
    Ok(())
}

/// What processes that share the store note there.
fn cluster(store: &Arc<dyn Store>) -> storage::Result<()> {
    let leases = Leases::new(store.clone(), 7, "{}".to_owned(), Terms::default());
    leases.take("process/0000000000000007")?;
    if let Some(held) = leases.take("shard/0001")? {
        let snapshot = Snapshot {
            shards: 8,
            epoch: held.epoch,
            checkpoint: vec![3; 128],
            meta: "{}".to_owned(),
            files: vec![("a.idx".to_owned(), 7)],
        };
        Snapshots::new(store.clone()).put(&held, 1, &snapshot)?;
    }
    Ok(())
}

/// Blocks in a folder, for a service on a store in memory.
pub fn blocks(store: &Arc<dyn Store>, folder: &std::path::Path) -> storage::Result<BlockStore> {
    let targets = vec![storage::block::Target::new(
        "t".to_owned(),
        folder.join("blocks"),
    )];
    let options = storage::block::Options::default();
    let clock = Env::seeded(1, NOW_MS).1;
    BlockStore::open(
        store.clone(),
        targets,
        options,
        Keyring::in_memory()?,
        clock,
    )
}
