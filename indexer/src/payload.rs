//! What every commit says about itself: how far it has read the logs. // I4

use serde::{Deserialize, Serialize};
use storage::journal::{PARTITIONS, Partition};

use crate::schema::FORMAT;
use crate::walk::WalkPlace;

/// A commit's payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// [`FORMAT`] of the index.
    pub format: u32,
    /// How many shards there are.
    pub shards: u16,
    /// Which one this is.
    pub shard: u16,
    /// How far the first scan of metadata is; none when it is through. Before that a search of the index is partial.
    pub scan: Option<WalkPlace>,
    /// For each owned partition, in order, the sequence up to which the index has everything.
    pub checkpoint: Vec<u64>,
}

impl Payload {
    /// The payload of an empty index whose logs are read from `checkpoint` on.
    pub fn new(shard: u16, shards: u16, checkpoint: Vec<u64>) -> Self {
        Payload {
            format: FORMAT,
            shards,
            shard,
            scan: Some(WalkPlace::default()),
            checkpoint,
        }
    }

    /// As tantivy keeps it: text.
    pub fn encode(&self) -> String {
        postcard::to_stdvec(self)
            .map(hex::encode)
            .unwrap_or_default()
    }

    /// Reads it back; `None` when it is not a payload of this format.
    pub fn decode(text: &str) -> Option<Self> {
        let payload: Payload = postcard::from_bytes(&hex::decode(text).ok()?).ok()?;
        (payload.format == FORMAT).then_some(payload)
    }

    /// True when everything that metadata had at the beginning is in the index.
    pub fn is_complete(&self) -> bool {
        self.scan.is_none()
    }

    /// True when an index with this payload can be continued as `shard` of `shards`.
    pub fn fits(&self, shard: u16, shards: u16) -> bool {
        (self.shard, self.shards) == (shard, shards)
            && self.checkpoint.len() == owned(shard, shards).count()
    }
}

/// The partitions of a shard, in the order of its checkpoint.
pub fn owned(shard: u16, shards: u16) -> impl Iterator<Item = Partition> {
    (shard..PARTITIONS)
        .step_by(shards.max(1) as usize)
        .map(Partition)
}

/// The shard of a partition, and the partition's place in the shard's checkpoint.
pub fn place(partition: Partition, shards: u16) -> (u16, usize) {
    (
        partition.0 % shards.max(1),
        (partition.0 / shards.max(1)) as usize,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_one_place() {
        for shards in [1, 3, 8, 1024] {
            let mut seen = 0;
            for shard in 0..shards {
                for (index, partition) in owned(shard, shards).enumerate() {
                    assert_eq!(place(partition, shards), (shard, index));
                    seen += 1;
                }
            }
            assert_eq!(seen, PARTITIONS);
        }
    }

    #[test]
    fn a_payload_comes_back_and_another_format_does_not() {
        let mut payload = Payload::new(1, 8, vec![7; 128]);
        assert_eq!(Payload::decode(&payload.encode()), Some(payload.clone()));
        assert!(!payload.is_complete());
        payload.scan = None;
        assert_eq!(Payload::decode(&payload.encode()), Some(payload.clone()));
        assert!(
            payload.is_complete()
                && payload.fits(1, 8)
                && !payload.fits(1, 4)
                && !payload.fits(2, 8)
        );
        payload.format += 1;
        assert_eq!(Payload::decode(&payload.encode()), None);
        assert_eq!(Payload::decode("{}"), None);
    }
}
