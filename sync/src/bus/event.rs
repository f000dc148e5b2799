//! What is published, and how it is written: JSON, so that an operator can read a dead letter (docs/format.md).

use serde::{Deserialize, Serialize};

/// The type of the messages that this release writes and reads.
pub const MESSAGE_TYPE: &str = "firefly/1";

/// Something that happened, and that the logs know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The log of a partition has grown by changes of one namespace.
    Changed {
        /// What kind of changes.
        what: ChangeKind,
        /// The partition.
        partition: u16,
        /// The sequence of the newest of them in the partition's log.
        sequence: u64,
        /// The namespace's number.
        namespace: u64,
        /// The sequence of the newest in the namespace's journal; 0 for what only the partition's log has.
        namespace_sequence: u64,
        /// How many they are.
        changes: u32,
    },
    /// A content was stored that no extractor has looked at.
    Content {
        /// Whose turn its extraction takes.
        account: u64,
        /// One of the files that have it.
        file: u64,
        /// Dropbox's content_hash, hexadecimal.
        content_hash: String,
    },
    /// Something happened to a replica of a block.
    Block {
        /// What.
        what: BlockKind,
        /// The block, hexadecimal.
        hash: String,
        /// The replica's target.
        target: String,
        /// The event's sequence in the block log.
        sequence: u64,
    },
}

/// Kinds of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Files and folders: made, changed, moved, deleted.
    File,
    /// A shared folder was mounted or unmounted.
    Mount,
    /// What somebody may do in a mounted folder changed.
    Permission,
    /// The text of a file is there.
    Extracted,
    /// What was deleted is gone for good.
    Purged,
}

/// What may happen to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// It cannot be read.
    Lost,
    /// It was rewritten from a good one.
    Repaired,
}

impl Event {
    /// The words by which groups choose: `change.file`, `content.stored`, `block.lost` …
    pub fn topic(&self) -> &'static str {
        match self {
            Event::Changed { what, .. } => match what {
                ChangeKind::File => "change.file",
                ChangeKind::Mount => "change.mount",
                ChangeKind::Permission => "change.permission",
                ChangeKind::Extracted => "change.extracted",
                ChangeKind::Purged => "change.purged",
            },
            Event::Content { .. } => "content.stored",
            Event::Block { what, .. } => match what {
                BlockKind::Lost => "block.lost",
                BlockKind::Repaired => "block.repaired",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_golden() {
        let event = Event::Changed {
            what: ChangeKind::File,
            partition: 3,
            sequence: 17,
            namespace: 5,
            namespace_sequence: 9,
            changes: 2,
        };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(
            text,
            r#"{"event":"changed","what":"file","partition":3,"sequence":17,"namespace":5,"namespace_sequence":9,"changes":2}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        assert_eq!(event.topic(), "change.file");
    }
}
