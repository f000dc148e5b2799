//! The rewind drill: an attack changes everything in a folder; it is undone, the server is killed meanwhile, the index follows, and the
//! rewind is undone as well.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::program::{Server, until};
use crate::user::User;

/// Files that are attacked.
const FILES: usize = 400;

/// Path -> content hash.
fn contents(user: &User) -> BTreeMap<String, Value> {
    let files = user.files().into_iter();
    files
        .map(|(path, file)| (path, file["content_hash"].clone()))
        .collect()
}

fn now() -> String {
    // Times are compared to the millisecond; what was acknowledged before is before.
    std::thread::sleep(std::time::Duration::from_millis(5));
    let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(5));
    now
}

fn attack(user: &User) {
    let entries = (0..FILES).filter(|n| n % 2 == 0).map(|n| {
        json!({ "from_path": format!("/work/{n}.txt"), "to_path": format!("/work/{n}.txt.locked") })
    });
    for n in 0..FILES {
        user.put(
            &format!("/work/{n}.txt"),
            format!("scrambled{n}").as_bytes(),
        );
    }
    let argument = json!({ "entries": entries.collect::<Vec<_>>(), "autorename": false });
    let begun = user.call("files/move_batch_v2", &argument);
    if let Some(job) = begun["async_job_id"].as_str() {
        until("the batch is done", 60, || {
            let state = user.call("files/move_batch/check_v2", &json!({ "async_job_id": job }));
            (state[".tag"] != "in_progress").then_some(())
        });
    }
    let gone = (0..FILES).filter(|n| n % 10 == 1);
    for n in gone {
        user.delete(&format!("/work/{n}.txt"));
    }
    user.put("/work/READ_ME.txt", b"pay");
}

fn ended(user: &User, id: &Value) -> Value {
    until("the rewind is through", 60, || {
        let status =
            user.call("firefly/rewind/status", &json!({ "rewind_id": id }))["rewind"].clone();
        (status["state"] != "running").then_some(status)
    })
}

#[test]
fn an_attack_is_undone_though_the_server_is_killed() {
    let mut server = Server::start(false);
    let user = server.user("ann");
    for n in 0..FILES {
        user.put(
            &format!("/work/{n}.txt"),
            format!("quietword{n}x in file {n}").as_bytes(),
        );
    }
    let (before, moment) = (contents(&user), now());
    attack(&user);
    let (after, attacked) = (contents(&user), now());
    assert_ne!(before, after);

    let wanted = json!({ "path": "/work", "to": moment, "dry_run": true });
    let preview = user.call("firefly/rewind", &wanted)["preview"].clone();
    assert_eq!(contents(&user), after, "a preview changes nothing");
    assert_eq!(
        (&preview["moved"], &preview["revived"]),
        (&json!(FILES / 2), &json!(FILES / 10)),
        "{preview}"
    );
    let begun = user.call("firefly/rewind", &json!({ "path": "/work", "to": moment }));
    let id = begun["rewind"]["rewind_id"].clone();
    server.kill9();
    server.start_again();
    let done = ended(&user, &id);
    assert_eq!(
        (&done["state"], &done["counts"]["failed"]),
        (&json!("done"), &json!(0)),
        "{done}"
    );
    assert_eq!(contents(&user), before);
    for n in [0, 1, FILES - 1] {
        let (word, path) = (format!("quietword{n}x"), format!("/work/{n}.txt"));
        until(&word, 60, || {
            (user.found(&word) == [path.as_str()]).then_some(())
        });
        until("the scrambled text is gone", 60, || {
            user.found(&format!("scrambled{n}"))
                .is_empty()
                .then_some(())
        });
    }
    server.check();

    // Another account neither sees nor undoes it; the command line does.
    let stranger = server.user("stranger");
    assert!(
        stranger
            .refused("firefly/rewind/undo", &json!({ "rewind_id": id }))
            .contains("not_found")
    );
    let undone = server
        .program()
        .args(["rewind", "--undo", id.as_str().unwrap()])
        .env("FIREFLY_TOKEN", &user.token)
        .output()
        .unwrap();
    assert!(
        undone.status.success(),
        "{}",
        String::from_utf8_lossy(&undone.stderr)
    );
    assert_eq!(contents(&user), after);
    let back = server
        .program()
        .args(["rewind", "/work", "--to", &moment])
        .env("FIREFLY_TOKEN", &user.token)
        .output()
        .unwrap();
    assert!(
        back.status.success(),
        "{}",
        String::from_utf8_lossy(&back.stderr)
    );
    assert_eq!(contents(&user), before);
    assert!(attacked > moment);
    server.check();
}
