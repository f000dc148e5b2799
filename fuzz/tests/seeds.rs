//! Replays what is kept in `fuzz/seeds`: each input, and small changes of it. With `FUZZ_SECONDS` set, goes on with random changes of
//! them for so long for each target (or for the one that `FUZZ_TARGET` names): where libFuzzer cannot run.
#![allow(
    clippy::unwrap_used,
    reason = "in a test, a surprise is the test's failure"
)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use fuzz::{TARGETS, Target};

/// Cuts and changed bytes of each seed that are tried, too.
const VARIANTS: usize = 40;
/// An input that takes so long has broken something.
const MAX_TIME: Duration = Duration::from_secs(60);
/// Values at which lengths and numbers go wrong.
const ODD: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'/', b'\n'];

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % end.max(1)
    }

    /// `bytes` cut, with one bit changed.
    fn slightly(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut other = bytes[..bytes.len() - self.below(bytes.len() / 4)].to_vec();
        let at = self.below(other.len());
        if let Some(byte) = other.get_mut(at) {
            *byte ^= 1 << self.below(8);
        }
        other
    }

    /// `bytes` with several changes, some of them pieces of other inputs.
    fn wildly(&mut self, bytes: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let mut new = bytes.to_vec();
        for _ in 0..=self.below(8) {
            let at = self.below(new.len());
            let end = (at + self.below(32)).min(new.len());
            match self.below(7) {
                0 => new.truncate(at),
                1 => drop(new.drain(at..end)),
                2 => {
                    let piece = new[at..end].to_vec();
                    new.splice(at..at, piece);
                }
                3 => {
                    let other = &others[self.below(others.len())];
                    let from = self.below(other.len());
                    let to = (from + self.below(64)).min(other.len());
                    new.splice(at..end, other[from..to].iter().copied());
                }
                4 => new[at..end].fill(ODD[self.below(ODD.len())]),
                _ => {
                    if let Some(byte) = new.get_mut(at) {
                        *byte = match self.below(2) {
                            0 => *byte ^ (1 << self.below(8)),
                            _ => ODD[self.below(ODD.len())],
                        };
                    }
                }
            }
        }
        new
    }
}

fn read(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut seeds: Vec<_> = std::fs::read_dir(folder.join(name))
        .unwrap_or_else(|error| panic!("seeds of {name}: {error}"))
        .map(|entry| entry.unwrap().path())
        .collect();
    seeds.sort();
    seeds
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// Tries an input; one that breaks something is kept where `fuzz/run` keeps such.
fn attempt(name: &str, target: Target, input: &[u8]) {
    let begun = Instant::now();
    if let Err(broken) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let kept = std::env::temp_dir().join(format!("firefly-fuzz-{name}"));
        std::fs::write(&kept, input).unwrap();
        eprintln!("{name}: broken by {}", kept.display());
        resume_unwind(broken);
    }
    assert!(begun.elapsed() < MAX_TIME, "{name}: {input:?}");
}

#[test]
fn every_seed_is_survived() {
    let seconds = std::env::var("FUZZ_SECONDS").map_or(0, |text| text.parse().unwrap());
    let only = std::env::var("FUZZ_TARGET").ok();
    for (name, target) in TARGETS {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let (seeds, mut dice) = (read(name), Dice(1));
        assert!(!seeds.is_empty(), "{name}");
        for seed in &seeds {
            attempt(name, target, seed);
            for _ in 0..VARIANTS {
                attempt(name, target, &dice.slightly(seed));
            }
        }
        attempt(name, target, b"");
        let (begun, mut tried) = (Instant::now(), 0u64);
        while begun.elapsed().as_secs() < seconds {
            let seed = &seeds[dice.below(seeds.len())];
            attempt(name, target, &dice.wildly(seed, &seeds));
            tried += 1;
        }
        if seconds > 0 {
            println!("{name}: {tried} inputs in {seconds} s");
        }
    }
}
