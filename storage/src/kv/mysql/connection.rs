//! One connection, and what its failures mean.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Either, Row, SqlStr};
use tokio::runtime::Handle;

use super::drive::block_on;
use super::options::Options;
use crate::error::{Error, Result};

/// A call that takes longer has lost its connection.
const CALL_LIMIT: Duration = Duration::from_secs(60);
/// The same for a server that is not the primary.
const OTHER_CALL_LIMIT: Duration = Duration::from_secs(15);
/// How long opening one connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long opening is tried again while the database cannot be reached.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Pauses between tries: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// The most bytes of one statement's text, whatever the server would take.
const MAX_STATEMENT: usize = 15 * 1024 * 1024;

/// Why a call failed.
#[derive(Debug)]
pub enum Failure {
    /// The connection is gone, or will be; whether the call took effect is unknown.
    Lost(String),
    /// The server undid the transaction and it may be tried again: a deadlock, a lock waited for too long.
    Again(String),
    /// The disk is full.
    Full(String),
    /// Trying again would not help.
    Refused(String),
}

/// Opens connections.
pub struct Connector {
    options: Options,
    handle: Handle,
    max_statement: usize,
    limits: Limits,
}

/// How long is waited for a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A call that takes longer has lost its connection.
    call: Duration,
    /// How long opening is tried again while the server cannot be reached.
    patience: Duration,
}

impl Limits {
    /// For the server without which nothing goes on.
    pub const PRIMARY: Limits = Limits {
        call: CALL_LIMIT,
        patience: CONNECT_PATIENCE,
    };
    /// For one without which the rest goes on.
    pub const OTHER: Limits = Limits {
        call: OTHER_CALL_LIMIT,
        patience: Duration::ZERO,
    };
}

/// How a connection is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Consistent snapshots.
    Read,
    /// The committer's: each statement sees what was committed before it.
    Write,
}

/// A connection, for one thread at a time.
pub struct Connection {
    inner: MySqlConnection,
    handle: Handle,
    call_limit: Duration,
}

impl Connector {
    /// Connects once, to learn what the server can do and whether it keeps what it acknowledges.
    pub fn new(options: &Options, handle: Handle, limits: Limits) -> Result<Connector> {
        let mut connector = Connector {
            options: options.clone(),
            handle,
            max_statement: MAX_STATEMENT,
            limits,
        };
        let sql = "SELECT CAST(@@max_allowed_packet AS UNSIGNED), \
                   CAST(@@innodb_flush_log_at_trx_commit AS UNSIGNED)";
        let rows = connector.open(Use::Read)?.run(sql.to_owned())?;
        let row = rows.first().and_then(|rows| rows.first());
        let row = row.ok_or_else(|| Error::Engine(format!("{options} does not say what it is")))?;
        let (packet, flush): (u64, u64) = (column(row, 0)?, column(row, 1)?);
        if flush != 1 {
            let text = format!(
                "{options}: innodb_flush_log_at_trx_commit is {flush}, so that a crash loses what was acknowledged; \
                 set it to 1"
            );
            return Err(Error::Engine(text));
        }
        let packet = usize::try_from(packet).unwrap_or(usize::MAX);
        connector.max_statement = packet.saturating_sub(1024).min(MAX_STATEMENT);
        Ok(connector)
    }

    /// The most bytes of one statement's text.
    pub fn max_statement(&self) -> usize {
        self.max_statement
    }

    /// Opens a connection, trying again for some seconds while the database cannot be reached.
    pub fn open(&self, for_what: Use) -> Result<Connection> {
        let until = Instant::now() + self.limits.patience;
        let mut pause = PAUSES.0;
        loop {
            match self.open_once(for_what) {
                Err(Failure::Lost(_) | Failure::Again(_)) if Instant::now() + pause < until => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(PAUSES.1);
                }
                Err(failure) => {
                    let text = format!("{} cannot be used: {failure}", self.options);
                    return Err(match failure {
                        Failure::Lost(_) | Failure::Again(_) => Failure::Lost(text),
                        _ => Failure::Refused(text),
                    }
                    .into());
                }
                Ok(connection) => return Ok(connection),
            }
        }
    }

    /// Opens a connection, with one try.
    pub fn open_once(&self, for_what: Use) -> Result<Connection, Failure> {
        let opened = block_on(&self.handle, async {
            tokio::time::timeout(CONNECT_LIMIT, self.options.connect().connect()).await
        });
        let inner = opened
            .map_err(|_| Failure::Lost(format!("no connection within {CONNECT_LIMIT:?}")))?
            .map_err(Failure::of)?;
        let mut connection = Connection {
            inner,
            handle: self.handle.clone(),
            call_limit: self.limits.call,
        };
        connection.run(for_what.settings().to_owned())?;
        Ok(connection)
    }

    /// Runs `future` in the background.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(future);
    }
}

