//! The data folder and the block folders: there, private, on a disk that suits, with room.

use std::fs::Metadata;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use storage::block::Place;
use storage::object::{self, BlockingObjects};

use super::Finding;
use crate::config::Config;

/// Less free space than this is told, bytes.
const LITTLE_ROOM: u64 = 5 << 30;
/// Less than this is too little to work with, bytes.
const NO_ROOM: u64 = 256 << 20;
/// Synced writes that are timed.
const WRITES: usize = 16;
/// A synced write that takes longer makes uploads slow.
const SLOW_SYNC: Duration = Duration::from_millis(40);
/// What `statfs` says of file systems that are not a local disk: type, name, what is wrong with it, whether bytes are lost.
const UNSUITED: [(i64, &str, &str); 5] = [
    (
        0x0102_1994,
        "tmpfs",
        "it is memory: everything is lost with the machine's power",
    ),
    (
        0x6969,
        "NFS",
        "locks and synced writes over a network are slow and may not hold",
    ),
    (
        0xff53_4d42_u32 as i64,
        "CIFS",
        "locks and synced writes over a network are slow and may not hold",
    ),
    (
        0xfe53_4d42_u32 as i64,
        "SMB2",
        "locks and synced writes over a network are slow and may not hold",
    ),
    (
        0x794c_7630,
        "overlayfs",
        "a container's own layer is lost with the container",
    ),
];

/// Looks at the folders.
pub fn examine(config: &Config) -> Vec<Finding> {
    let data = &config.data;
    let Ok(metadata) = std::fs::metadata(data) else {
        let what = format!("there is no data folder {}", data.display());
        return vec![Finding::warning(
            what,
            "`firefly serve` makes it on its first start, or name another one with --data",
        )];
    };
    let mut findings = vec![private(data, &metadata)];
    findings.extend(disk(data));
    findings.push(synced_writes(data));
    if super::has_store(config) {
        findings.extend(config.targets.iter().flat_map(target));
        findings.extend(apart(config));
    }
    if storage::backup::is_unfinished(data) {
        let what = format!("a restore into {} was interrupted", data.display());
        let cure =
            "run the same `firefly restore` again; until it is through no server starts here";
        findings.push(Finding::broken(what, cure));
    }
    findings.extend(config.import_roots.iter().map(|root| import_root(root)));
    findings
}

/// A folder that administrators may import from the page: this user must be able to read it.
fn import_root(root: &Path) -> Finding {
    match std::fs::read_dir(root) {
        Ok(_) => Finding::ok(format!("{} can be imported from the page", root.display())),
        Err(error) => Finding::warning(
            format!("the import root {} cannot be read: {error}", root.display()),
            "make the folder, give the service's user the right to read it, or take it out of `import_roots`; \
             the hardened unit hides /home",
        ),
    }
}

fn private(folder: &Path, metadata: &Metadata) -> Finding {
    let shown = folder.display();
    let me = rustix::process::geteuid().as_raw();
    if metadata.uid() != me && me != 0 {
        let what = format!(
            "{shown} belongs to user {}, and this is user {me}",
            metadata.uid()
        );
        return Finding::broken(
            what,
            "run firefly as the owner, or give the folder to the user that runs it (chown -R)",
        );
    }
    match metadata.permissions().mode() & 0o077 {
        0 => Finding::ok(format!("only its owner can read {shown}")),
        _ => Finding::warning(
            format!("other users of this machine can look into {shown}"),
            format!("chmod 700 {shown}"),
        ),
    }
}

/// The file system under a folder: its kind and its room.
fn disk(folder: &Path) -> Vec<Finding> {
    let shown = folder.display();
    let mut findings = Vec::new();
    if let Ok(system) = rustix::fs::statfs(folder)
        && let Some((_, name, why)) = UNSUITED.iter().find(|(kind, ..)| *kind == system.f_type)
    {
        let cure =
            "put it on a local disk (ext4, xfs, btrfs, zfs), a mounted volume in a container";
        findings.push(Finding::warning(
            format!("{shown} is on {name}: {why}"),
            cure,
        ));
    }
    match rustix::fs::statvfs(folder) {
        Ok(system) => findings.push(room(
            folder,
            system.f_bavail * system.f_frsize,
            system.f_favail,
        )),
        Err(error) => findings.push(Finding::broken(
            format!("{shown} cannot be looked at: {error}"),
            "is the disk there?",
        )),
    }
    findings
}

fn room(folder: &Path, free: u64, inodes: u64) -> Finding {
    let what = format!(
        "{} has {} MiB and {inodes} files left",
        folder.display(),
        free >> 20
    );
    let cure = "make room on this disk, or move the folder (stopped) to a larger one; uploads are refused when it is full";
    match free {
        0..NO_ROOM => Finding::broken(what, cure),
        NO_ROOM..LITTLE_ROOM => Finding::warning(what, cure),
        _ if inodes < 10_000 && inodes > 0 => Finding::warning(what, cure),
        _ => Finding::ok(what),
    }
}

/// How long a synced write takes: every acknowledgement waits for one.
fn synced_writes(folder: &Path) -> Finding {
    let took = time_writes(folder);
    match took {
        Ok(took) if took > SLOW_SYNC => Finding::warning(
            format!(
                "a synced write in {} takes {} ms",
                folder.display(),
                took.as_millis()
            ),
            "every upload waits for one: a disk of flash, or a controller with a protected cache, is much faster",
        ),
        Ok(took) => Finding::ok(format!(
            "a synced write takes {:.1} ms",
            took.as_secs_f64() * 1e3
        )),
        Err(error) => Finding::broken(
            format!("nothing can be written to {}: {error}", folder.display()),
            "mount the disk writable, make room, and give the folder to the user that runs firefly",
        ),
    }
}

