//! How much memory there is.

/// Bytes of memory that this process may use, at most: the machine's, or its control group's where that has less; `None` where the
/// system does not tell.
pub fn total_bytes() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").unwrap_or_default();
    bounded(&info, &limit)
}

/// The same, of `/proc/meminfo` and a control group's `memory.max` (a number, or `max`).
fn bounded(info: &str, limit: &str) -> Option<u64> {
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let machine = kib << 10;
    Some(
        limit
            .trim()
            .parse()
            .map_or(machine, |limit: u64| limit.min(machine)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_group_may_have_less_than_the_machine() {
        let info = "MemTotal:       4096 kB\nMemFree: 1 kB";
        assert_eq!(bounded(info, "max\n"), Some(4 << 20));
        assert_eq!(bounded(info, "1048576\n"), Some(1 << 20));
        assert_eq!(bounded(info, ""), Some(4 << 20));
        assert_eq!(bounded("", "1048576"), None);
    }
}
