//! Tests of the real program with real clients. They need Python, Node and Chromium, which `tests/install test` brings;
//! `cargo test` without the feature `servers` leaves them out.

mod program;