impl Use {
    /// What the session is set to. A writer that stands still loses its connection, and with it the clock's lock, soon.
    fn settings(self) -> &'static str {
        match self {
            Use::Read => {
                "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                 SET SESSION sql_mode = 'STRICT_ALL_TABLES', wait_timeout = 900"
            }
            Use::Write => {
                "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
                 SET SESSION sql_mode = 'STRICT_ALL_TABLES', innodb_lock_wait_timeout = 10, wait_timeout = 30; \
                 /*M!100300 SET SESSION idle_write_transaction_timeout = 10 */"
            }
        }
    }
}

impl Connection {
    /// Runs statements given as text; returns each one's rows.
    pub fn run(&mut self, sql: String) -> Result<Vec<Vec<MySqlRow>>, Failure> {
        self.run_within(self.call_limit, sql)
    }

    /// The same, with a limit of its own.
    pub fn run_within(
        &mut self,
        limit: Duration,
        sql: String,
    ) -> Result<Vec<Vec<MySqlRow>>, Failure> {
        let inner = &mut self.inner;
        limited(&self.handle, limit, async move {
            let mut sets = vec![Vec::new()];
            let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(inner);
            while let Some(result) = results.try_next().await? {
                match (result, sets.last_mut()) {
                    (Either::Right(row), Some(set)) => set.push(row),
                    _ => sets.push(Vec::new()),
                }
            }
            sets.pop();
            Ok(sets)
        })
    }

    /// Runs a prepared statement with byte strings, and a limit when there is one.
    pub fn fetch(
        &mut self,
        sql: &'static str,
        keys: &[&[u8]],
        limit: Option<u64>,
    ) -> Result<Vec<MySqlRow>, Failure> {
        let inner = &mut self.inner;
        limited(&self.handle, self.call_limit, async move {
            let mut query = sqlx::query(SqlStr::from_static(sql));
            for key in keys {
                query = query.bind(*key);
            }
            if let Some(limit) = limit {
                query = query.bind(limit);
            }
            query.fetch_all(inner).await
        })
    }

    /// Ends the snapshot without waiting for it on the caller's thread.
    pub async fn end_snapshot(&mut self) -> Result<(), Failure> {
        let ended = sqlx::raw_sql("COMMIT").execute(&mut self.inner);
        match tokio::time::timeout(self.call_limit, ended).await {
            Ok(done) => done.map(drop).map_err(Failure::of),
            Err(_) => Err(Failure::Lost("no answer".into())),
        }
    }
}

fn limited<T>(
    handle: &Handle,
    limit: Duration,
    call: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Failure> {
    let limited = async { tokio::time::timeout(limit, call).await };
    match block_on(handle, limited) {
        Ok(done) => done.map_err(Failure::of),
        Err(_) => Err(Failure::Lost(format!("no answer within {limit:?}"))),
    }
}

impl Failure {
    fn of(error: sqlx::Error) -> Failure {
        let text = error.to_string();
        let sqlx::Error::Database(database) = &error else {
            return match error {
                sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Failure::Lost(text),
                _ => Failure::Refused(text),
            };
        };
        let number = database
            .try_downcast_ref::<MySqlDatabaseError>()
            .map_or(0, MySqlDatabaseError::number);
        match number {
            // lock wait timeout, deadlock, "record has changed", certification by a cluster
            1205 | 1213 | 1020 | 1180 => Failure::Again(text),
            // out of disk, error writing, table full
            1021 | 1026 | 1114 => Failure::Full(text),
            // too many connections, server shutdown, lost, killed, interrupted, read-only while another takes over
            1040 | 1053 | 1152 | 1158..=1161 | 1203 | 1317 | 1290 | 1836 | 1927 | 4031 => {
                Failure::Lost(text)
            }
            _ => Failure::Refused(text),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Failure::Lost(text)
        | Failure::Again(text)
        | Failure::Full(text)
        | Failure::Refused(text)) = self;
        f.write_str(text)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::Full(text) => Error::NoSpace(format!("the metadata database: {text}")),
            Failure::Refused(text) => Error::Engine(format!("metadata database: {text}")),
            Failure::Lost(text) | Failure::Again(text) => {
                Error::Unavailable(format!("metadata database: {text}"))
            }
        }
    }
}

/// A column of a row.
pub fn column<'r, T>(row: &'r MySqlRow, index: usize) -> Result<T, Failure>
where
    T: sqlx::Decode<'r, sqlx::MySql> + sqlx::Type<sqlx::MySql>,
{
    row.try_get(index)
        .map_err(|e| Failure::Refused(format!("a row is not as expected: {e}")))
}

/// A row of the table of numbers: where it lies, and the number.
pub fn number(row: &MySqlRow) -> Result<(Vec<u8>, u64), Failure> {
    let number: i64 = column(row, 1)?;
    Ok((column(row, 0)?, number.cast_unsigned()))
}
