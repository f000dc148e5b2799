//! `/2/firefly/*`: what Dropbox's API lacks.

pub mod account;
pub mod admin;
pub mod index_status;
pub mod preview;
pub mod search;
pub mod session;
pub mod text;
pub mod token;
pub mod undelete;
