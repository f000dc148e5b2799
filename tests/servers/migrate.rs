//! A store goes to MariaDB and back: every file is the same, the check is clean, and it goes on from there each time.

use std::collections::BTreeMap;

use serde_json::json;

use crate::mariadb::MariaDb;
use crate::program::{Server, until};
use crate::user::User;

/// Path -> content.
type Files = BTreeMap<String, Vec<u8>>;

#[test]
fn a_store_goes_to_a_database_and_back() {
    let database = MariaDb::start();
    let mut server = Server::start_embedded();
    let user = server.user("mover");
    let mut files = Files::new();
    write(&user, &mut files, "before");
    user.call("files/create_folder_v2", &json!({"path": "/shared"}));
    user.call("sharing/share_folder", &json!({"path": "/shared"}));
    user.upload("/shared/inside.txt", b"a walrus in a shared folder")
        .unwrap();
    user.call("files/delete_v2", &json!({"path": "/before-3.txt"}));
    files.remove("/before-3.txt");
    let cursor = user.call("files/list_folder/get_latest_cursor", &json!({"path": ""}));
    assert_eq!(server.stop(), 0);

    let settings = format!(
        "metadata = \"{}\"\nmetadata_password_file = \"{}\"\n",
        database.new_database(),
        database.password_file().display()
    );
    migrate(&mut server, "there", &settings);
    server.start_again();
    all_is_there(&user, &files);
    let changes = user.call(
        "files/list_folder/continue",
        &json!({"cursor": cursor["cursor"]}),
    );
    assert_eq!(changes["entries"], json!([]), "cursors go on");
    write(&user, &mut files, "there");
    all_is_there(&user, &files);
    assert_eq!(server.stop(), 0);
    server.check();

    migrate(&mut server, "back", "");
    server.start_again();
    write(&user, &mut files, "back");
    all_is_there(&user, &files);
    let restored = json!({"path": "/before-3.txt"});
    user.call("firefly/undelete", &restored);
    assert_eq!(server.stop(), 0);
    server.check();
}

fn write(user: &User, files: &mut Files, name: &str) {
    for n in 0..8 {
        let content = format!("{name} and walrus{name}{n} ").repeat(1 << (n * 2));
        let path = format!("/{name}-{n}.txt");
        user.put(&path, content.as_bytes());
        files.insert(path, content.into_bytes());
    }
}

fn all_is_there(user: &User, files: &Files) {
    for (path, content) in files {
        let got = user
            .content("files/download", &json!({ "path": path }), b"")
            .unwrap();
        assert!(got.status == 200 && got.body == *content, "{path}");
        let word = format!("walrus{}", path[1..].replace('-', "").replace(".txt", ""));
        until(path, 60, || {
            let found = user.call("firefly/search", &json!({ "query": word }));
            let hits = found["hits"].as_array().unwrap();
            hits.iter()
                .any(|hit| hit["metadata"]["path_lower"] == path.as_str())
                .then_some(())
        });
    }
}

/// Carries the server's store to the folder `name` beside it, with these settings, and goes on there.
pub fn migrate(server: &mut Server, name: &'static str, settings: &str) {
    let folder = server.folder().join(name);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("firefly.toml"), settings).unwrap();
    let to = folder.join("firefly.toml");
    let mut command = crate::program::program();
    command.arg("--data").arg(server.data());
    let done = command.arg("migrate").arg("--to").arg(to).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let complained = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() && said.contains("all is well"),
        "{said}{complained}"
    );
    server.use_data(name);
}
