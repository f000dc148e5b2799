//! The pool with real workers: this executable is its own worker, so it has a `main` of its own.

use std::io::{Cursor, Write};
use std::thread;

use indexer::extract::{Limits, Outcome, WORKER_ARGUMENT, WorkerCommand, WorkerPool, run_worker};
use zip::write::{SimpleFileOptions, ZipWriter};

fn main() {
    if std::env::args().nth(1).as_deref() == Some(WORKER_ARGUMENT) {
        run_worker().expect("the worker's pipes hold");
        return;
    }
    texts_come_back_from_many_threads();
    memory_is_limited_and_the_next_file_is_fine();
    workers_reach_no_file_no_network_and_no_program();
    println!("extract_pool: ok");
}

fn pool(limits: Limits) -> WorkerPool {
    let command = WorkerCommand::current_exe().expect("this executable has a path");
    WorkerPool::new(command, 2, limits)
}

fn texts_come_back_from_many_threads() {
    let pool = pool(Limits::default());
    thread::scope(|scope| {
        for thread in 0..4 {
            let pool = &pool;
            scope.spawn(move || {
                for file in 0..50 {
                    let text = format!("words of file {file} of thread {thread}");
                    let plain = pool.extract("a.txt", text.as_bytes());
                    assert_eq!(
                        (plain.text.as_str(), plain.is_content),
                        (text.as_str(), true)
                    );
                    let page = format!("<html><p>{text}</p>");
                    assert_eq!(pool.extract("a.html", page.as_bytes()).text.trim(), text);
                }
            });
        }
    });
}

fn memory_is_limited_and_the_next_file_is_fine() {
    let limits = Limits {
        memory_bytes: 400 << 20,
        ..Limits::default()
    };
    let pool = pool(limits);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [
        ("[Content_Types].xml", 1),
        ("xl/workbook.xml", 1),
        ("xl/sharedStrings.xml", 90 << 20),
    ] {
        writer
            .start_file(name, SimpleFileOptions::default())
            .expect("zips are written");
        let part = b"<si><t>a</t></si>".repeat(1 << 16);
        let mut left: usize = bytes;
        while left > 0 {
            let written = left.min(part.len());
            writer
                .write_all(&part[..written])
                .expect("zips are written");
            left -= written;
        }
    }
    let bomb = writer.finish().expect("zips are written").into_inner();
    let detail = "extraction ran out of memory".to_owned();
    assert_eq!(
        pool.extract("a.xlsx", &bomb).outcome,
        Outcome::Damaged { detail }
    );
    assert_eq!(pool.extract("a.txt", b"still here").text, "still here");
}

fn workers_reach_no_file_no_network_and_no_program() {
    let pool = pool(Limits::default());
    let sandbox = pool.sandbox().expect("a worker answers");
    assert!(sandbox.seccomp, "{sandbox:?}"); // any kernel that Firefly runs on has it
    assert!(sandbox.is_closed(), "{sandbox:?}");
    assert_eq!(pool.extract("a.txt", b"and it works").text, "and it works");
}
