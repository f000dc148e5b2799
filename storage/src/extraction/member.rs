//! What a file holds that is found by itself: messages of a mailbox, attachments of a message, members of an archive.
//!
//! Their facts lie in blocks of their own, [`PER_BLOCK`] of them in each, beside the text's: a search reads the few that it
//! shows, not all that a file has.

use serde::{Deserialize, Serialize};

use crate::block::BlockStore;
use crate::chunk::BlockHash;
use crate::error::Result;
use crate::row;

/// Members of one file that are found by themselves; what comes after them is found as part of the file.
pub const MAX_MEMBERS: usize = 4_096;
/// Bytes of names, senders and subjects that one file's members may have in all.
pub const MAX_FACTS_BYTES: usize = 1 << 20;
/// Members whose facts lie in one block.
const PER_BLOCK: usize = 64;

/// What a member is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberKind {
    /// A message of a mailbox, or one that was forwarded whole.
    Message,
    /// What is attached to a message.
    Attachment,
    /// What is in an archive.
    #[default]
    Member,
}

/// Who wrote what to whom, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Names and addresses of senders; empty where there are none.
    pub from: String,
    /// Names and addresses of who got it, copies too.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// When it was sent, milliseconds since 1970.
    pub sent_ms: Option<i64>,
}

/// One member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What it is.
    pub kind: MemberKind,
    /// Its address in the file, always the same for the same content: a path in an archive, the number of a message, an
    /// attachment's name, with a number where two are called alike.
    pub path: String,
    /// What it is called: a file's name, a subject.
    pub name: String,
    /// Where its text starts and ends in the file's text, bytes.
    pub range: (u32, u32),
    /// Bytes, where that is told.
    pub size: Option<u64>,
    /// When it was changed last, milliseconds since 1970, where that is told.
    pub modified_ms: Option<i64>,
    /// Its type, as [`super::ExtractionRecord::file_type`].
    pub file_type: String,
    /// Its category, as [`super::ExtractionRecord::category`].
    pub category: String,
    /// ISO 639-3 code of its text's language.
    pub language: Option<String>,
    /// Sender, recipients and subject of a message.
    pub letter: Option<Letter>,
}

/// The members of a file, as its record knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// How many there are.
    pub count: u32,
    /// The part of the text that is theirs, bytes; what is around it is the file's own.
    pub range: (u32, u32),
    /// The blocks with their facts, in order.
    pub blocks: Vec<BlockHash>,
}

impl Members {
    /// Stores members in their order; none for none. The record that names the blocks is to be written within their lease. // I1
    pub fn store(members: &[Member], blocks: &BlockStore) -> Result<Option<Self>> {
        let (Some(first), Some(last)) = (members.first(), members.last()) else {
            return Ok(None);
        };
        let written = members.chunks(PER_BLOCK).map(|some| row::encode(&some));
        let written: Vec<Vec<u8>> = written.collect::<Result<_>>()?;
        let pieces: Vec<&[u8]> = written.iter().map(Vec::as_slice).collect();
        Ok(Some(Members {
            count: members.len() as u32,
            range: (first.range.0, last.range.1),
            blocks: blocks.put_many(&pieces)?,
        }))
    }

    /// The member of a number, from 1; none when there are not so many.
    pub fn get(&self, number: u32, blocks: &BlockStore) -> Result<Option<Member>> {
        let Some(index) = number.checked_sub(1).map(|index| index as usize) else {
            return Ok(None);
        };
        let Some(hash) = self.blocks.get(index / PER_BLOCK) else {
            return Ok(None);
        };
        let mut here = decode(&blocks.get(hash)?)?;
        let at = index % PER_BLOCK;
        Ok((at < here.len()).then(|| here.swap_remove(at)))
    }

    /// The number and the facts of the member with this path.
    pub fn find(&self, path: &str, blocks: &BlockStore) -> Result<Option<(u32, Member)>> {
        for (turn, hash) in self.blocks.iter().enumerate() {
            let mut here = decode(&blocks.get(hash)?)?;
            if let Some(at) = here.iter().position(|member| member.path == path) {
                let number = (turn * PER_BLOCK + at + 1) as u32;
                return Ok(Some((number, here.swap_remove(at))));
            }
        }
        Ok(None)
    }

    /// All of them, in order.
    pub fn all(&self, blocks: &BlockStore) -> Result<Vec<Member>> {
        let mut all = Vec::with_capacity((self.count as usize).min(MAX_MEMBERS));
        for hash in &self.blocks {
            all.append(&mut decode(&blocks.get(hash)?)?);
        }
        Ok(all)
    }
}

pub(crate) fn decode(block: &[u8]) -> Result<Vec<Member>> {
    row::decode("members of a file", block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_back_from_their_block() {
        let member = |number: u32| Member {
            path: format!("{number}/a.txt"),
            range: (number, number + 1),
            letter: Some(Letter::default()),
            ..Member::default()
        };
        let members: Vec<_> = (0..3).map(member).collect();
        let written = row::encode(&members).unwrap();
        assert_eq!(decode(&written).unwrap(), members);
        assert!(decode(&[9, 0]).is_err() && decode(&[]).is_err());
    }
}
