//! What a worker takes from itself before it sees a file: files, network, other processes. It needs none of them: its input
//! comes through a pipe, and its answer goes through another. Programs that read files for us keep sight of what is installed.
//!
//! Landlock closes the file system, TCP, abstract sockets and signals; seccomp lets through only the system calls that computing
//! and the pipes need. Either is enough against opened files and TCP; both together leave nothing. Where the kernel has
//! none of them the limits of the worker still hold, and [`Sandbox`] says so.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fs::File;
use std::net::UdpSocket;
use std::process::Command;

use landlock::{
    ABI, Access, AccessFs, AccessNet, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use libc::{ENOSYS, EPERM};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};
use serde::{Deserialize, Serialize};

/// What holds in a worker, tried out there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Landlock is on, as much of it as this kernel has.
    pub landlock: bool,
    /// The filter of system calls is on.
    pub seccomp: bool,
    /// It can open a file.
    pub opens_files: bool,
    /// It can open a socket.
    pub opens_sockets: bool,
    /// It can start a program.
    pub starts_programs: bool,
}

impl Sandbox {
    /// True when a worker has its pipes and nothing else.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !(self.opens_files || self.opens_sockets || self.starts_programs)
    }
}

/// Which of the two are on.
#[derive(Clone, Copy)]
pub(super) struct Entered {
    landlock: bool,
    seccomp: bool,
}

/// Closes this process. Threads that start later are closed too, those that run already are not.
pub(super) fn enter() -> Entered {
    Entered {
        landlock: matches!(
            restrict(&[]),
            Ok(RestrictionStatus {
                ruleset: RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced,
                ..
            })
        ),
        seccomp: filter().is_some(),
    }
}

/// Tries what must not work.
pub(super) fn attempt(entered: Entered) -> Sandbox {
    Sandbox {
        landlock: entered.landlock,
        seccomp: entered.seccomp,
        opens_files: File::open("/proc/self/exe").is_ok() || File::open("/").is_ok(),
        opens_sockets: UdpSocket::bind("127.0.0.1:0").is_ok(),
        starts_programs: Command::new("/proc/self/exe")
            .arg("--version")
            .output()
            .is_ok(),
    }
}

/// Leaves this process what a program of the system needs: to read and run what is installed. No other file, no network.
/// The program that this process becomes inherits that.
pub(super) fn enter_for_programs() {
    // Where a kernel has neither, the limits of the process still hold; `Sandbox` tells what it has.
    let _ = restrict(INSTALLED);
    let _ = filter_network();
}

/// Where programs, their libraries and their data are installed.
const INSTALLED: &[&str] = &[
    "/usr",
    "/bin",
    "/lib",
    "/lib64",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/fonts",
    "/dev/null",
    "/dev/urandom",
];

/// The newest rules that are written down here; a kernel takes those that it knows.
const KNOWN: ABI = ABI::V6;

fn restrict(readable: &[&str]) -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .add_rules(path_beneath_rules(readable, AccessFs::from_read(KNOWN)))?
        .restrict_self()
}

fn filter_network() -> Option<()> {
    let arch = TargetArch::try_from(ARCH).ok()?;
    let denied = SeccompAction::Errno(EPERM.unsigned_abs());
    let calls = [
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_io_uring_setup,
        libc::SYS_ptrace,
    ];
    let calls = calls.into_iter().map(|call| (call, Vec::new())).collect();
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, denied, arch).ok()?;
    let program: BpfProgram = filter.try_into().ok()?;
    apply_filter(&program).ok()
}

fn filter() -> Option<()> {
    let arch = TargetArch::try_from(ARCH).ok()?;
    // glibc asks for clone3 first, whose flags a filter cannot see, and takes clone when there is none.
    let absent = SeccompAction::Errno(ENOSYS.unsigned_abs());
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let no_clone3 = SeccompFilter::new(clone3, SeccompAction::Allow, absent, arch).ok()?;
    let denied = SeccompAction::Errno(EPERM.unsigned_abs());
    let allowed = SeccompFilter::new(calls()?, denied, SeccompAction::Allow, arch).ok()?;
    let programs: [BpfProgram; 2] = [no_clone3.try_into().ok()?, allowed.try_into().ok()?];
    programs
        .iter()
        .try_for_each(|program| apply_filter(program).ok())
}

/// The system calls that a worker may make.
fn calls() -> Option<BTreeMap<i64, Vec<SeccompRule>>> {
    let mut calls: BTreeMap<i64, Vec<SeccompRule>> =
        CALLS.iter().map(|call| (*call, Vec::new())).collect();
    let own = u64::from(std::process::id());
    let threads = u64::try_from(libc::CLONE_THREAD).ok()?;
    // Threads, but no processes; signals to itself, which is how it aborts; its own limits.
    let only = |argument, compare, value| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, value);
        Some(vec![SeccompRule::new(vec![condition.ok()?]).ok()?])
    };
    calls.insert(
        libc::SYS_clone,
        only(0, SeccompCmpOp::MaskedEq(threads), threads)?,
    );
    calls.insert(libc::SYS_tgkill, only(0, SeccompCmpOp::Eq, own)?);
    calls.insert(libc::SYS_prlimit64, only(0, SeccompCmpOp::Eq, 0)?);
    Some(calls)
}

/// Memory, threads, clocks, and descriptors that are open already. `clone3` is answered by a filter of its own, and `seccomp` and
/// `prctl` belong to the entry itself: neither can take a filter away.
const CALLS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_prctl,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_seccomp,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];
