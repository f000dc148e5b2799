//! `/2/firefly/space`: what the caller's files take, the trash and old versions included.

use axum::extract::State;
use serde_json::{Value, json};

use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// Bytes of live files, of the trash and of old versions in the caller's own namespaces; the last two up to a minute old; and how long those are
/// kept.
pub async fn space(State(app): State<App>, caller: Caller, Arg(_): Arg<Value>) -> Answer<Value> {
    let counted = app.blocking(move |app| {
        let usage = app.meta().space_used(caller.id())?;
        let kept = app.meta().kept_space()?;
        let days = app.meta().retention_days()?;
        let own = kept.accounts.get(&caller.id()).copied().unwrap_or_default();
        storage::Result::Ok(json!({
            "used": usage.used, "allocated": usage.allocated,
            "trash": { "entries": own.trashed, "bytes": own.trash_bytes },
            "versions": { "count": own.versions, "bytes": own.version_bytes },
            "retention_days": days.unwrap_or(app.settings().retention_days),
            "is_complete": kept.is_complete,
        }))
    });
    counted.await?.map(Reply).map_err(Failure::from_storage)
}
