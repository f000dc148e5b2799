//! HAProxy as the example has it, two of them, in front of two web processes on one database. Under load one web process is
//! killed, then the balancer that everybody uses: no request fails once its client has tried again.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::engine::Engine;
use crate::http::{Answer, Http};
use crate::program::until;
use crate::roles::Cluster;
use crate::user::User;

const WRITERS: usize = 3;
/// Files that are stored between one loss and the next.
const BETWEEN: usize = 20;
/// How long a client tries a request again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a client waits before it tries again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long anything else may take, seconds.
const LIMIT_S: u64 = 120;

/// What all clients of the test share.
struct Load {
    /// One account, through either balancer.
    ways: [User; 2],
    /// The balancer that is asked first.
    way: AtomicUsize,
    done: AtomicUsize,
    again: AtomicUsize,
    stop: AtomicBool,
}

impl Load {
    /// Sends a request until it is answered: by the same balancer, or else by the other.
    fn insist(&self, send: impl Fn(&User) -> std::io::Result<Answer>) -> Answer {
        let until = Instant::now() + PATIENCE;
        loop {
            let way = self.way.load(Ordering::Relaxed);
            let said = match send(&self.ways[way % 2]) {
                Ok(answer) if answer.status < 429 => return answer,
                Ok(answer) => format!("{} {}", answer.status, answer.text()),
                Err(error) => error.to_string(),
            };
            assert!(Instant::now() < until, "still after {PATIENCE:?}: {said}");
            self.again.fetch_add(1, Ordering::Relaxed);
            let _another_was_faster =
                self.way
                    .compare_exchange(way, way + 1, Ordering::Relaxed, Ordering::Relaxed);
            // As clients do between two tries; PATIENCE bounds them.
            std::thread::sleep(PAUSE);
        }
    }

    /// Stores and reads until it is told to stop; returns how many files there are.
    fn write(&self, writer: usize) -> usize {
        for number in 0.. {
            let (path, content) = (path(writer, number), content(writer, number));
            let stored = self.insist(|user| user.upload(&path, content.as_bytes()));
            assert_eq!(stored.status, 200, "{path}: {}", stored.text());
            self.read(&path, &content);
            self.done.fetch_add(1, Ordering::Relaxed);
            if self.stop.load(Ordering::Relaxed) {
                return number + 1;
            }
        }
        unreachable!("the range has no end")
    }

    fn read(&self, path: &str, content: &str) {
        let argument = json!({ "path": path });
        let read = self.insist(|user| user.content("files/download", &argument, b""));
        assert_eq!(
            (read.status, read.body.as_slice()),
            (200, content.as_bytes()),
            "{path}"
        );
    }

    /// Waits until so many more files are stored.
    fn after(&self, files: usize) {
        let wanted = self.done.load(Ordering::Relaxed) + files;
        until("more files", LIMIT_S, || {
            (self.done.load(Ordering::Relaxed) >= wanted).then_some(())
        });
    }
}

fn path(writer: usize, number: usize) -> String {
    format!("/balanced/{writer}-{number}.txt")
}

fn content(writer: usize, number: usize) -> String {
    format!("the balanced letter {number} of writer {writer}")
}

/// Ends the writers also when the test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_web_process_and_a_balancer_die_and_no_request_fails() {
    let mut cluster = Cluster::new();
    let one = cluster.start("web-1", "web");
    let admin = one.admin();
    let two = cluster.start("web-2", "web");
    let _others = cluster.start("others", "shard,extract,upkeep");
    let upstream = [
        ("UPSTREAM", one.front.clone()),
        ("UPSTREAM_2", two.front.clone()),
    ];
    let mut used = Engine::start_with("haproxy", &upstream);
    let backup = Engine::start_with("haproxy", &upstream);
    let through = |balancer: &Engine| User {
        http: Http::new(&format!("127.0.0.1:{}", balancer.port())),
        ..admin.clone()
    };
    let load = Load {
        ways: [through(&used), through(&backup)],
        way: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        again: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    };
    let stored: Vec<usize> = std::thread::scope(|scope| {
        let _stop = StopOnDrop(&load.stop);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn({
                    let load = &load;
                    move || load.write(writer)
                })
            })
            .collect();
        load.after(BETWEEN);
        drop(one); // kill -9
        load.after(BETWEEN);
        used.kill9();
        load.after(BETWEEN);
        load.stop.store(true, Ordering::Relaxed);
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    assert!(
        load.again.load(Ordering::Relaxed) > 0,
        "nobody met the losses"
    );
    for (writer, files) in stored.iter().enumerate() {
        (0..*files).for_each(|number| load.read(&path(writer, number), &content(writer, number)));
    }
    until("all files to be found", LIMIT_S, || {
        let total = load.ways[1].search("balanced letter")["total"].as_u64()?;
        (total as usize == stored.iter().sum::<usize>()).then_some(())
    });
}
