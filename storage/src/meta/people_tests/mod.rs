//! Accounts, tokens, sharing and links against a store in memory.

mod accounts;
mod rows;
mod tokens;

use std::sync::Arc;

use crate::Error;
use crate::kv::memory::MemoryStore;
use crate::meta::env::ManualClock;
use crate::meta::{Account, Env, Meta, Options, PasswordCost, Refusal};

/// Metadata in memory, with cheap passwords and a clock that stands still.
struct Bench {
    clock: Arc<ManualClock>,
    meta: Meta,
}

const NOW_MS: i64 = 1_800_000_000_000;

fn bench() -> Bench {
    let (env, clock) = Env::seeded(42, NOW_MS);
    let options = Options {
        password_cost: PasswordCost::CHEAP,
        ..Options::default()
    };
    let meta = Meta::open_without_blocks(Arc::<MemoryStore>::default(), env)
        .unwrap()
        .with_options(options);
    Bench { clock, meta }
}

impl Bench {
    fn account(&self, name: &str) -> Account {
        self.meta
            .create_account(&format!("{name}@example.com"), name, false)
            .unwrap()
    }
}

/// Why an operation was refused.
fn refusal<T: std::fmt::Debug>(outcome: crate::Result<T>) -> Refusal {
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
