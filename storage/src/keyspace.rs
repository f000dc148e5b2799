//! The first byte of every key: which table a row belongs to. One place, so that no two tables collide.
//!
//! What follows the first byte is big-endian and fixed width unless the table's own module says otherwise.

/// Store format and other singletons (`kv`, `meta`).
pub const SYSTEM: u8 = 0x01;
/// Block index: block hash (32) -> location, wrapped key, lease (`block`).
pub const BLOCK: u8 = 0x10;
/// Block references: block hash (32), owner -> empty (`block::reference`).
pub const REFERENCE: u8 = 0x11;
/// Extents and volumes: placement (`block`).
pub const EXTENT: u8 = 0x12;
/// Log of block events (`block`).
pub const BLOCK_LOG: u8 = 0x13;
/// Accounts, by id and by e-mail (`meta::account`).
pub const ACCOUNT: u8 = 0x20;
/// Bearer tokens, sessions, one-time codes, by hash (`meta::token`).
pub const TOKEN: u8 = 0x21;
/// Namespaces (`meta::namespace`).
pub const NAMESPACE: u8 = 0x22;
/// Membership: namespace, account -> role; and its inverse (`meta::namespace`).
pub const MEMBER: u8 = 0x23;
/// Shared links (`meta::link`).
pub const LINK: u8 = 0x24;
/// Searches an account keeps (`meta::searches`).
pub const SEARCHES: u8 = 0x25;
/// Second factors: account -> wrapped secret, recovery codes' hashes (`meta::second_factor`).
pub const SECOND_FACTOR: u8 = 0x26;
/// Groups, who is in them, and which shared folders they are in (`meta::group`).
pub const GROUP: u8 = 0x27;
/// Invitations to shared folders for people without an account (`meta::invitation`).
pub const INVITATION: u8 = 0x28;
/// What administrators decide for a team (`meta::team`).
pub const TEAM: u8 = 0x29;
/// What an account looked at last, by account.
pub const OPENED: u8 = 0x2a;
/// Nodes: file id -> entity (`meta::node`).
pub const NODE: u8 = 0x30;
/// Children: parent file id, folded name -> file id (`meta::node`).
pub const CHILD: u8 = 0x31;
/// Deleted children: parent file id, folded name, deletion -> file id (`meta::node`).
pub const TOMBSTONE: u8 = 0x32;
/// Versions: file id, rev -> version (`meta::version`).
pub const VERSION: u8 = 0x33;
/// Upload sessions (`meta::session`).
pub const UPLOAD: u8 = 0x34;
/// Results of asynchronous jobs (`meta::job`).
pub const JOB: u8 = 0x35;
/// Bytes used per account: counters; limits; sizes owed (`meta::quota`).
pub const USAGE: u8 = 0x36;
/// What purge will look at: time, file, rev -> empty (`meta::purge`).
pub const EXPIRY: u8 = 0x37;
/// Rewinds: id -> rewind; namespace -> the one that runs (`meta::rewind`).
pub const REWIND: u8 = 0x38;
/// Namespace journals: namespace, sequence -> change (`journal`).
pub const JOURNAL: u8 = 0x40;
/// Partition logs: partition, sequence -> namespace, change (`journal`).
pub const PARTITION: u8 = 0x41;
/// How far logs were published: log -> sequence (`relayed`).
pub const RELAYED: u8 = 0x42;
/// Extraction queue: account, rev, file -> job (`extraction`).
pub const EXTRACT_QUEUE: u8 = 0x50;
/// Extraction records: scope, content hash, … -> record (`extraction`).
pub const EXTRACTION: u8 = 0x51;
/// Files that wait for a helper of extraction: helper, account, rev, file -> empty (`extraction::later`).
pub const EXTRACT_LATER: u8 = 0x52;
/// What a helper has read so far: account, rev, file, page -> text (`extraction::later`).
pub const EXTRACT_PAGE: u8 = 0x53;
/// Who extracts a content: as the record's key -> owner, until when (`extraction::claim`).
pub const EXTRACT_CLAIM: u8 = 0x54;
/// Audit log (`meta::audit`).
pub const AUDIT: u8 = 0x60;
/// The audit log's head and the start of its chain (`meta::audit_chain`).
pub const AUDIT_CHAIN: u8 = 0x61;
/// Leases: name -> holder, epoch, beat (`lease`).
pub const LEASE: u8 = 0x70;
/// Snapshots of shards: shard -> where it is, and how far (`snapshot`).
pub const SNAPSHOT: u8 = 0x71;

/// True for the rows that a cache may keep: read again and again by their keys, and saying nothing of who may do what.
/// Roles, tokens, links and second factors are read from the store itself each time.
pub fn is_hot(key: &[u8]) -> bool {
    matches!(
        key.first(),
        Some(&(NODE | VERSION | NAMESPACE | BLOCK | EXTRACTION))
    )
}
