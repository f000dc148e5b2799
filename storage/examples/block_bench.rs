//! Measures storing and reading blocks: `block_bench [FOLDER] [THREADS] [SECONDS] [BLOCK_BYTES] [REPLICAS]`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use storage::block::{BlockStore, Options, Target};
use storage::chunk::BlockHash;
use storage::key::Keyring;
use storage::kv::leveldb::{self, LevelDbStore};
use storage::meta::Env;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let folder = std::path::PathBuf::from(arguments.next().unwrap_or_else(|| "block-bench".into()));
    let mut number = |default: usize| {
        arguments
            .next()
            .map_or(Ok(default), |text| text.parse::<usize>())
    };
    let (threads, seconds, bytes, replicas) = (number(64)?, number(5)?, number(4096)?, number(1)?);
    println!("fdatasync of 4 kB: {:.2} ms", fsync_ms(&folder)?);
    let store = open(&folder, replicas)?;
    let text = text(bytes);
    println!("{threads} threads, blocks of {bytes} bytes, {replicas} replicas");
    let stored = timed("put (new)", seconds, threads, |thread, round| {
        store.put(&block(&text, thread, round)).map(|_| ())
    })?;
    let each = (stored / threads as u64).max(1);
    timed("put (known)", seconds, threads, |thread, round| {
        store.put(&block(&text, thread, round % each)).map(|_| ())
    })?;
    let hashes: Vec<Vec<BlockHash>> = (0..threads)
        .map(|thread| {
            (0..each.min(2_000))
                .map(|round| BlockHash::of(&block(&text, thread, round)))
                .collect()
        })
        .collect();
    timed("get", seconds, threads, |thread, round| {
        let known = &hashes[thread];
        match store.get(&known[round as usize % known.len()]) {
            Err(storage::Error::BlockMissing(_)) => Ok(()), // a slow thread had not come that far
            other => other.map(|_| ()),
        }
    })?;
    Ok(())
}

fn open(folder: &std::path::Path, replicas: usize) -> Result<BlockStore, Failure> {
    let kv = LevelDbStore::open(&folder.join("kv"), leveldb::Options::default())?;
    let targets = (0..replicas)
        .map(|number| Target::new(format!("t{number}"), folder.join(format!("t{number}"))));
    let options = Options {
        replicas,
        cache_bytes: 0,
        ..Options::default()
    };
    Ok(BlockStore::open(
        Arc::new(kv),
        targets.collect(),
        options,
        Keyring::in_memory()?,
        Env::system().clock,
    )?)
}

/// Runs `work(thread, round)` on all threads for the time; prints the rate and the processor time of each call.
fn timed(
    what: &str,
    seconds: usize,
    threads: usize,
    work: impl Fn(usize, u64) -> storage::Result<()> + Sync,
) -> Result<u64, Failure> {
    let (done, start, cpu) = (AtomicU64::new(0), Instant::now(), cpu_time());
    let end = start + Duration::from_secs(seconds as u64);
    std::thread::scope(|scope| {
        let (done, work) = (&done, &work);
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    for round in 0.. {
                        if Instant::now() >= end {
                            break;
                        }
                        work(thread, round)?;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok::<_, storage::Error>(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .map_err(|_| storage::Error::Engine("a worker panicked".into()))?
        })
    })?;
    let count = done.into_inner();
    let (wall, cpu) = (start.elapsed(), cpu_time().saturating_sub(cpu));
    let rate = count as f64 / wall.as_secs_f64();
    println!(
        "{what:12} {rate:9.0}/s   {:6.1} us CPU each",
        cpu.as_micros() as f64 / count.max(1) as f64
    );
    Ok(count)
}

/// Text-like bytes that no other block has: one text, with the thread's and the round's number in front.
fn block(text: &[u8], thread: usize, round: u64) -> Vec<u8> {
    let mut block = text.to_vec();
    let stamp = [(thread as u64).to_be_bytes(), round.to_be_bytes()].concat();
    for (to, from) in block.iter_mut().zip(stamp) {
        *to = from;
    }
    block
}

fn text(bytes: usize) -> Vec<u8> {
    let (mut state, mut text) = (1u64, Vec::with_capacity(bytes + 32));
    while text.len() < bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let words = [" the", " of", " document", " and", " block"];
        text.extend_from_slice(words[(state >> 60) as usize % words.len()].as_bytes());
        text.extend_from_slice(format!("{:x}", state >> 44).as_bytes());
    }
    text.truncate(bytes);
    text
}

fn fsync_ms(folder: &std::path::Path) -> Result<f64, Failure> {
    use std::os::unix::fs::FileExt;
    std::fs::create_dir_all(folder)?;
    let file = std::fs::File::create(folder.join("fsync"))?;
    let start = Instant::now();
    for round in 0..50u64 {
        file.write_all_at(&[1; 4096], round * 4096)?;
        file.sync_data()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1_000.0 / 50.0)
}

/// User and system time of this process so far.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}
