//! How the processes of a cluster talk: one call, one answer, MessagePack over HTTP over TLS.
//!
//! Connections are encrypted, and both ends prove on each that they have the cluster's key ([`tls`]); releases before that called in clear.
//! Every request is authenticated with the cluster's key (HMAC-SHA-256 over what is asked, its time and its body; the key itself never
//! travels), carries the version that its sender speaks, what is left of its deadline, and the request's id. A process refuses only
//! majors that it does not speak: fields may come and variants may be added at the end, as long as older ones are answered. In
//! reading order: [`call`] (what is asked), [`key`], [`tls`], [`client`], [`listener`], [`server`].

pub mod call;
pub mod client;
pub mod key;
mod listener;
pub mod server;
mod tls;

#[cfg(test)]
mod tests;

pub use client::Client;
pub use key::ClusterKey;

/// The version that is spoken: majors must be the same.
pub const VERSION: (u16, u16) = (1, 0);
/// Where calls go.
pub const PATH: &str = "/rpc";
/// Bytes of a call, and of an answer, at most.
pub const MAX_BYTES: usize = 64 << 20;

/// The version.
const VERSION_HEADER: &str = "x-firefly-rpc";
/// When the call was sent, milliseconds since 1970.
const SENT_HEADER: &str = "x-firefly-sent";
/// The authenticator.
const MAC_HEADER: &str = "x-firefly-mac";
/// What is left until nobody waits for the answer any more, milliseconds.
const DEADLINE_HEADER: &str = "x-firefly-deadline-ms";
/// The id that log lines of all processes carry.
const REQUEST_HEADER: &str = "x-firefly-request-id";

/// The version as it is sent.
fn version_text() -> String {
    format!("{}.{}", VERSION.0, VERSION.1)
}

/// True when a sender's version is spoken here.
fn is_spoken(text: &str) -> bool {
    let major = text.split('.').next();
    major.and_then(|major| major.parse::<u16>().ok()) == Some(VERSION.0)
}
