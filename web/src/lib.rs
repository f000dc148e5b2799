//! web

pub mod assets;
