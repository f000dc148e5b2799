//! `/2/firefly/undelete`: a deleted file or folder comes back from the trash, a folder with all that was in it.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::{Address, AuditAction, Refusal};

use crate::App;
use crate::files::error::{address, path_lookup, path_write};
use crate::files::shape::Shape;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// What is to come back: the path where it was last, or its id.
#[derive(Deserialize)]
pub struct UndeleteArg {
    path: String,
}

/// Where it is now: where it was, beside what has taken its name since.
pub async fn undelete(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<UndeleteArg>,
) -> Answer<Value> {
    let at = address(&arg.path, refused)?;
    let worker = caller.clone();
    let restored = app.blocking(move |app| {
        let file = match &at {
            Address::Id(file, names) if names.is_empty() => *file,
            _ => {
                let view = app.meta().view(worker.id())?;
                let was = view.resolve_deleted(worker.root, &at)?;
                was.ok_or(Refusal::NotFound)?.node.id
            }
        };
        let place = app.meta().undelete(worker.actor(), file)?;
        storage::Result::Ok(Shape::tagged(&place, worker.start_of(app)?))
    });
    let metadata = restored.await?.map_err(|e| Failure::shaped(e, refused))?;
    app.note(&caller, AuditAction::Restored, arg.path).await;
    Ok(Reply(json!({ "metadata": metadata })))
}

fn refused(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::NotFound | Refusal::MalformedPath(_) => path_lookup(refusal),
        _ => path_write(refusal),
    }
}
