//! Slows guessing down: token buckets by key, bounded in number.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::Instant;

use sha2::{Digest, Sha256};

/// The most buckets kept; the stalest goes when a new key comes.
const MAX_KEYS: usize = 10_000;

/// How many attempts are free, and how fast they come back.
#[derive(Clone, Copy)]
pub struct Rate {
    /// Attempts at once.
    pub burst: f64,
    /// Attempts that come back each second.
    pub per_second: f64,
}

/// Who is counted together: an IPv4 address, or the 64-bit network that one IPv6 client has to itself.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// Keys by their hash: a key may hold what a client sent, of any length.
type Hash = [u8; 32];

/// Token buckets, one per key.
#[derive(Default)]
pub struct Limiter {
    buckets: Mutex<HashMap<Hash, Bucket>>,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl Limiter {
    /// Takes one attempt of `key` at `now`; the seconds to wait where none is left.
    pub fn take(&self, key: &str, rate: Rate, now: Instant) -> Result<(), u32> {
        let key = hash(key);
        let mut buckets = self.buckets.lock().unwrap_or_else(|e| e.into_inner());
        if !buckets.contains_key(&key) && buckets.len() >= MAX_KEYS {
            make_room(&mut buckets);
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            left: rate.burst,
            at: now,
        });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + passed * rate.per_second).min(rate.burst);
        bucket.at = now;
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Ok(());
        }
        Err(((1.0 - bucket.left) / rate.per_second)
            .ceil()
            .clamp(1.0, 3600.0) as u32)
    }

    /// Gives back one attempt of `key`, one that was right.
    pub fn give_back(&self, key: &str) {
        let mut buckets = self.buckets.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(bucket) = buckets.get_mut(&hash(key)) {
            bucket.left += 1.0;
        }
    }

    /// Forgets `key`'s attempts, after one that was right.
    pub fn forget(&self, key: &str) {
        self.buckets
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .remove(&hash(key));
    }
}

fn hash(key: &str) -> Hash {
    Sha256::digest(key.as_bytes()).into()
}

/// Drops the older half, so that a flood of new keys costs little for each.
fn make_room(buckets: &mut HashMap<Hash, Bucket>) {
    let mut times: Vec<Instant> = buckets.values().map(|b| b.at).collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let median = *median;
    buckets.retain(|_, bucket| bucket.at > median);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const RATE: Rate = Rate {
        burst: 3.0,
        per_second: 0.5,
    };

    #[test]
    fn attempts_run_out_and_come_back() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(limiter.take("a", RATE, now), Ok(()));
        }
        assert_eq!(limiter.take("a", RATE, now), Err(2));
        assert_eq!(limiter.take("b", RATE, now), Ok(()));
        assert_eq!(
            limiter.take("a", RATE, now + Duration::from_secs(2)),
            Ok(())
        );
        limiter.forget("a");
        assert_eq!(limiter.take("a", RATE, now), Ok(()));
        for _ in 0..10 {
            assert_eq!(limiter.take("c", RATE, now), Ok(()));
            limiter.give_back("c");
        }
    }

    #[test]
    fn a_flood_of_keys_is_bounded() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        for i in 0..3 * MAX_KEYS {
            assert_eq!(
                limiter.take(&i.to_string(), RATE, now + Duration::from_micros(i as u64)),
                Ok(())
            );
        }
        assert!(
            limiter
                .buckets
                .lock()
                .unwrap_or_else(|e| e.into_inner())
                .len()
                <= MAX_KEYS
        );
    }

    #[test]
    fn one_ipv6_network_is_one_client() {
        let network = |text: &str| network(text.parse().expect("an address")).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }
}
