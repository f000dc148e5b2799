//! The tables, and the steps by which releases change them.

use rand::Rng;

use super::committer::{Tip, tip};
use super::connection::{Connector, Failure, Use, column};
use crate::error::{Error, Result};

/// Bytes that a key may have; InnoDB indexes up to 3,072.
pub const MAX_KEY_BYTES: usize = 1_024;

/// Each step brings the tables from the version before it to its own: the first makes version 1. A statement may meet what
/// a run that was interrupted has done already.
const STEPS: &[&[&str]] = &[&[
    "CREATE TABLE IF NOT EXISTS firefly_rows (
       k VARBINARY(1024) NOT NULL PRIMARY KEY, v LONGBLOB NOT NULL) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
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
]];

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
    match sets.first().and_then(|rows| rows.first()) {
        Some(row) => Ok(column(row, 0)?),
        None => Err(Failure::Refused("a row is missing".into()).into()),
    }
}

fn first(sets: &[Vec<sqlx::mysql::MySqlRow>]) -> Result<u64, Failure> {
    match sets.first().and_then(|rows| rows.first()) {
        Some(row) => column(row, 0),
        None => Err(Failure::Refused("a row is missing".into())),
    }
}
