//! Several processes of one Firefly: who holds what, and how searches find it.
//!
//! In reading order: [`role`] (what a process does), [`note`] (what it says about itself), [`member`] (how it joins), [`keeper`] (its leases: itself, shards, duties), [`share`]
//! (who is to hold what), [`owners`] (who holds which shard), [`hedge`] (when a second holder is asked), [`remote`] (a search's legs over the network), [`desk`] (what this process answers others),
//! [`earlier`] (whether calls may come in clear), [`index`] (what administrators ask of the whole index).

pub mod desk;
pub mod earlier;
pub mod hedge;
pub mod index;
pub mod keeper;
pub mod member;
pub mod note;
pub mod owners;
pub mod remote;
pub mod role;
pub mod share;
