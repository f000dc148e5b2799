//! The machine: limits and memory.

use rustix::process::{Resource, getrlimit};

use super::Finding;

/// Connections, extents and index files need about so many.
const OPEN_FILES: u64 = 8192;
/// Below this, extraction of large files and merging the index may not fit, bytes.
const MEMORY: u64 = 1 << 30;

/// Looks at the machine.
pub fn examine() -> Vec<Finding> {
    let mut findings = vec![open_files(getrlimit(Resource::Nofile).maximum)];
    findings.extend(crate::memory::total_bytes().map(memory));
    findings
}

fn open_files(limit: Option<u64>) -> Finding {
    match limit {
        Some(limit) if limit < OPEN_FILES => Finding::warning(
            format!("at most {limit} files can be open"),
            format!("allow {OPEN_FILES} or more: LimitNOFILE= in the systemd unit, or `ulimit -n`"),
        ),
        _ => Finding::ok("enough files can be open"),
    }
}

fn memory(bytes: u64) -> Finding {
    let what = format!("the machine has {} MiB of memory", bytes >> 20);
    match bytes {
        0..MEMORY => Finding::warning(what, "1 GiB or more; with less set `extract_workers = 1`"),
        _ => Finding::ok(what),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn small_machines_are_told() {
        assert_eq!(memory(1 << 20).level, Level::Warning);
        assert_eq!(open_files(Some(1024)).level, Level::Warning);
        assert_eq!(open_files(None).level, Level::Ok);
    }
}
