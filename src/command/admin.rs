//! Calls an operation of `/2/firefly/admin`: of the running server, or of the stopped store itself.

use anyhow::Result;
use serde_json::Value;

use crate::client::{Client, ServerAddress};
use crate::config::{Config, DataArg};
use crate::node::Node;
use crate::operations::Operations;

/// The operation's answer.
pub fn call(data: &DataArg, operation: &str, argument: Value) -> Result<Value> {
    if ServerAddress::read(&data.data).is_some() {
        let client = Client::of_running(&data.data)?;
        let route = format!("firefly/admin/{operation}");
        return super::block_on(async { client.rpc(&route, &argument).await });
    }
    let config = Config::without_flags(data)?;
    Operations::new(Node::open_stopped(&config)?).call(operation, argument)
}
