//! What settings mean.

use super::settings::{VARIABLES, refuse_unknown_variables};
use super::*;

fn resolve(text: &str) -> Result<Config> {
    Config::resolve("/data".into(), toml::from_str(text)?)
}

#[test]
fn nothing_has_to_be_set() {
    let config = resolve("").unwrap();
    assert_eq!(config.listen, "127.0.0.1:8080");
    assert_eq!(config.targets, [Place::Folder("/data/blocks".into())]);
    assert_eq!((config.tls, config.replicas), (TlsMode::Off, 1));
    assert_eq!(config.helpers.ocr_languages.as_deref(), Some("eng"));
    let vast = resolve("quota_gib = 17179869184").unwrap();
    assert_eq!(vast.quota_bytes, i64::MAX.unsigned_abs());
    let off = resolve("ocr_languages = \"off\"").unwrap();
    assert_eq!(off.helpers, HelperOptions::default());
}

#[test]
fn blocks_are_in_folders_and_on_other_machines() {
    let text = "targets = \"a, /b, s3://bucket/f?credentials=s3.secret, hdfs://host:1/f\"";
    let expected = [
        Place::Folder("/data/a".into()),
        Place::Folder("/b".into()),
        Place::Url("s3://bucket/f?credentials=/data/s3.secret".into()),
        Place::Url("hdfs://host:1/f".into()),
    ];
    assert_eq!(resolve(text).unwrap().targets, expected);
}

#[test]
fn what_cannot_hold_is_refused() {
    for (text, part) in [
        ("colour = 1", "unknown field"),
        ("replicas = 0", "every block is somewhere"),
        ("replicas = 2\nmin_replicas = 3", "1 to replicas"),
        ("shards = 0", "1 to 1024"),
        ("tls = \"maybe\"", "off, self or files"),
        ("tls_cert = \"a\"", "go together"),
        ("ocr_languages = \"-eng\"", "like eng+deu"),
        ("tika_url = \"ftp://a\"", "http://"),
        ("public_url = \"files.example.org\"", "like https://"),
        ("public_url = \"ftp://files.example.org\"", "like https://"),
        (
            "public_url = \"https://files.example.org/?a\"",
            "like https://",
        ),
        ("broker_ca = \"a\"", "go with broker"),
        ("metadata = \"oracle://a\"", "start with mysql://"),
        ("metadata_connections = 3", "goes with metadata"),
        (
            "cache_url = \"memcache://a\"",
            "cache_url goes with metadata",
        ),
        (
            "metadata = \"mysql://a@b/c\"\ncache_url = \"redis://a\"",
            "not memcache://",
        ),
        (
            "trusted_proxies = \"10.0.0.0/8, proxy\"",
            "`proxy` is neither",
        ),
        ("import_roots = \"files\"", "does not start with /"),
        ("log_format = \"xml\"", "text or json"),
        ("log_keep = 0", "at least"),
    ] {
        let error = format!("{:#}", resolve(text).unwrap_err());
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn flags_win_over_the_file() {
    let flags = Settings {
        listen: Some("a:1".into()),
        ..Settings::default()
    };
    let file = Settings {
        listen: Some("b:2".into()),
        shards: Some(3),
        ..Settings::default()
    };
    let both = flags.or(file);
    assert_eq!(
        (both.listen.as_deref(), both.shards),
        (Some("a:1"), Some(3))
    );
}

#[test]
fn unknown_variables_are_refused() {
    let names = |name: &str| std::iter::once(name.to_owned());
    assert!(refuse_unknown_variables(names("FIREFLY_LISTEN")).is_ok());
    assert!(refuse_unknown_variables(names("PATH")).is_ok());
    assert!(refuse_unknown_variables(names("FIREFLY_COLOUR")).is_err());
}

#[test]
fn the_readme_names_every_setting() {
    let readme = include_str!("../../README.md");
    for variable in VARIABLES {
        let name = variable.trim_start_matches("FIREFLY_").to_lowercase();
        let flag = format!("`--{} ", name.replace('_', "-"));
        let variable = format!("| `{variable}` |");
        assert!(readme.contains(&flag), "{flag}");
        assert!(readme.contains(&variable), "{variable}");
    }
}
