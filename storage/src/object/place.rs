//! What a URL names: a local folder, a bucket, or a folder of HDFS. Secrets come from files or the environment, never from the URL.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Certificate, ClientOptions, ObjectStore, RetryConfig};

use super::hdfs::Hdfs;
use crate::error::{Error, Result};

/// An object store that does not accept a connection, or does not answer, by then is tried again.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// What may stand in an S3 URL's query.
const S3_OPTIONS: [&str; 4] = ["endpoint", "region", "credentials", "ca"];
/// Options that name files.
const FILES: [&str; 3] = ["credentials", "ca", "key"];

/// What a URL names.
pub struct Place {
    pub store: Arc<dyn ObjectStore>,
    /// Writes to HDFS go this way: they are synced to the datanodes' disks.
    pub hdfs: Option<Hdfs>,
    /// The URL without its query.
    pub shown: String,
    /// Another machine's: what fails may work in a moment.
    pub is_remote: bool,
}

/// `SCHEME://HOST/FOLDER?OPTIONS`, taken apart.
struct Parts<'a> {
    host: &'a str,
    folder: &'a str,
    options: HashMap<&'a str, &'a str>,
}

/// Opens the place; a local folder is created when missing, nothing else is touched.
pub fn open(url: &str) -> Result<Place> {
    match url.split_once("://") {
        Some(("file", folder)) if folder.starts_with('/') => local(url, folder),
        Some(("s3", rest)) => s3(&parts(rest)),
        Some(("hdfs", rest)) => hdfs(&parts(rest)),
        _ => Err(refused(
            "objects live at file:///FOLDER, s3://BUCKET/FOLDER or hdfs://NAMENODE:PORT/FOLDER",
        )),
    }
}

fn local(url: &str, folder: &str) -> Result<Place> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::io(format!("making {folder}"), error))?;
    let store = LocalFileSystem::new_with_prefix(folder)
        .map_err(|error| super::failed("opening", url, error))?;
    Ok(Place {
        store: Arc::new(store.with_fsync(true)),
        hdfs: None,
        shown: url.to_owned(),
        is_remote: false,
    })
}

fn s3(url: &Parts<'_>) -> Result<Place> {
    if url.host.contains('@') {
        return Err(refused(
            "secrets do not belong into an S3 URL: credentials=FILE names a file, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ));
    }
    if let Some(unknown) = url.options.keys().find(|key| !S3_OPTIONS.contains(key)) {
        let known = S3_OPTIONS.join(", ");
        return Err(refused(&format!(
            "an S3 URL has no option {unknown}; known: {known}"
        )));
    }
    let shown = format!("s3://{}/{}", url.host, url.folder);
    let mut client = ClientOptions::new()
        .with_connect_timeout(CONNECT_LIMIT)
        .with_timeout(ANSWER_LIMIT);
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(url.host)
        .with_region(url.options.get("region").copied().unwrap_or("us-east-1"))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(once());
    if let Some(endpoint) = url.options.get("endpoint") {
        client = client.with_allow_http(endpoint.starts_with("http://"));
        builder = builder.with_endpoint(*endpoint);
    }
    if let Some(file) = url.options.get("ca") {
        let pem = read(file)?;
        let authorities = Certificate::from_pem_bundle(pem.as_bytes());
        let authorities = authorities.map_err(|error| super::failed("opening", &shown, error))?;
        for authority in authorities {
            client = client.with_root_certificate(authority);
        }
    }
    if let Some(file) = url.options.get("credentials") {
        let (key, secret) = credentials(file)?;
        builder = builder
            .with_access_key_id(key)
            .with_secret_access_key(secret);
    }
    let store = builder
        .with_client_options(client)
        .build()
        .map_err(|error| super::failed("opening", &shown, error))?;
    Ok(Place {
        store: below(store, url.folder)?,
        hdfs: None,
        shown,
        is_remote: true,
    })
}

fn hdfs(url: &Parts<'_>) -> Result<Place> {
    let shown = format!("hdfs://{}/{}", url.host, url.folder);
    if !url.options.is_empty() {
        return Err(refused(
            "an HDFS URL has no options; HADOOP_CONF_DIR and HADOOP_USER_NAME are heeded",
        ));
    }
    let hdfs = Hdfs::new(&format!("hdfs://{}", url.host), url.folder)?;
    Ok(Place {
        store: below(hdfs.store(), url.folder)?,
        hdfs: Some(hdfs),
        shown,
        is_remote: true,
    })
}

fn below(store: impl ObjectStore, folder: &str) -> Result<Arc<dyn ObjectStore>> {
    if folder.is_empty() {
        return Ok(Arc::new(store));
    }
    let folder = Path::parse(folder).map_err(|error| refused(&format!("{folder:?}: {error}")))?;
    Ok(Arc::new(PrefixStore::new(store, folder)))
}

fn parts(rest: &str) -> Parts<'_> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, folder) = place.split_once('/').unwrap_or((place, ""));
    let options = query.split('&').filter(|pair| !pair.is_empty());
    Parts {
        host,
        folder: folder.trim_matches('/'),
        options: options
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect(),
    }
}

/// A file of two lines: `access_key_id = …`, `secret_access_key = …`.
fn credentials(file: &str) -> Result<(String, String)> {
    let text = read(file)?;
    let value = |wanted: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        let found = lines.find(|(key, _)| key.trim().trim_start_matches("aws_") == wanted);
        found.map(|(_, value)| value.trim().to_owned())
    };
    let both = value("access_key_id").zip(value("secret_access_key"));
    both.ok_or_else(|| {
        refused(&format!(
            "{file} must have the lines access_key_id = … and secret_access_key = …"
        ))
    })
}

