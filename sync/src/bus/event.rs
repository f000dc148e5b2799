//! What is published, and how it is written: JSON, so that an operator can read a dead letter (docs/format.md).

use serde::{Deserialize, Serialize};
use storage::trace;

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
        /// The request that made one of them, where it is known: the newest.
        #[serde(
            with = "trace::optional",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        request: Option<trace::Id>,
    },
    /// A content was stored that no extractor has looked at.
    Content {
        /// Whose turn its extraction takes.
        account: u64,
        /// One of the files that have it.
        file: u64,
        /// Dropbox's content_hash, hexadecimal.
        content_hash: String,
        /// The request that stored it, where it is known.
        #[serde(
            with = "trace::optional",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        request: Option<trace::Id>,
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
    /// The request that it comes from, where that is known.
    pub fn request(&self) -> Option<&trace::Id> {
        match self {
            Event::Changed { request, .. } | Event::Content { request, .. } => request.as_ref(),
            Event::Block { .. } => None,
        }
    }

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
            request: None,
        };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(
            text,
            r#"{"event":"changed","what":"file","partition":3,"sequence":17,"namespace":5,"namespace_sequence":9,"changes":2}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        assert_eq!(event.topic(), "change.file");

        let content = |request| Event::Content {
            account: 1,
            file: 7,
            content_hash: "ab".into(),
            request,
        };
        let known = content(trace::Id::read("one.1"));
        let text = serde_json::to_string(&known).unwrap();
        assert_eq!(
            text,
            r#"{"event":"content","account":1,"file":7,"content_hash":"ab","request":"one.1"}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), known);
        // One that is no id is none, and no reason to refuse the message.
        for wrong in ["\"two lines\\n\"", "7", "null", "{}"] {
            let text = text.replace("\"one.1\"", wrong);
            assert_eq!(
                serde_json::from_str::<Event>(&text).unwrap(),
                content(None),
                "{text}"
            );
        }
    }
}
