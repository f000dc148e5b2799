//! Measures small transactions on the embedded store: `kv_bench [FOLDER] [SECONDS]`.
//!
//! Each reads two keys, writes two (100 bytes), appends to a log and adds to a counter, as a file's version does. Prints
//! transactions per second, latencies, and CPU time per transaction (user and system, all threads) for 1, 8 and 32 threads.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::Rng;
use storage::kv::leveldb::{LevelDbStore, Options};
use storage::kv::{Store, Value};

const KEYS: u64 = 1_000_000;
const TICKS_PER_SECOND: f64 = 100.0;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let folder = args
        .next()
        .map_or_else(|| std::env::temp_dir().join("kv-bench"), PathBuf::from);
    let seconds = args.next().map_or(Ok(5), |text| text.parse())?;
    println!(
        "fsync of 4 KiB: {:.2} ms (median of 50)",
        fsync_ms(&folder)?
    );
    let store = LevelDbStore::open(&folder.join("store"), Options::default())?;
    for threads in [1, 8, 32] {
        measure(&store, threads, Duration::from_secs(seconds))?;
    }
    Ok(())
}

fn measure(store: &LevelDbStore, threads: u64, time: Duration) -> Result<(), Failure> {
    let stop = AtomicBool::new(false);
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    let mut latencies: Vec<Duration> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| work(store, &stop)))
            .collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| "a worker panicked")?);
        joined.collect::<Result<Vec<_>, Failure>>()
    })?
    .concat();
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    latencies.sort_unstable();
    let (count, at) = (latencies.len(), |share: f64| {
        latencies[(latencies.len() as f64 * share) as usize].as_secs_f64() * 1e3
    });
    println!(
        "{threads:>3} threads: {:>7.0} txn/s, p50 {:.2} ms, p99 {:.2} ms, {:.1} us CPU/txn",
        count as f64 / seconds,
        at(0.5),
        at(0.99),
        cpu * 1e6 / count as f64
    );
    Ok(())
}

fn work(store: &LevelDbStore, stop: &AtomicBool) -> Result<Vec<Duration>, Failure> {
    let mut latencies = Vec::new();
    let mut random = rand::rng();
    while !stop.load(Ordering::Relaxed) {
        let (a, b): (u64, u64) = (random.random_range(0..KEYS), random.random_range(0..KEYS));
        let log = [b'l', (a % 64) as u8];
        let began = Instant::now();
        store.transact(&mut |txn| {
            let (a, b) = (
                [b"file", &a.to_be_bytes()[..]].concat(),
                [b"name", &b.to_be_bytes()[..]].concat(),
            );
            txn.get(&a)?;
            txn.get(&b)?;
            let ticket = txn.append(&log, vec![1; 60].into());
            txn.put(
                a,
                Value {
                    bytes: vec![2; 100],
                    holes: vec![(0, ticket)],
                },
            );
            txn.put(b, vec![3; 100].into());
            txn.add(b"bytes", 100, Some(i64::MAX));
            Ok(())
        })?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

fn fsync_ms(folder: &Path) -> Result<f64, Failure> {
    use std::io::Write;
    std::fs::create_dir_all(folder)?;
    let path = folder.join("fsync.probe");
    let mut file = std::fs::File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    std::fs::remove_file(path)?;
    times.sort_unstable_by(f64::total_cmp);
    Ok(times[25])
}

/// User and system time of this process.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_whitespace().skip(11).take(2);
    let ticks = fields.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS_PER_SECOND)
}
