//! `/2/firefly/search/operators`: what the query language knows, for completion while one types.

use axum::extract::State;
use query::parse::{Kind, OPERATORS, Operator};
use query::people::People;
use serde_json::{Value, json};

use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Failure, Reply};

/// People that are offered.
const MAX_PEOPLE: usize = 100;

/// Every operator with its values, and the people whose names may stand behind `owner:` and `shared:`.
pub async fn operators(State(app): State<App>, caller: Caller) -> Answer<Value> {
    let people = app.blocking(move |app| {
        let known = People::new(app.meta(), caller.actor()).known(MAX_PEOPLE);
        let known = known.map_err(|error| Failure::Internal(error.to_string()))?;
        let shown = known
            .into_iter()
            .map(|account| json!({"email": account.email, "name": account.name}));
        Ok::<Vec<Value>, Failure>(shown.collect())
    });
    let people = people.await??;
    let operators: Vec<Value> = OPERATORS.iter().map(shown).collect();
    Ok(Reply(json!({"operators": operators, "people": people})))
}

fn shown(operator: &Operator) -> Value {
    json!({
        "name": operator.name,
        "about": operator.about,
        "kind": operator.kind.as_str(),
        "values": operator.values,
        "only_these": operator.kind == Kind::Choice,
    })
}
