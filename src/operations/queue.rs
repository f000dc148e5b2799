//! Operations on the broker's queues.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use sync::bus::amqp::AmqpBus;

/// Most dead letters that one call lists or puts back.
const MAX_LETTERS: usize = 10_000;

#[derive(Deserialize)]
struct Limit {
    limit: usize,
}

/// Runs one: `status`, `list` or `replay`. Fails when there is no broker, or it cannot be reached.
pub fn call(bus: Option<&AmqpBus>, operation: &str, argument: Value) -> Result<Value> {
    let bus = bus.context("there is no broker: the setting is `broker`")?;
    let limit = || -> Result<usize> {
        let wanted: Limit = serde_json::from_value(argument)?;
        Ok(wanted.limit.min(MAX_LETTERS))
    };
    match operation {
        "status" => status(bus),
        "list" => Ok(json!({ "letters": bus.dead_letters(limit()?)? })),
        "replay" => Ok(json!({ "replayed": bus.replay(limit()?)? })),
        _ => Err(web::OperationFailure::Unknown.into()),
    }
}

/// The broker, its queues, and this process's connections.
pub fn status(bus: &AmqpBus) -> Result<Value> {
    let links = bus.health().links().into_iter();
    let connections: serde_json::Map<String, Value> = links
        .map(|(name, error)| {
            let state = error.map_or(json!("ok"), |error| json!(error));
            (name.to_owned(), state)
        })
        .collect();
    let (queues, error) = match bus.queues() {
        Ok(queues) => (json!(queues), Value::Null),
        Err(error) => (json!([]), json!(error.to_string())),
    };
    Ok(
        json!({ "broker": bus.address(), "queues": queues, "error": error, "connections": connections }),
    )
}
