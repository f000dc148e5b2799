//! Tests of the routes on a real store.

mod frame;
mod session;
