//! Tests of the routes on a real store.

mod files;
mod frame;
mod import;
mod oauth;
mod page;
mod serve;
mod session;
mod sharing;
