//! The service's own certificate authority, and a certificate for this machine that it signs.
//!
//! On disk, under `DIR/tls`: `ca.pem` and `ca.key` (made once), `leaf.pem` and `leaf.key`. A first line before each
//! PEM block, which PEM readers skip, says until when (seconds since 1970) and for which names it stands.

use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use crate::{Error, Result};

const CA_LIFE: Duration = Duration::days(20 * 365);
/// Clients refuse certificates that live longer than 825 days; this one is short and made again half way.
const LEAF_LIFE: Duration = Duration::days(90);
const LEAF_RENEW_BEFORE: Duration = Duration::days(45);
const CA_RENEW_BEFORE: Duration = Duration::days(365);

/// The certificate chain and key (PEM) for this machine, from `folder` where they still hold, else made now.
pub fn leaf(folder: &Path, listen: IpAddr, names: &[String]) -> Result<(String, String)> {
    std::fs::create_dir_all(folder)
        .map_err(|e| Error::io(format!("making {}", folder.display()), e))?;
    let now = OffsetDateTime::now_utc();
    let (ca_pem, ca_key, ca_is_new) = authority(folder, now)?;
    let names = all_names(listen, names);
    let (cert_file, key_file) = (folder.join("leaf.pem"), folder.join("leaf.key"));
    if let (Ok(cert), Ok(key)) = (
        std::fs::read_to_string(&cert_file),
        std::fs::read_to_string(&key_file),
    ) && !ca_is_new
        && stands(&cert, now + LEAF_RENEW_BEFORE, &names.join(","))
    {
        return Ok((cert, key));
    }
    let key = KeyPair::generate().map_err(tls)?;
    let mut params = CertificateParams::new(names.clone()).map_err(tls)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "Firefly");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = (now - Duration::hours(1), now + LEAF_LIFE);
    let until = params.not_after;
    let cert = params
        .signed_by(&key, &Issuer::new(authority_params(now), ca_key))
        .map_err(tls)?;
    let cert = format!(
        "{}{}{ca_pem}",
        first_line(until, &names.join(",")),
        cert.pem()
    );
    write(&key_file, &key.serialize_pem())?;
    write(&cert_file, &cert)?;
    Ok((cert, key.serialize_pem()))
}

/// The authority's certificate (PEM) and key, and whether it was made just now.
fn authority(folder: &Path, now: OffsetDateTime) -> Result<(String, KeyPair, bool)> {
    let (cert_file, key_file) = (folder.join("ca.pem"), folder.join("ca.key"));
    if let (Ok(cert), Ok(key)) = (
        std::fs::read_to_string(&cert_file),
        std::fs::read_to_string(&key_file),
    ) && stands(&cert, now + CA_RENEW_BEFORE, "")
    {
        return Ok((cert, KeyPair::from_pem(&key).map_err(tls)?, false));
    }
    let key = KeyPair::generate().map_err(tls)?;
    let params = authority_params(now);
    let until = params.not_after;
    let cert = params.self_signed(&key).map_err(tls)?;
    let cert = format!("{}{}", first_line(until, ""), cert.pem());
    write(&key_file, &key.serialize_pem())?;
    write(&cert_file, &cert)?;
    Ok((cert, key, true))
}

/// The same every time but for the dates, so that the issuer of a leaf can be named without reading the certificate.
fn authority_params(now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "Firefly's own authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (now - Duration::hours(1), now + CA_LIFE);
    params
}

fn all_names(listen: IpAddr, more: &[String]) -> Vec<String> {
    let mut names = vec!["localhost".to_string(), "127.0.0.1".into(), "::1".into()];
    if let Ok(host) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        names.push(host.trim().to_string());
    }
    if !listen.is_unspecified() {
        names.push(listen.to_string());
    }
    names.extend(more.iter().cloned());
    names.retain(|name| is_name(name));
    names.sort();
    names.dedup();
    names
}

fn is_name(name: &str) -> bool {
    let host = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    name.parse::<IpAddr>().is_ok()
        || (!name.is_empty() && name.len() < 254 && name.chars().all(host))
}

fn first_line(until: OffsetDateTime, names: &str) -> String {
    format!("firefly until={} names={names}\n", until.unix_timestamp())
}

/// Whether a file's first line says that it stands at `at` and for exactly `names`.
fn stands(pem: &str, at: OffsetDateTime, names: &str) -> bool {
    let Some(line) = pem
        .lines()
        .next()
        .and_then(|l| l.strip_prefix("firefly until="))
    else {
        return false;
    };
    let Some((until, for_names)) = line.split_once(" names=") else {
        return false;
    };
    until
        .parse::<i64>()
        .is_ok_and(|until| until > at.unix_timestamp())
        && for_names == names
}

/// Replaces a file at once, readable by its owner alone where it is a key.
fn write(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("new");
    let mode = if path.extension().is_some_and(|e| e == "key") {
        0o600
    } else {
        0o644
    };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    let written = options.open(&fresh).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let done = written.and_then(|()| std::fs::rename(&fresh, path));
    done.map_err(|e| Error::io(format!("writing {}", path.display()), e))
}

fn tls(error: rcgen::Error) -> Error {
    Error::Tls(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_authority_and_the_leaf_are_kept_until_a_name_changes() {
        let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
        let make = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|n| n.to_string()).collect();
            let made = leaf(folder.path(), IpAddr::V4(Ipv4Addr::LOCALHOST), &names);
            let ca = std::fs::read_to_string(folder.path().join("ca.pem"));
            (
                made.unwrap_or_else(|e| panic!("{e}")).0,
                ca.unwrap_or_else(|e| panic!("{e}")),
            )
        };
        let (first, ca) = make(&[]);
        assert_eq!(make(&[]), (first.clone(), ca.clone()));
        let (other, same_ca) = make(&["files.example.com"]);
        assert_ne!(other, first);
        assert_eq!(same_ca, ca);
        assert!(ca.contains("BEGIN CERTIFICATE"));
    }

    #[test]
    fn what_expires_soon_does_not_stand() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        let line = first_line(now + Duration::days(10), "a,b");
        assert!(stands(&line, now, "a,b"));
        assert!(!stands(&line, now, "a"));
        assert!(!stands(&line, now + Duration::days(11), "a,b"));
        assert!(!stands("-----BEGIN CERTIFICATE-----", now, ""));
    }
}
