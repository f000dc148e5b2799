//! The tables, and the steps by which releases change them.

use rand::Rng;
use sqlx::mysql::MySqlRow;

use super::committer::{Tip, tip};
use super::connection::{Connector, Failure, Use, column};
use super::intent;
use crate::error::{Error, Result};

/// Bytes that a key may have; InnoDB indexes up to 3,072.
pub const MAX_KEY_BYTES: usize = 1_024;

/// Each step brings the tables from the version before it to its own: the first makes version 1. A statement may meet what
/// a run that was interrupted has done already.
const STEPS: &[&[&str]] = &[
    &[
    ROWS,
    "CREATE TABLE IF NOT EXISTS firefly_numbers (
       k VARBINARY(1025) NOT NULL PRIMARY KEY, n BIGINT NOT NULL) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
    "CREATE TABLE IF NOT EXISTS firefly_commits (
       version BIGINT UNSIGNED NOT NULL PRIMARY KEY, batch BINARY(16) NOT NULL, written MEDIUMBLOB)
       ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
    "CREATE TABLE IF NOT EXISTS firefly_clock (
       id TINYINT NOT NULL PRIMARY KEY, version BIGINT UNSIGNED NOT NULL, batch BINARY(16) NOT NULL,
       store BINARY(16) NOT NULL) ENGINE = InnoDB",
    "INSERT IGNORE INTO firefly_commits VALUES (0, x'00000000000000000000000000000000', NULL)",
    "INSERT IGNORE INTO firefly_clock VALUES (1, 0, x'00000000000000000000000000000000', x'{store}')",
    ],
    // Several servers: the map, and what they are yet to write.
    &[
        "CREATE TABLE IF NOT EXISTS firefly_servers (
       id INT UNSIGNED NOT NULL PRIMARY KEY, url VARBINARY(2048) NOT NULL, removed BIGINT UNSIGNED NOT NULL,
       synced BIGINT UNSIGNED NOT NULL) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
        "CREATE TABLE IF NOT EXISTS firefly_slots (
       slot SMALLINT UNSIGNED NOT NULL PRIMARY KEY, server INT UNSIGNED NOT NULL, other INT UNSIGNED,
       stage TINYINT UNSIGNED NOT NULL) ENGINE = InnoDB",
        "CREATE TABLE IF NOT EXISTS firefly_intents (
       server INT UNSIGNED NOT NULL, position BIGINT UNSIGNED NOT NULL, batch BINARY(16) NOT NULL,
       bytes INT UNSIGNED NOT NULL,        writes LONGBLOB NOT NULL, PRIMARY KEY (server, position)) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
        "CREATE TABLE IF NOT EXISTS firefly_layout (
       id TINYINT NOT NULL PRIMARY KEY, version BIGINT UNSIGNED NOT NULL) ENGINE = InnoDB",
        "INSERT IGNORE INTO firefly_layout VALUES (1, 0)",
    ],
];

/// The tables of a server that is not the primary.
const OTHER: &[&str] = &[
    ROWS,
    "CREATE TABLE IF NOT EXISTS firefly_applied (
       id TINYINT NOT NULL PRIMARY KEY, store BINARY(16) NOT NULL, server INT UNSIGNED NOT NULL,
       position BIGINT UNSIGNED NOT NULL, batch BINARY(16) NOT NULL) ENGINE = InnoDB",
];

/// The rows of one server.
const ROWS: &str = "CREATE TABLE IF NOT EXISTS firefly_rows (
       k VARBINARY(1024) NOT NULL PRIMARY KEY, v LONGBLOB NOT NULL) ENGINE = InnoDB ROW_FORMAT = DYNAMIC";

