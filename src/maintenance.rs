//! What has to be done now and then: trash and old versions that are past their time, expired rows, garbage blocks,
//! extents that are mostly dead, logs that every shard is past, and a slow reading of every block's replicas.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use storage::block::{NoHolds, ScrubBudget, ScrubPosition};
use storage::journal::Partition;
use storage::meta::{AuditAction, AuditEvent};

use crate::node::Node;

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(60);
/// Rows, or blocks, looked at in one round of each kind of work.
const ROWS: usize = 10_000;
/// What the verifier reads in one round.
const SCRUBBED: ScrubBudget = ScrubBudget {
    blocks: 5_000,
    bytes: 512 << 20,
};
/// Extents of which more is dead are compacted, percent.
const DEAD_PERCENT: u64 = 40;
/// How long one kind of work goes on in a round while there is more of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two notes of the audit log's head in the log.
const ANCHOR_EVERY: Duration = Duration::from_secs(3600);
/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Per partition, the sequence below which no shard needs its log.
pub type Needed = Box<dyn Fn() -> Result<Vec<(Partition, u64)>> + Send>;

/// Closes what processes that are gone left behind.
pub type Closing = Box<dyn Fn() -> Result<()> + Send>;

/// The maintenance thread.
pub struct Maintenance {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

struct Round {
    node: Node,
    needed: Needed,
    closing: Option<Closing>,
    scrubbed_to: Option<ScrubPosition>,
    anchored: Option<Instant>,
}

impl Maintenance {
    /// Starts it.
    pub fn start(node: &Node, needed: Needed, closing: Option<Closing>) -> Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let mut round = Round {
            node: node.clone(),
            needed,
            closing,
            scrubbed_to: None,
            anchored: None,
        };
        let thread = std::thread::Builder::new()
            .name("maintenance".into())
            .spawn(move || {
                while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    round.run();
                }
            })?;
        Ok(Maintenance { stop, thread })
    }

    /// Ends it after the unit at hand.
    pub fn stop(self) {
        // A thread that has ended already hears nothing, and there is nothing to end then.
        self.stop.send(()).ok();
        if self.thread.join().is_err() {
            tracing::error!("the maintenance thread panicked");
        }
    }
}

impl Round {
    /// One round; each kind of work goes on in the next one if it fails or is not through.
    fn run(&mut self) {
        type Work = fn(&mut Round) -> Result<()>;
        let all: [(&str, Work); 7] = [
            ("what is left behind", Round::close),
            ("expired rows", Round::expire),
            ("retention", Round::purge),
            ("garbage", Round::collect),
            ("logs", Round::cut_logs),
            ("verification", Round::scrub),
            ("the audit log's anchor", Round::anchor),
        ];
        for (what, work) in all {
            if let Err(error) = work(self) {
                tracing::warn!(
                    what,
                    error = format!("{error:#}"),
                    "maintenance is tried again in the next round"
                );
            }
        }
    }

    fn close(&mut self) -> Result<()> {
        self.closing.as_ref().map_or(Ok(()), |close| close())
    }

    fn expire(&mut self) -> Result<()> {
        let meta = &self.node.meta;
        meta.save_token_uses()?;
        meta.expire_tokens(ROWS)?;
        meta.expire_uploads(ROWS)?;
        meta.expire_jobs(ROWS)?;
        Ok(())
    }

    fn purge(&mut self) -> Result<()> {
        let meta = &self.node.meta;
        let days = meta.retention_days()?.unwrap_or(self.node.retention_days);
        let before_ms = meta.env().clock.now_ms() - i64::from(days) * DAY_MS;
        let (begun, mut files, mut versions) = (Instant::now(), 0, 0);
        loop {
            let report = self.node.meta.purge(before_ms)?;
            files += report.nodes;
            versions += report.versions;
            if !report.more || begun.elapsed() > PATIENCE {
                break;
            }
        }
        if files + versions > 0 {
            tracing::info!(files, versions, "deleted for good: past their retention");
            self.node.meta.audit(AuditEvent {
                at_ms: self.node.meta.env().clock.now_ms(),
                actor: None,
                action: AuditAction::Purged,
                subject: format!("{files} files and folders, {versions} old versions, deleted {days} days ago or more"),
                address: None,
            })?;
        }
        Ok(())
    }

    fn collect(&mut self) -> Result<()> {
        let blocks = &self.node.blocks;
        let now_ms = u64::try_from(self.node.meta.env().clock.now_ms())?;
        let report = blocks.collect(now_ms, ROWS, &NoHolds)?;
        if report.collected > 0 {
            tracing::info!(
                blocks = report.collected,
                bytes = report.dead_bytes,
                "garbage blocks dropped"
            );
        }
        for extent in blocks.compactable(DEAD_PERCENT)? {
            match blocks.compact(extent) {
                Ok(compacted) => {
                    tracing::info!(
                        %extent,
                        freed_bytes = compacted.freed_bytes,
                        moved_bytes = compacted.moved_bytes,
                        "extent compacted"
                    );
                    break;
                }
                // One that holds a lost block stays; the others must not wait for it.
                Err(error) => tracing::warn!(%extent, %error, "an extent cannot be compacted"),
            }
        }
        Ok(())
    }

    /// Notes the audit log's head outside of the store, and now and then in the process's own log.
    fn anchor(&mut self) -> Result<()> {
        if let Some(head) = crate::operations::audit::anchor(&self.node)?
            && self.anchored.is_none_or(|at| at.elapsed() >= ANCHOR_EVERY)
        {
            self.anchored = Some(Instant::now());
            tracing::info!(%head, "anchor of the audit log");
        }
        Ok(())
    }

    fn cut_logs(&mut self) -> Result<()> {
        let begun = Instant::now();
        for (partition, below) in (self.needed)()? {
            while self.node.journal.cut(partition, below)? > 0 && begun.elapsed() < PATIENCE {}
        }
        Ok(())
    }

    fn scrub(&mut self) -> Result<()> {
        let now_ms = u64::try_from(self.node.meta.env().clock.now_ms())?;
        let from = self.scrubbed_to.take();
        let report = self.node.blocks.scrub(now_ms, from, SCRUBBED)?;
        if report.repaired + report.lost > 0 {
            tracing::warn!(
                repaired = report.repaired,
                lost = report.lost,
                "damaged blocks were found"
            );
        }
        self.scrubbed_to = report.position;
        Ok(())
    }
}
