//! `/2/firefly/*`: what Dropbox's API lacks.

pub mod account;
pub mod admin;
pub mod events;
pub mod export;
pub mod import;
pub mod index_status;
pub mod member;
pub mod operators;
pub mod password;
pub mod preview;
pub mod rest;
pub mod rewind;
pub mod search;
pub mod searches;
pub mod session;
pub mod space;
pub mod suggest;
pub mod text;
pub mod thumbnail;
pub mod token;
pub mod trash;
pub mod undelete;
pub mod verified;
pub mod zip;
