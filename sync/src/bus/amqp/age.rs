//! How long messages are on their way: from when they were published to when their consumer took them, and to when it was done.

use std::time::{SystemTime, UNIX_EPOCH};

use lapin::message::Delivery;
use lapin::types::AMQPValue;

/// The header that says when a message was published, milliseconds since 1970.
pub const PUBLISHED: &str = "firefly-published-ms";

/// When a message was published, by its publisher's watch.
#[derive(Debug, Clone, Copy)]
pub struct Age(i64);

impl Age {
    /// Reads it; none in a message of a release that did not say it.
    pub fn of(message: &Delivery) -> Option<Age> {
        let headers = message.properties.headers().as_ref()?;
        match headers.inner().get(PUBLISHED) {
            Some(AMQPValue::LongLongInt(at_ms)) => Some(Age(*at_ms)),
            _ => None,
        }
    }

    /// A consumer of this group takes the message.
    pub fn is_taken(self, group: &'static str) {
        metrics::histogram!("firefly_event_taken_seconds", "group" => group).record(self.seconds());
    }

    /// A consumer of this group has acted on the message, and the broker knows.
    pub fn is_done(self, group: &'static str) {
        metrics::histogram!("firefly_event_done_seconds", "group" => group).record(self.seconds());
    }

    fn seconds(self) -> f64 {
        (now_ms() - self.0).max(0) as f64 / 1000.0
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}
