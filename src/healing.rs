//! Looks after the disks: whether they are there, and that every block has its copies; at a bounded rate.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use storage::block::BlockStore;

use crate::node::Node;

/// Between two looks when nothing is to be done.
const EVERY: Duration = Duration::from_secs(15);
/// Bytes copied in a second at most.
const BYTES_PER_S: u64 = 50 << 20;

/// The thread.
pub struct Healing {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Healing {
    /// Starts it.
    pub fn start(node: &Node) -> Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let blocks = node.blocks.clone();
        let thread = std::thread::Builder::new()
            .name("healing".into())
            .spawn(move || run(&blocks, &stopped))?;
        Ok(Healing { stop, thread })
    }

    /// Ends it after the block at hand.
    pub fn stop(self) {
        // A thread that has ended already hears nothing, and there is nothing to end then.
        self.stop.send(()).ok();
        if self.thread.join().is_err() {
            tracing::error!("the healing thread panicked");
        }
    }
}

fn run(blocks: &BlockStore, stopped: &Receiver<()>) {
    let mut is_stuck = false;
    loop {
        let mut ended = false;
        let healed = blocks.heal(&mut |bytes| {
            let wait = Duration::from_secs_f64(bytes as f64 / BYTES_PER_S as f64);
            ended = stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
            !ended
        });
        if ended {
            return;
        }
        let goes_on = match healed {
            Ok(report) => {
                if report.is_done && (report.stuck > 0) != is_stuck {
                    is_stuck = report.stuck > 0;
                    say(is_stuck, report.stuck);
                }
                !report.is_done
            }
            Err(error) => {
                tracing::warn!(%error, "copies that are missing are tried again");
                false
            }
        };
        let stop = match goes_on {
            true => stopped.try_recv() != Err(TryRecvError::Empty),
            false => stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout),
        };
        if stop {
            return;
        }
    }
}

fn say(is_stuck: bool, extents: u64) {
    match is_stuck {
        true => tracing::warn!(
            extents,
            "blocks have too few copies, and there is no target to take more: see `firefly storage status`"
        ),
        false => tracing::info!("all blocks have their copies again"),
    }
}
