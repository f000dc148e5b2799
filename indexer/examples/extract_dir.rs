//! Extracts every file of a folder through the worker pool: `extract_dir DIR OUT` writes OUT/NAME.txt and says how each went.

use std::time::Instant;

use indexer::extract::{Limits, WORKER_ARGUMENT, WorkerCommand, WorkerPool, run_worker};

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == WORKER_ARGUMENT) {
        return run_worker();
    }
    let [dir, out] = args.as_slice() else {
        return Err(std::io::Error::other("usage: extract_dir DIR OUT"));
    };
    std::fs::create_dir_all(out)?;
    let pool = WorkerPool::new(WorkerCommand::current_exe()?, 2, Limits::default());
    let mut paths: Vec<_> = std::fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
    paths.sort_by_key(std::fs::DirEntry::file_name);
    for entry in paths.iter().filter(|entry| entry.path().is_file()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let bytes = std::fs::read(entry.path())?;
        let started = Instant::now();
        let given = pool.extract(&name, &bytes);
        println!(
            "{:>9.2} ms {:>9} -> {:>8} {:<12} {:?} {name}",
            started.elapsed().as_secs_f64() * 1e3,
            bytes.len(),
            given.text.len(),
            given.detected.as_str(),
            given.outcome,
        );
        std::fs::write(format!("{out}/{name}.txt"), &given.text)?;
    }
    Ok(())
}