/// The middle one of some synced writes to a file that has no name and goes by itself.
fn time_writes(folder: &Path) -> Result<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut took = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let begun = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    Ok(took[WRITES / 2])
}

fn target(place: &Place) -> Vec<Finding> {
    match place {
        Place::Folder(folder) => block_folder(folder),
        Place::Url(url) if place.is_block_server() => vec![block_server(url)],
        Place::Url(url) => vec![remote(url)],
    }
}

/// Whether a place on other machines answers and is Firefly's.
fn remote(url: &str) -> Finding {
    let shown = object::shown(url);
    let marker = BlockingObjects::open(url)
        .and_then(|objects| objects.impatient().get(storage::block::TARGET_MARKER));
    match marker {
        Ok(Some(_)) => Finding::ok(format!("blocks in {shown}")),
        Ok(None) => Finding::broken(
            format!("{shown} holds nothing of Firefly's"),
            "look at the URL: the bucket or folder is another, or was emptied",
        ),
        Err(error) => Finding::broken(
            format!("{shown} does not answer as it should: {error}"),
            "look at the endpoint, the credentials and the network; reads of what is there wait for it",
        ),
    }
}

/// Whether a block server answers and keeps a store's extents.
fn block_server(url: &str) -> Finding {
    let shown = object::shown(url);
    match storage::block::served::is_taken(url) {
        Ok(true) => Finding::ok(format!("blocks on {shown}")),
        Ok(false) => Finding::broken(
            format!("{shown} holds nothing of Firefly's"),
            "its disk was lost or is not mounted: `firefly storage replace` gives its place to another; the other copies are on other targets",
        ),
        Err(error) => Finding::broken(
            format!("{shown} does not answer as it should: {error}"),
            "look whether it runs (firefly serve --role block) and has the same cluster key",
        ),
    }
}

fn block_folder(folder: &Path) -> Vec<Finding> {
    let shown = folder.display();
    if !folder.join(storage::block::TARGET_MARKER).exists() {
        let what = format!("the block folder {shown} is not there, or holds nothing of Firefly's");
        return vec![Finding::broken(
            what,
            "mount its disk; a lost one is replaced as docs/operations.md tells (A lost disk)",
        )];
    }
    let mut findings = vec![Finding::ok(format!("blocks in {shown}"))];
    findings.extend(disk(folder));
    if let Err(error) = tempfile::tempfile_in(folder) {
        let what = format!("the block folder {shown} cannot be written: {error}");
        findings.push(Finding::broken(
            what,
            "mount the disk writable, and give the folder to the user that runs firefly",
        ));
    }
    findings
}

/// Replicas on one disk are lost together; S3 and HDFS keep copies by themselves.
fn apart(config: &Config) -> Option<Finding> {
    let folders = config.targets.iter().filter_map(|place| match place {
        Place::Folder(folder) => Some(folder),
        Place::Url(_) => None,
    });
    let servers = config
        .targets
        .iter()
        .filter(|place| place.is_block_server());
    if servers.count() > 0 && config.replicas < 2 {
        return Some(Finding::warning(
            "every block is on one block server only (replicas = 1)",
            "name two block servers or more in `targets` and set `replicas = 2`",
        ));
    }
    if folders.clone().count() < config.targets.len() {
        return None;
    }
    if config.replicas < 2 {
        return Some(Finding::warning(
            "every block is on one disk only (replicas = 1)",
            "name folders on two disks in `targets` and set `replicas = 2`, or keep backups often",
        ));
    }
    let devices = folders.filter_map(|folder| Some(std::fs::metadata(folder).ok()?.dev()));
    let mut devices: Vec<u64> = devices.collect();
    devices.sort_unstable();
    devices.dedup();
    (devices.len() < config.replicas).then(|| {
        let what = format!("{} replicas lie on {} disk(s)", config.replicas, devices.len());
        Finding::warning(what, "put the folders of `targets` on disks of their own; replicas on one disk are lost together")
    })
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn little_room_is_told_and_none_is_an_error() {
        let level = |free| room(Path::new("/d"), free, 1 << 20).level;
        assert_eq!(level(1 << 20), Level::Broken);
        assert_eq!(level(1 << 30), Level::Warning);
        assert_eq!(level(100 << 30), Level::Ok);
    }

    #[test]
    fn an_open_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let look = |mode| {
            std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(mode)).unwrap();
            private(folder.path(), &std::fs::metadata(folder.path()).unwrap()).level
        };
        assert_eq!(look(0o755), Level::Warning);
        assert_eq!(look(0o700), Level::Ok);
    }

    #[test]
    fn an_import_root_must_be_readable() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(import_root(folder.path()).level, Level::Ok);
        assert_eq!(import_root(&folder.path().join("no")).level, Level::Warning);
    }

    #[test]
    fn a_folder_that_holds_no_blocks_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(block_folder(folder.path())[0].level, Level::Broken);
        std::fs::write(folder.path().join(storage::block::TARGET_MARKER), "x").unwrap();
        assert_eq!(block_folder(folder.path())[0].level, Level::Ok);
    }

    #[test]
    fn synced_writes_are_timed_and_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(synced_writes(folder.path()).level < Level::Broken);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
