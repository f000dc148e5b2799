//! Which rows lie together: the function of the key that an engine over several servers places rows by.

/// Groups rows into slots. Rows of one slot lie on one server; all others lie on the primary.
pub trait Placement: Send + Sync {
    /// The slot of `key`'s row; `None`: it stays on the primary.
    fn slot(&self, key: &[u8]) -> Option<u16>;

    /// Where all rows with `start <= key < end` are.
    fn span(&self, start: &[u8], end: &[u8]) -> Span;

    /// The next keys, from `key` on, among which rows of `slot` are to be looked for: start and end. Others may lie between
    /// them; `None` when there are none.
    fn next(&self, slot: u16, key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)>;
}

/// Where the rows of a range are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// On the primary.
    Primary,
    /// In one slot.
    Slot(u16),
    /// Anywhere.
    Any,
}
