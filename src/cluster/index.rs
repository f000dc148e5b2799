//! What administrators ask of the whole index, put together from what every process that holds shards says.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::member::Member;
use super::role::Role;
use crate::rpc::call::{Answer, Call};

/// How long a process may take: comparing an index with metadata reads all of it.
const LIMIT: Duration = Duration::from_secs(600);

/// Asks every process that has a role in the index, and sums up.
pub fn ask(member: &Member, name: &str, argument: &Value) -> Result<Value> {
    let (client, owners, shards) = (&member.client, &member.owners, member.shards);
    let mut urls = owners.processes(Role::Shard.name())?;
    urls.extend(owners.processes(Role::Extract.name())?);
    urls.sort();
    urls.dedup();
    if urls.is_empty() {
        bail!("no process with the role shard runs");
    }
    if let Some(shard) = (0..shards).find(|shard| owners.of(*shard).is_empty()) {
        bail!("nobody holds shard {shard} at present: ask again");
    }
    let mut sum = None;
    for url in urls {
        let call = Call::Operation {
            name: name.into(),
            argument: argument.to_string(),
        };
        let answer = match client.call(&url, &call, Instant::now() + LIMIT)? {
            Answer::Operation(answer) => serde_json::from_str(&answer)?,
            Answer::Failed(why) => bail!("{url}: {why}"),
            _ => bail!("{url} answers something else"),
        };
        match &mut sum {
            None => sum = Some(answer),
            Some(sum) => add(sum, answer),
        }
    }
    Ok(sum.unwrap_or_default())
}

/// Numbers are added, lists joined, and what is true must be true everywhere; entries of lists with the same `reason` are one.
fn add(sum: &mut Value, more: Value) {
    match (sum, more) {
        (Value::Object(sum), Value::Object(more)) => {
            for (key, value) in more {
                match sum.get_mut(&key) {
                    Some(known) => add(known, value),
                    None => drop(sum.insert(key, value)),
                }
            }
        }
        (Value::Array(sum), Value::Array(more)) => {
            for entry in more {
                let reason = entry.get("reason").cloned();
                let same =
                    |known: &&mut Value| reason.is_some() && known.get("reason") == reason.as_ref();
                match sum.iter_mut().find(same) {
                    Some(known) => add(known, entry),
                    None => sum.push(entry),
                }
            }
        }
        (Value::Number(sum), Value::Number(more)) => {
            let (Some(a), Some(b)) = (sum.as_u64(), more.as_u64()) else {
                return;
            };
            *sum = (a + b).into();
        }
        (Value::Bool(sum), Value::Bool(more)) => *sum &= more,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_processes_say_is_summed_up() {
        let mut sum = json!({"is_right": true, "nodes": 3, "missing": ["a"], "reasons": [{"reason": "text", "files": 2}]});
        let more = json!({"is_right": false, "nodes": 4, "missing": ["b"], "reasons": [{"reason": "text", "files": 5}, {"reason": "none", "files": 1}]});
        add(&mut sum, more);
        let wanted = json!({
            "is_right": false, "nodes": 7, "missing": ["a", "b"],
            "reasons": [{"reason": "text", "files": 7}, {"reason": "none", "files": 1}],
        });
        assert_eq!(sum, wanted);
    }
}