fn read(file: &str) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| Error::io(format!("reading {file}"), error))
}

/// The library asks once: [`super::Objects`] tries again, by one rule for all places.
fn once() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

/// True when it names a place for objects rather than a folder.
pub fn is_url(place: &str) -> bool {
    place.contains("://")
}

/// A URL without its options: what names the place for good.
pub fn shown(url: &str) -> &str {
    url.split('?').next().unwrap_or(url).trim_end_matches('/')
}

/// The URL with relative files in its options counted from `folder`.
pub fn with_folder(url: &str, folder: &std::path::Path) -> String {
    let Some((place, query)) = url.split_once('?') else {
        return url.to_owned();
    };
    let options = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, file)) if FILES.contains(&key) => {
            format!("{key}={}", folder.join(file).display())
        }
        _ => pair.to_owned(),
    });
    format!("{place}?{}", options.collect::<Vec<_>>().join("&"))
}

fn refused(why: &str) -> Error {
    Error::Engine(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = parts("bucket/a/b/?endpoint=http://127.0.0.1:9/&region=x");
        assert_eq!((url.host, url.folder), ("bucket", "a/b"));
        assert_eq!(url.options["endpoint"], "http://127.0.0.1:9/");
        assert_eq!(
            (parts("host:1").host, parts("host:1").folder),
            ("host:1", "")
        );
    }

    #[test]
    fn a_url_is_named_without_its_options_and_its_files_are_found() {
        let url = "s3://b/f/?region=x&credentials=s3.secret";
        assert_eq!(shown(url), "s3://b/f");
        let found = with_folder(url, std::path::Path::new("/data"));
        assert_eq!(found, "s3://b/f/?region=x&credentials=/data/s3.secret");
        assert!(open("s3://key:secret@bucket/f").is_err());
    }

    #[test]
    fn credentials_come_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s3");
        std::fs::write(
            &file,
            "[default]\naws_access_key_id = k\nsecret_access_key=s=\n",
        )
        .unwrap();
        let found = credentials(&file.display().to_string()).unwrap();
        assert_eq!(found, ("k".into(), "s=".into()));
    }
}
