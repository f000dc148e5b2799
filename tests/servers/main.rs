//! Tests of the real program with real clients. They need Python, Node and Chromium, which `tests/install test` brings;
//! `cargo test` without the feature `servers` leaves them out.
#![allow(
    clippy::unwrap_used,
    reason = "in a test, a surprise is the test's failure"
)]

mod apart;
mod audit;
mod backup;
mod bad_input;
mod balancer;
mod block_servers;
mod broker;
mod browser;
mod certificates;
mod clients;
mod commands;
mod database;
mod databases;
mod disks;
mod durability;
mod engine;
mod helpers;
mod hostile;
mod http;
mod import;
mod isolation;
#[allow(dead_code, reason = "shared with the storage crate's tests")]
mod mariadb;
mod migrate;
mod parts;
mod people;
mod program;
mod proxies;
mod rewind;
mod roles;
mod sdk;
mod search;
mod session;
mod sign_in;
mod status;
mod suspension;
mod targets;
mod upgrade;
mod user;
