//! Where rows lie: which servers there are beside the primary, and which slots are on them or on their way.

use std::collections::{BTreeMap, BTreeSet};

use super::connection::{Connection, Connector, Failure, Use, column};
use super::schema::last_of;
use crate::error::{Error, Result};

/// The number of the server with the clock, the map, and all that is nowhere else.
pub const PRIMARY: u32 = 0;
/// Selects what [`Layout::read`] reads, but the version.
const SELECT: &str =
    "SELECT id, url FROM firefly_servers; SELECT slot, server, other, stage FROM firefly_slots";

/// The map. Each change makes the next version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// Grows with each change.
    pub version: u64,
    /// The servers beside the primary: number, address.
    pub servers: BTreeMap<u32, String>,
    /// Slots that are not simply on the primary.
    pub slots: BTreeMap<u16, Lies>,
    /// The servers beside the primary whose rows are read.
    pub in_use: BTreeSet<u32>,
}

/// Where a slot lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lies {
    /// Where its rows are read.
    pub server: u32,
    /// The other server that has rows of it.
    pub other: Option<(u32, Stage)>,
}

/// Why another server has rows of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The slot moves there: whatever is written goes to both.
    Copying = 1,
    /// It was there; what is left is being removed.
    Clearing = 2,
}

impl Layout {
    /// The map of `version`, in the transaction that the connection is in.
    pub fn read(connection: &mut Connection, version: u64) -> Result<Layout, Failure> {
        let sets = connection.run(SELECT.to_owned())?;
        let mut layout = Layout {
            version,
            ..Layout::default()
        };
        for row in sets.first().into_iter().flatten() {
            let url: Vec<u8> = column(row, 1)?;
            layout
                .servers
                .insert(column(row, 0)?, String::from_utf8_lossy(&url).into_owned());
        }
        for row in sets.get(1).into_iter().flatten() {
            let (other, stage): (Option<u32>, u8) = (column(row, 2)?, column(row, 3)?);
            let stage = if stage == Stage::Copying as u8 {
                Stage::Copying
            } else {
                Stage::Clearing
            };
            let lies = Lies {
                server: column(row, 1)?,
                other: other.map(|other| (other, stage)),
            };
            layout.slots.insert(column(row, 0)?, lies);
        }
        let read = layout.slots.values().map(|lies| lies.server);
        layout.in_use = read.filter(|server| *server != PRIMARY).collect();
        Ok(layout)
    }

    /// Where the slot is.
    pub fn lies(&self, slot: u16) -> Lies {
        let lies = self.slots.get(&slot).copied();
        lies.unwrap_or(Lies {
            server: PRIMARY,
            other: None,
        })
    }

    /// Where rows of the slot are read.
    pub fn reader(&self, slot: Option<u16>) -> u32 {
        slot.map_or(PRIMARY, |slot| self.lies(slot).server)
    }

    /// Where rows of the slot are written: one server or two.
    pub fn writers(&self, slot: Option<u16>) -> impl Iterator<Item = u32> + use<> {
        let lies = slot.map_or(
            Lies {
                server: PRIMARY,
                other: None,
            },
            |slot| self.lies(slot),
        );
        let second = lies.other.filter(|(_, stage)| *stage == Stage::Copying);
        std::iter::once(lies.server).chain(second.map(|(server, _)| server))
    }

    /// True while all rows are on the primary alone.
    pub fn is_plain(&self) -> bool {
        self.slots.is_empty()
    }
}

/// The map as it is now.
pub fn present(connector: &Connector) -> Result<Layout> {
    let mut connection = connector.open(Use::Read)?;
    let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY; \
                 SELECT version FROM firefly_layout WHERE id = 1";
    let sets = connection.run(begin.to_owned())?;
    let version = column(last_of(&sets)?, 0)?;
    let layout = Layout::read(&mut connection, version)?;
    connection.run("COMMIT".to_owned())?;
    Ok(layout)
}

/// Changes the map by the statements that `change` makes of it, while nobody commits.
pub fn change(
    connector: &Connector,
    change: &mut dyn FnMut(&Layout) -> Result<Vec<String>>,
) -> Result<()> {
    let mut connection = connector.open(Use::Write)?;
    let (_, version) = lock(&mut connection)?;
    let layout = Layout::read(&mut connection, version)?;
    let statements = change(&layout)?;
    if statements.is_empty() {
        connection.run("ROLLBACK".to_owned())?;
        return Ok(());
    }
    for statement in statements {
        connection.run(statement)?;
    }
    let sql = "UPDATE firefly_layout SET version = version + 1 WHERE id = 1; COMMIT";
    match connection.run(sql.to_owned()) {
        Ok(_) => Ok(()),
        Err(failure) => Err(Error::Unavailable(format!(
            "whether the map of database servers was changed is unknown; do it again: {failure}"
        ))),
    }
}

/// Begins a transaction that holds the clock and the map; returns both versions.
pub fn lock(connection: &mut Connection) -> Result<(u64, u64), Failure> {
    let sql = "START TRANSACTION; SELECT c.version, l.version FROM firefly_clock c JOIN firefly_layout l ON l.id = 1 \
               WHERE c.id = 1 FOR UPDATE";
    let sets = connection.run(sql.to_owned())?;
    let row = last_of(&sets)?;
    Ok((column(row, 0)?, column(row, 1)?))
}

/// The statement that says where a slot lies.
pub fn put_slot(slot: u16, lies: Lies) -> String {
    match lies.other {
        None if lies.server == PRIMARY => format!("DELETE FROM firefly_slots WHERE slot = {slot}"),
        None => format!(
            "REPLACE INTO firefly_slots VALUES ({slot}, {}, NULL, 0)",
            lies.server
        ),
        Some((other, stage)) => format!(
            "REPLACE INTO firefly_slots VALUES ({slot}, {}, {other}, {})",
            lies.server, stage as u8
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_on_its_way_is_read_in_one_place_and_written_in_two() {
        let moving = Lies {
            server: 1,
            other: Some((2, Stage::Copying)),
        };
        let moved = Lies {
            server: 2,
            other: Some((1, Stage::Clearing)),
        };
        let layout = Layout {
            slots: [(7, moving), (8, moved)].into(),
            ..Layout::default()
        };
        assert_eq!((layout.reader(Some(7)), layout.reader(Some(8))), (1, 2));
        assert_eq!(
            (layout.reader(Some(9)), layout.reader(None)),
            (PRIMARY, PRIMARY)
        );
        assert!(layout.writers(Some(7)).eq([1, 2]));
        assert!(layout.writers(Some(8)).eq([2]));
        assert!(layout.writers(None).eq([PRIMARY]));
    }
}
