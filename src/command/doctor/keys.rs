//! The key-encryption keys and the operator's certificate.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use storage::key::{Keyring, Source};

use super::Finding;
use crate::config::{Config, TlsMode};
use crate::node::key_source;
use crate::rpc::ClusterKey;

/// A certificate that ends sooner is told, seconds.
const ENDS_SOON_S: i64 = 14 * 24 * 3600;

/// Looks at the keys and certificates.
pub fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if super::has_store(config) {
        findings.push(key_encryption_keys(key_source(config)));
    }
    findings.extend(config.cluster_key.as_deref().map(cluster_key));
    if let TlsMode::Files { cert, key } = &config.tls {
        findings.push(certificate(cert));
        findings.extend(private(key));
    }
    findings
}

fn key_encryption_keys(source: Source) -> Finding {
    if let Source::File(path) = &source
        && let Some(open) = private(path)
    {
        return open;
    }
    match Keyring::load(source) {
        Ok(keys) => Finding::ok(format!("key-encryption keys: {keys:?}")),
        Err(error) => Finding::broken(
            format!("the key-encryption keys cannot be had: {error}"),
            "put the copy of keys/kek.json back (mode 600), or make `kek_command` print them: without them nothing can be read",
        ),
    }
}

fn cluster_key(path: &Path) -> Finding {
    if let Some(open) = private(path) {
        return open;
    }
    match ClusterKey::read(path) {
        Ok(_) => Finding::ok(format!("the cluster key {}", path.display())),
        Err(error) => Finding::broken(
            format!("{error:#}"),
            "put the file there that the cluster's other machines have: without it this process is none of them",
        ),
    }
}

/// A finding when others can read the file.
fn private(path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let shown = path.display();
    (mode & 0o077 != 0).then(|| {
        Finding::broken(
            format!("other users of this machine can read the key {shown}"),
            format!("chmod 600 {shown}"),
        )
    })
}

fn certificate(path: &Path) -> Finding {
    let shown = path.display();
    let ends = match web::certificate_ends_s(path) {
        Ok(ends) => ends,
        Err(error) => {
            return Finding::broken(
                format!("the certificate {shown}: {error}"),
                "name a PEM file in tls_cert",
            );
        }
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64);
    let days = (ends - now) / (24 * 3600);
    match ends - now {
        ..=0 => Finding::broken(
            format!("the certificate {shown} has expired"),
            "renew it; the server reads the file again within an hour",
        ),
        1..ENDS_SOON_S => Finding::warning(
            format!("the certificate {shown} ends in {days} days"),
            "does its renewal run?",
        ),
        _ => Finding::ok(format!("the certificate {shown} is good for {days} days")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_key_that_others_can_read_is_broken_and_so_is_a_lost_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek.json");
        assert_eq!(
            key_encryption_keys(Source::File(path.clone())).level,
            Level::Broken
        );
        Keyring::create(Source::File(path.clone())).unwrap();
        assert_eq!(
            key_encryption_keys(Source::File(path.clone())).level,
            Level::Ok
        );
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(key_encryption_keys(Source::File(path)).level, Level::Broken);
    }

    #[test]
    fn a_cluster_key_that_is_short_lost_or_open_to_others_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster.key");
        assert_eq!(cluster_key(&path).level, Level::Broken);
        for (length, level) in [(8, Level::Broken), (64, Level::Ok)] {
            std::fs::write(&path, "a".repeat(length)).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            assert_eq!(cluster_key(&path).level, level);
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(cluster_key(&path).level, Level::Broken);
    }
}