/// Makes or migrates the tables, one process at a time. Returns the newest commit.
pub fn prepare(connector: &Connector) -> Result<Tip> {
    let mut connection = connector.open(Use::Read)?;
    let name = "CONCAT('firefly:', MD5(DATABASE()))";
    let locked = connection.run(format!("SELECT CAST(GET_LOCK({name}, 60) AS UNSIGNED)"))?;
    let locked = locked.first().and_then(|rows| rows.first());
    if locked
        .map(|row| column::<Option<u64>>(row, 0))
        .transpose()?
        != Some(Some(1))
    {
        return Err(Error::Engine(
            "another process migrates the metadata database for a minute already".into(),
        ));
    }
    let mut run = |sql: &str| connection.run(sql.to_owned());
    run("CREATE TABLE IF NOT EXISTS firefly_schema (
           step INT UNSIGNED NOT NULL PRIMARY KEY, applied TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)
           ENGINE = InnoDB")?;
    let found = first(&run(
        "SELECT CAST(COALESCE(MAX(step), 0) AS UNSIGNED) FROM firefly_schema",
    )?)?;
    let (found, supported) = (usize::try_from(found).unwrap_or(usize::MAX), STEPS.len());
    if found > supported {
        return Err(Error::NewerFormat {
            what: "the metadata database".into(),
            found: u32::try_from(found).unwrap_or(u32::MAX),
            supported: supported as u32,
        });
    }
    let store = hex::encode(rand::rng().random::<[u8; 16]>());
    for (index, step) in STEPS.iter().enumerate().skip(found) {
        for statement in *step {
            run(&statement.replace("{store}", &store))?;
        }
        run(&format!(
            "INSERT INTO firefly_schema (step) VALUES ({})",
            index + 1
        ))?;
        tracing::info!(step = index + 1, "the metadata database's tables are made");
    }
    let clock = run("SELECT version, batch FROM firefly_clock WHERE id = 1")?;
    let tip = tip(clock.first().and_then(|rows| rows.first()))?;
    run(&format!("DO RELEASE_LOCK({name})"))?;
    Ok(tip)
}

/// The random name that the tables got when they were made.
pub fn name(connector: &Connector) -> Result<Vec<u8>> {
    let sets = connector
        .open(Use::Read)?
        .run("SELECT store FROM firefly_clock WHERE id = 1".into())?;
    Ok(column(last_of(&sets)?, 0)?)
}

/// Makes the tables of server `id` of `store`, which has written all intents up to the commit `tip`. Refuses a database that is used
/// already.
pub fn prepare_other(connector: &Connector, store: &[u8], id: u32, tip: &Tip) -> Result<()> {
    let mut connection = connector.open(Use::Read)?;
    let used = connection.run(
        "SELECT CAST(COUNT(*) AS UNSIGNED) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = 'firefly_clock'"
            .into(),
    )?;
    if first(&used)? > 0 {
        return Err(Error::Engine(
            "that database is a store of its own, or the primary itself".into(),
        ));
    }
    for statement in OTHER {
        connection.run((*statement).to_owned())?;
    }
    let store = hex::encode(store);
    let used = connection.run(format!(
        "SELECT (SELECT COUNT(*) FROM firefly_applied WHERE store <> x'{store}') + \
         (SELECT COUNT(*) FROM (SELECT 1 FROM firefly_rows LIMIT 1) some)"
    ))?;
    if column::<i64>(last_of(&used)?, 0)? > 0 {
        return Err(Error::Engine(
            "that database is in use: it is to be one without rows".into(),
        ));
    }
    connection.run(format!(
        "REPLACE INTO firefly_applied VALUES (1, x'{store}', {id}, {}, x'{}')",
        intent::position(tip.version, 0),
        hex::encode(&tip.id)
    ))?;
    Ok(())
}

fn first(sets: &[Vec<MySqlRow>]) -> Result<u64, Failure> {
    column(row_of(sets, 0)?, 0)
}

/// The first row of a statement.
pub fn row_of(sets: &[Vec<MySqlRow>], statement: usize) -> Result<&MySqlRow, Failure> {
    let row = sets.get(statement).and_then(|rows| rows.first());
    row.ok_or_else(|| Failure::Refused("a row is missing".into()))
}

/// The first row of the last statement.
pub fn last_of(sets: &[Vec<MySqlRow>]) -> Result<&MySqlRow, Failure> {
    row_of(sets, sets.len().saturating_sub(1))
}
