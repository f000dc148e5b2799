//! `sharing/*`: shared folders, their members, and shared links.

pub mod error;
pub mod folder;
pub mod job;
pub mod link;
pub mod link_file;
pub mod link_shape;
pub mod member;
pub mod mount;
pub mod shape;
