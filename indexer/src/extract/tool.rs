//! Programs of the system that read files for us (character recognition, pictures of PDF pages), under limits like a worker's:
//! memory, time, no network, no files but what is installed. Input comes through a pipe, output goes through one.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::{TOOL_ARGUMENT, WorkerCommand, sandbox};

/// How often a running program is looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(20);
/// Bytes of a failed program's words that are kept.
const WORDS_BYTES: u64 = 2 << 10;
/// Files a program may hold open.
const OPEN_FILES: u64 = 64;
/// How much it steps back behind everything else.
const NICE: i32 = 19;

/// What one run of a program may cost.
#[derive(Clone, Copy, Debug)]
pub struct ToolLimits {
    /// Address space, bytes.
    pub memory_bytes: u64,
    /// Wall-clock and CPU time, milliseconds.
    pub time_ms: u64,
    /// Output, bytes; more is a failure.
    pub output_bytes: u64,
}

/// Why a program gave nothing.
#[derive(Debug)]
pub enum ToolFailure {
    /// It took too long.
    Late,
    /// It was told to stop.
    Stopped,
    /// It failed; what it said last.
    Failed(String),
}

/// The path of a program, when the search path has it.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Becomes the program `command`, confined. This is what the executable does when [`run_tool`] starts it with
/// [`TOOL_ARGUMENT`]; the first two of its arguments are the limits.
pub fn become_tool(command: &[OsString]) -> io::Error {
    let [memory_bytes, seconds, program, args @ ..] = command else {
        return io::Error::other("no program to become");
    };
    let number = |text: &OsString| text.to_str()?.parse().ok();
    let (Some(memory), Some(seconds)) = (number(memory_bytes), number(seconds)) else {
        return io::Error::other("the limits are no numbers");
    };
    if let Err(error) = limit(memory, seconds) {
        return error;
    }
    sandbox::enter_for_programs();
    Command::new(program)
        .args(args)
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("OMP_THREAD_LIMIT", "1") // as many threads as asked for: one
        .exec()
}

fn limit(memory_bytes: u64, seconds: u64) -> io::Result<()> {
    let limits = [
        (Resource::As, memory_bytes),
        (Resource::Cpu, seconds),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        let fixed = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, fixed)?;
    }
    rustix::process::nice(NICE)?;
    Ok(())
}

/// Runs a program on `input` and returns its output. `stop` is asked now and then. Blocks.
///
/// # Errors
/// When it does not start, fails, says too much, or takes too long.
pub fn run_tool(
    worker: &WorkerCommand,
    program: &OsStr,
    args: &[&str],
    input: &[u8],
    limits: &ToolLimits,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<u8>, ToolFailure> {
    let failed = |error: io::Error| ToolFailure::Failed(error.to_string());
    let seconds = limits.time_ms.div_ceil(1_000);
    let mut child = Command::new(&worker.program)
        .arg(TOOL_ARGUMENT)
        .args([
            "--".to_owned(),
            limits.memory_bytes.to_string(),
            seconds.to_string(),
        ])
        .arg(program)
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let deadline = Instant::now() + Duration::from_millis(limits.time_ms);
    thread::scope(|scope| {
        scope.spawn(move || {
            // A program that has seen enough closes its end.
            stdin.map(|mut stdin| stdin.write_all(input))
        });
        let output = scope.spawn(move || collect(stdout, limits.output_bytes + 1));
        let words = scope.spawn(move || collect(stderr, WORDS_BYTES));
        let ended = watch(&mut child, deadline, stop);
        let output = output.join().unwrap_or_default();
        let words = words.join().unwrap_or_default();
        let is_success = ended?;
        if output.len() as u64 > limits.output_bytes {
            return Err(ToolFailure::Failed("it said too much".to_owned()));
        }
        if !is_success {
            let words = String::from_utf8_lossy(&words);
            return Err(ToolFailure::Failed(words.trim().to_owned()));
        }
        Ok(output)
    })
}

/// At most `limit` bytes of a pipe; the rest is thrown away, so that the program does not wait for a reader.
fn collect(pipe: Option<impl Read>, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let read = (&mut pipe).take(limit).read_to_end(&mut bytes);
        if read.is_ok() && bytes.len() as u64 == limit {
            drop(io::copy(&mut pipe, &mut io::sink()));
        }
    }
    bytes
}

/// Whether the program ended well; it is killed when it is late or unwanted.
fn watch(
    child: &mut Child,
    deadline: Instant,
    stop: &dyn Fn() -> bool,
) -> Result<bool, ToolFailure> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if Instant::now() > deadline => return Err(end(child, ToolFailure::Late)),
            Ok(None) if stop() => return Err(end(child, ToolFailure::Stopped)),
            Ok(None) => thread::sleep(LOOK_PERIOD),
            Err(error) => return Err(end(child, ToolFailure::Failed(error.to_string()))),
        }
    }
}

fn end(child: &mut Child, why: ToolFailure) -> ToolFailure {
    let ended = child.kill().and_then(|()| child.wait());
    if let Err(error) = ended {
        tracing::warn!(%error, "a program could not be killed");
    }
    why
}
