//! Where the database is and how to sign in.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use log::LevelFilter;
use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use super::cache::Address;
use super::placement::Placement;
use crate::error::{Error, Result};
use crate::slots::ByNamespace;

/// Connections that snapshots may use at once unless something else is said.
const DEFAULT_CONNECTIONS: usize = 48;

/// Says of a key whether the cache is asked for its row.
pub type IsCached = fn(&[u8]) -> bool;

/// How to reach the database. Shows itself without the password.
#[derive(Clone)]
pub struct Options {
    connect: MySqlConnectOptions,
    shown: String,
    /// Connections that snapshots may use at once; as many again serve threads that hold one already, and two are the
    /// committer's and the pulse's.
    pub connections: usize,
    /// memcached in front of point reads, and which keys' rows it is asked for.
    pub cache: Option<(Address, IsCached)>,
    /// Which rows may lie on other servers.
    pub placement: &'static dyn Placement,
    password: Option<String>,
    ca: Option<PathBuf>,
}

impl Options {
    /// Parses `mysql://USER@HOST[:PORT]/DATABASE[?ssl-mode=…&ssl-ca=FILE&ssl-cert=FILE&ssl-key=FILE&socket=PATH]`.
    ///
    /// Refuses a password in it, which would be seen in process lists and logs.
    pub fn new(url: &str, password: Option<&str>) -> Result<Options> {
        let refuse = |why: String| Error::Engine(format!("metadata database: {why}"));
        if !url.starts_with("mysql://") {
            return Err(refuse("its address must start with mysql://".into()));
        }
        let authority = url["mysql://".len()..].split(['/', '?']).next();
        let user = authority.and_then(|authority| authority.rsplit_once('@'));
        if user.is_some_and(|(user, _)| user.contains(':')) {
            return Err(refuse(
                "its address holds a password; put it into a file".into(),
            ));
        }
        let mut connect = MySqlConnectOptions::from_str(url)
            .map_err(|e| refuse(format!("its address is not understood: {e}")))?
            .log_statements(LevelFilter::Off) // statements hold the users' data
            .log_slow_statements(LevelFilter::Off, Duration::MAX)
            .statement_cache_capacity(16);
        if connect.get_database().is_none_or(str::is_empty) {
            return Err(refuse("its address names no database".into()));
        }
        if let Some(password) = password {
            connect = connect.password(password);
        }
        Ok(Options {
            connect,
            shown: url.to_owned(),
            connections: DEFAULT_CONNECTIONS,
            cache: None,
            placement: &ByNamespace,
            password: password.map(str::to_owned),
            ca: None,
        })
    }

    /// How to reach another server: with the same password and authority.
    pub fn beside(&self, url: &str) -> Result<Options> {
        let mut options = Options::new(url, self.password.as_deref())?;
        options.connections = self.connections;
        if let Some(ca) = &self.ca {
            options.trust(ca)?;
        }
        Ok(options)
    }

    /// From now on only a server is talked to that shows a certificate of one of these authorities (PEM) for its name. Fails
    /// when the address says that less will do.
    pub fn trust(&mut self, ca: &Path) -> Result<()> {
        let asked = self.shown.split(['?', '&']).skip(1);
        let mut asked = asked.filter_map(|part| part.split_once('='));
        let contradicts = |(name, value): (&str, &str)| {
            matches!(name, "ssl-ca" | "sslca")
                || (matches!(name, "ssl-mode" | "sslmode")
                    && !value.eq_ignore_ascii_case("VERIFY_IDENTITY"))
        };
        if asked.any(contradicts) {
            return Err(Error::Engine(
                "metadata database: its address asks for other TLS than a certificate file of its own does".into(),
            ));
        }
        let connect = self.connect.clone();
        self.connect = connect.ssl_mode(MySqlSslMode::VerifyIdentity).ssl_ca(ca);
        self.ca = Some(ca.to_owned());
        Ok(())
    }

    pub(super) fn connect(&self) -> &MySqlConnectOptions {
        &self.connect
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Options({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_refused_and_no_password_is_shown() {
        for (url, part) in [
            ("postgres://a@b/c", "mysql://"),
            ("mysql://u:secret@host/db", "put it into a file"),
            ("mysql://u@host", "names no database"),
        ] {
            let error = Options::new(url, None).unwrap_err().to_string();
            assert!(error.contains(part), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let options = Options::new("mysql://u@host/db", Some("secret")).unwrap();
        assert!(!format!("{options:?} {options}").contains("secret"));
    }

    #[test]
    fn an_address_cannot_ask_for_less_than_the_authority_that_is_trusted() {
        for (asked, is_fine) in [
            ("", true),
            ("?ssl-mode=VERIFY_IDENTITY", true),
            ("?ssl-mode=REQUIRED", false),
            ("?socket=/s&ssl-mode=disabled", false),
            ("?ssl-ca=/other.pem", false),
        ] {
            let mut options = Options::new(&format!("mysql://u@host/db{asked}"), None).unwrap();
            assert_eq!(
                options.trust(Path::new("/ca.pem")).is_ok(),
                is_fine,
                "{asked}"
            );
        }
    }
}
