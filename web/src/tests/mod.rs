//! Tests of the routes on a real store.

mod files;
mod frame;
mod oauth;
mod serve;
mod session;
mod sharing;
