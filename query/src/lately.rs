//! What counts beside words: that a file changed lately, and that the searching account had it in hand (docs/decisions/ranking.md).

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use storage::meta::{Opened, Rev};

/// After so many hours a change counts half.
const HALF_LIFE_HOURS: usize = 30 * 24;
/// What a change counts after so many hours; nothing after ten times the half life.
static COUNTS: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let hours = 0..10 * HALF_LIFE_HOURS;
    let counts = hours.map(|hours| (-(hours as f32) / HALF_LIFE_HOURS as f32).exp2());
    counts.collect()
});
/// What the account opened, or stored, longer ago than so many days does not count.
const OWN_DAYS: i64 = 30;
/// Opened files that count, the last ones.
const MAX_OPENED: usize = 50;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How much more a file may count, in parts of what its words count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LatelyWeights {
    /// When it was modified just now.
    pub recent: f32,
    /// When the account opened it, or stored it, lately.
    pub own: f32,
}

/// Measured with `firefly eval lately`.
pub const LATELY: LatelyWeights = LatelyWeights {
    recent: 0.05,
    own: 0.1,
};

/// What a search knows of the account and the time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lately {
    weights: LatelyWeights,
    account: u64,
    opened: HashSet<u64>,
    now_ms: i64,
}

/// What is looked at of a document.
#[derive(Debug, Clone, Copy)]
pub struct Doings {
    /// The file.
    pub file: u64,
    /// When its client says that it was modified, milliseconds.
    pub modified_ms: i64,
    /// The account that stored it.
    pub author: u64,
    /// Its rev.
    pub rev: u64,
}

/// The ids of the files that count as opened lately, of what an account opened.
pub fn counted(opened: &[Opened], now_ms: i64) -> Vec<u64> {
    let fresh = opened
        .iter()
        .filter(|opened| now_ms - opened.at_ms < OWN_DAYS * DAY_MS);
    fresh.take(MAX_OPENED).map(|opened| opened.file.0).collect()
}

impl Lately {
    /// For a search of `account` at `now_ms` that opened these files lately; none when nothing counts but words.
    pub fn of(weights: LatelyWeights, account: u64, opened: &[u64], now_ms: i64) -> Option<Self> {
        (weights.recent > 0.0 || weights.own > 0.0).then(|| Lately {
            weights,
            account,
            opened: opened.iter().copied().collect(),
            now_ms,
        })
    }

    /// The most that any document's score is multiplied by.
    pub fn most(&self) -> f32 {
        1.0 + self.weights.recent + self.weights.own
    }

    /// What a document's score is multiplied by.
    pub fn factor(&self, of: Doings) -> f32 {
        1.0 + self.recent(of.modified_ms)
            + if self.is_own(of) {
                self.weights.own
            } else {
                0.0
            }
    }

    /// What it comes from, in words.
    pub fn told(&self, of: Doings) -> &'static str {
        match self.is_own(of) {
            true => "how lately it was modified, and that you opened or stored it lately",
            false => "how lately it was modified",
        }
    }

    fn recent(&self, modified_ms: i64) -> f32 {
        let hours = (self.now_ms - modified_ms).max(0) / HOUR_MS;
        self.weights.recent * COUNTS.get(hours as usize).copied().unwrap_or(0.0)
    }

    fn is_own(&self, of: Doings) -> bool {
        let is_fresh = || self.now_ms - Rev(of.rev).at_ms() < OWN_DAYS * DAY_MS;
        (of.author == self.account && is_fresh()) || self.opened.contains(&of.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::meta::FileId;

    const NOW_MS: i64 = 400 * DAY_MS;

    fn doings(file: u64, days: i64, author: u64) -> Doings {
        Doings {
            file,
            modified_ms: NOW_MS - days * DAY_MS,
            author,
            rev: Rev::next(None, NOW_MS - days * DAY_MS, 0).0,
        }
    }

    #[test]
    fn what_is_new_or_ones_own_counts_more_within_bounds() {
        let weights = LatelyWeights {
            recent: 0.2,
            own: 0.1,
        };
        let lately = Lately::of(weights, 7, &[5], NOW_MS).expect("weights");
        let factor = |of| (lately.factor(of) * 1000.0).round() / 1000.0;
        assert_eq!(factor(doings(1, 0, 2)), 1.2);
        assert_eq!(factor(doings(1, 30, 2)), 1.1);
        assert_eq!(factor(doings(1, 365, 2)), 1.0);
        assert_eq!(factor(doings(1, -9, 2)), 1.2, "a date to come");
        assert_eq!(factor(doings(5, 365, 2)), 1.1, "opened");
        assert_eq!(factor(doings(1, 30, 7)), 1.1, "stored a day too long ago");
        assert_eq!(factor(doings(1, 0, 7)), 1.3, "stored");
        assert_eq!(factor(doings(1, 365, 7)), 1.0, "long ago");
        assert!(lately.factor(doings(5, 0, 7)) <= lately.most());
        let none = LatelyWeights {
            recent: 0.0,
            own: 0.0,
        };
        assert!(Lately::of(none, 7, &[], NOW_MS).is_none());
    }

    #[test]
    fn only_the_last_files_count_as_opened() {
        let opened = |number: i64| Opened {
            file: FileId(number as u64),
            at_ms: NOW_MS - number * DAY_MS / 2,
        };
        let opened: Vec<_> = (1..100).map(opened).collect();
        assert_eq!(counted(&opened, NOW_MS).len(), MAX_OPENED);
        assert_eq!(counted(&opened[55..], NOW_MS), [56, 57, 58, 59]);
    }
}
