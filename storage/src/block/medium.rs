//! What a target is made of: a folder on a disk, the folder of a block server, or objects on other machines.

use std::fs::File;
use std::sync::Mutex;

use super::remote::Copying;
use super::row::ExtentId;
use crate::error::Result;

/// An extent that is written.
pub enum Handle {
    /// A file.
    File(File),
    /// The open extent on another machine: an object for each group.
    Groups,
    /// A whole extent on its way to another machine.
    Copying(Mutex<Option<Box<Copying>>>),
    /// What a block server writes for us.
    Served {
        /// The server's name for it.
        writer: u64,
        /// A copy of an extent, which is not there before its end.
        is_copy: bool,
    },
}

/// Where the bytes of extents are.
pub trait Medium: Send + Sync {
    /// True when it says that it is this store's. An error: it cannot be asked at present.
    fn is_marked(&self) -> Result<bool>;
    /// Takes it for the store; false when it should be there (`expected`) and is not.
    fn take(&self, expected: bool) -> Result<bool>;
    /// Closes what is open for reading.
    fn close(&self);
    /// Writes a little durably and removes it.
    fn probe(&self) -> Result<()>;
    /// Room left, bytes; none where that cannot be asked.
    fn free_bytes(&self) -> Option<u64>;
    /// True when it has an extent up to this length.
    fn has(&self, extent: ExtentId, length: u64) -> bool;
    /// False when it has a sealed extent in many pieces, which are to become one.
    fn is_whole(&self, extent: ExtentId) -> bool;
    /// Makes an extent with its header, durably. Fails when it exists.
    fn create(&self, extent: ExtentId) -> Result<Handle>;
    /// Goes on with an extent of an earlier run, of which `length` bytes were acknowledged: what is behind them is cut off.
    fn reopen(&self, extent: ExtentId, length: u64) -> Result<Handle>;
    /// Begins a copy of an extent, with its header; it counts once [`Medium::end_copy`] has put it in its place. It is written in the
    /// order of its bytes.
    fn begin_copy(&self, extent: ExtentId) -> Result<Handle>;
    /// Puts a copy, which was synced, in the place of what was there.
    fn end_copy(&self, extent: ExtentId, copy: Handle) -> Result<()>;
    /// Removes a copy that was not ended.
    fn drop_copy(&self, extent: ExtentId, copy: Handle) -> Result<()>;
    /// Writes `bytes` at `offset`; not durable before [`Medium::sync`].
    fn write(&self, extent: ExtentId, handle: &Handle, bytes: &[u8], offset: u64) -> Result<()>;
    /// Makes what was written durable. After an error the same bytes must never be synced again: the system may have dropped them
    /// and would report success.
    fn sync(&self, extent: ExtentId, handle: &Handle) -> Result<()>;
    /// Makes it `length` bytes long.
    fn cut(&self, extent: ExtentId, handle: &Handle, length: u64) -> Result<()>;
    /// Writes one record over what is there, durably; false where nothing is ever changed.
    fn mend(&self, extent: ExtentId, offset: u64, record: &[u8]) -> Result<bool>;
    /// Reads `length` bytes at `offset`.
    fn read(&self, extent: ExtentId, offset: u64, length: usize) -> Result<Vec<u8>>;
    /// Removes an extent; one that is not there is fine.
    fn remove(&self, extent: ExtentId) -> Result<()>;
}
