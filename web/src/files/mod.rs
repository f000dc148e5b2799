//! `files/*`: Dropbox's file routes.

pub mod batch;
pub mod change;
pub mod create_folder;
pub mod delete;
pub mod download;
pub mod error;
pub mod finish;
pub mod get_metadata;
pub mod list_folder;
pub mod list_link;
pub mod longpoll;
pub mod preview;
pub mod relocate;
pub mod revisions;
pub mod search;
pub mod session;
pub mod shape;
pub mod temporary_link;
pub mod thumbnail;
pub mod upload;
pub mod zip;
