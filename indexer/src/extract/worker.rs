//! The child's side: limits on itself, then one request after another.

use std::io::{self, BufReader, BufWriter, Write};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::sandbox::{self, Entered};
use super::wire::{self, Request};
use super::{Limits, Unopened, extract, open_member};

/// Stack of the thread that extracts, in bytes: readers of nested formats recurse.
const STACK_BYTES: usize = 64 << 20;
/// Files a worker may hold open: its three pipes, and a few for its runtime.
const OPEN_FILES: u64 = 16;

/// Closes itself to files and network, then reads framed requests on stdin and writes framed answers on stdout until stdin
/// closes. The first frame holds the [`Limits`], which the process puts on itself before it looks at any file.
///
/// # Errors
/// When a pipe breaks or a limit cannot be set.
pub fn run_worker() -> io::Result<()> {
    std::panic::set_hook(Box::new(|_| {}));
    let entered = sandbox::enter(); // before any thread: they inherit it
    thread::Builder::new().spawn(die_with_parent)?;
    let worker = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || serve(entered))?;
    worker
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the worker's loop panicked")))
}

/// Ends this process, whatever it is doing, when the other end of stdin is gone.
fn die_with_parent() {
    let stdin = io::stdin();
    loop {
        let mut watched = [PollFd::new(&stdin, PollFlags::empty())];
        if poll(&mut watched, None).is_ok() {
            // Requests that were sent before the parent went are answered to nobody.
            thread::sleep(Duration::from_millis(50));
            std::process::exit(0);
        }
    }
}

fn serve(entered: Entered) -> io::Result<()> {
    let mut requests = BufReader::with_capacity(64 << 10, io::stdin());
    let mut answers = BufWriter::with_capacity(64 << 10, io::stdout());
    let Some(limits) = wire::receive::<Limits>(&mut requests)? else {
        return Ok(());
    };
    confine(&limits)?;
    let mut cpu = CpuLimit::default();
    while let Some(request) = wire::receive::<Request>(&mut requests)? {
        cpu.allow(limits.time_ms)?;
        match request {
            Request::Extract { name, bytes } => {
                let content = wire::receive_raw(&mut requests, bytes)?;
                answer(&name, content, &mut answers, &limits)?;
            }
            Request::Open {
                name,
                bytes,
                number,
            } => {
                let content = wire::receive_raw(&mut requests, bytes)?;
                let opened = open_member(&name, &content, number, &limits);
                drop(content);
                hand_out(opened, &mut answers)?;
            }
            Request::Sandbox => wire::send(&mut answers, &sandbox::attempt(entered), &[])?,
        }
    }
    Ok(())
}

fn answer(name: &str, bytes: Vec<u8>, to: &mut impl Write, limits: &Limits) -> io::Result<()> {
    let mut given = extract(name, &bytes, limits);
    if given.is_content {
        // The parent has these very bytes.
        given.text = String::new();
    }
    drop(bytes);
    wire::send(to, &given, &[])
}

fn hand_out(opened: Result<Vec<u8>, Unopened>, to: &mut impl Write) -> io::Result<()> {
    let length = |opened: &Vec<u8>| u32::try_from(opened.len()).map_err(|_| Unopened::TooLarge);
    let told = opened.as_ref().map_err(Clone::clone).and_then(length);
    let bytes = opened.unwrap_or_default();
    let raw = if told.is_ok() { &bytes[..] } else { &[] };
    wire::send(to, &told, raw)
}

fn confine(limits: &Limits) -> io::Result<()> {
    let fixed = |bytes| Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    setrlimit(Resource::As, fixed(limits.memory_bytes))?;
    setrlimit(Resource::Nofile, fixed(OPEN_FILES))?;
    setrlimit(Resource::Fsize, fixed(0))?;
    setrlimit(Resource::Core, fixed(0))?;
    Ok(())
}

/// CPU time is limited for the whole process, so every request moves the limit.
#[derive(Default)]
struct CpuLimit {
    set_seconds: u64,
}

impl CpuLimit {
    fn allow(&mut self, time_ms: u64) -> io::Result<()> {
        let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or(0);
        let seconds = used + time_ms / 1_000 + 2;
        if seconds > self.set_seconds {
            setrlimit(
                Resource::Cpu,
                Rlimit {
                    current: Some(seconds),
                    maximum: None,
                },
            )?;
            self.set_seconds = seconds;
        }
        Ok(())
    }
}
