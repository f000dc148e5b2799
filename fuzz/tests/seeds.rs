//! Replays what is kept in `fuzz/seeds`: each input, and small changes of it.
#![allow(
    clippy::unwrap_used,
    reason = "in a test, a surprise is the test's failure"
)]

use std::path::Path;

use fuzz::TARGETS;

/// Cuts and changed bytes of each seed that are tried, too.
const VARIANTS: usize = 40;

#[test]
fn every_seed_is_survived() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (name, target) in TARGETS {
        let mut seeds: Vec<_> = std::fs::read_dir(folder.join(name))
            .unwrap_or_else(|error| panic!("seeds of {name}: {error}"))
            .map(|entry| entry.unwrap().path())
            .collect();
        seeds.sort();
        assert!(!seeds.is_empty(), "{name}");
        let mut state = 1u64;
        let mut below = |end: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % end.max(1)
        };
        for seed in seeds {
            let bytes = std::fs::read(seed).unwrap();
            target(&bytes);
            for _ in 0..VARIANTS {
                let mut other = bytes[..bytes.len() - below(bytes.len() / 4)].to_vec();
                let at = below(other.len());
                if let Some(byte) = other.get_mut(at) {
                    *byte ^= 1 << below(8);
                }
                target(&other);
            }
        }
        target(b"");
    }
}
