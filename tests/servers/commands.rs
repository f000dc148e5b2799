//! The commands of the program: help, settings, import and its resumption, check, the end on request.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::program::{Server, program, said, until};

/// Files of the imported folder.
const FILES: usize = 300;

#[test]
fn every_command_explains_itself() {
    let help = program().arg("--help").output().unwrap();
    let text = said(&help);
    assert!(help.status.success() && text.contains("Usage"), "{text}");
    let commands: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    for known in [
        "serve", "import", "search", "account", "check", "bench", "eval",
    ] {
        assert!(commands.contains(&known), "{known} is not in {commands:?}");
    }
    for command in commands {
        let help = program().args([command, "--help"]).output().unwrap();
        let text = said(&help);
        assert!(
            help.status.success() && text.contains("Usage"),
            "{command}: {text}"
        );
    }
    let unknown = program().arg("fly").output().unwrap();
    assert_eq!(unknown.status.code(), Some(2), "{}", said(&unknown));
}

#[test]
fn unknown_settings_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let serve = || {
        let mut command = program();
        command
            .arg("--data")
            .arg(folder.path())
            .args(["serve", "--listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null());
        command
    };
    let by_variable = serve().env("FIREFLY_COLOUR", "green").output().unwrap();
    assert!(
        !by_variable.status.success() && said(&by_variable).contains("FIREFLY_COLOUR"),
        "{}",
        said(&by_variable)
    );
    let by_flag = serve().args(["--colour", "green"]).output().unwrap();
    assert!(
        !by_flag.status.success() && said(&by_flag).contains("--colour"),
        "{}",
        said(&by_flag)
    );
    std::fs::write(folder.path().join("firefly.toml"), "colour = \"green\"\n").unwrap();
    let by_file = serve().output().unwrap();
    assert!(
        !by_file.status.success() && said(&by_file).contains("colour"),
        "{}",
        said(&by_file)
    );
    std::fs::write(folder.path().join("firefly.toml"), "shards = 0\n").unwrap();
    let out_of_range = serve().output().unwrap();
    assert!(
        !out_of_range.status.success() && said(&out_of_range).contains("shards"),
        "{}",
        said(&out_of_range)
    );
}

#[test]
fn check_works_while_the_server_runs_and_while_it_is_stopped() {
    let mut server = Server::start(false);
    let user = server.user("ann");
    user.put("/a.txt", &vec![b'a'; 5_000_000]);
    user.put("/b.txt", b"b");
    user.delete("/b.txt");
    server.check();
    assert_eq!(server.stop(), 0);
    server.check();
    damage_a_block(&server.data());
    let checked = server.command(&["check"]);
    assert_eq!(
        checked.status.code(),
        Some(1),
        "damage is found: {}",
        said(&checked)
    );
    assert!(said(&checked).contains("broken"), "{}", said(&checked));
}

/// Flips a byte in the middle of the largest file of the block store.
fn damage_a_block(data: &Path) {
    let mut folders = vec![data.join("blocks")];
    let mut largest = (0, Path::new("").to_owned());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                folders.push(entry.path());
            } else if meta.len() > largest.0 {
                largest = (meta.len(), entry.path());
            }
        }
    }
    let mut bytes = std::fs::read(&largest.1).unwrap();
    // The extent may be longer than what is written in it.
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[written / 2] ^= 0xff;
    std::fs::write(largest.1, bytes).unwrap();
}

#[test]
fn accounts_are_made_while_the_server_runs_and_while_it_is_stopped() {
    let mut server = Server::start(false);
    let token = |output: Output| {
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .last()
            .unwrap()
            .to_owned()
    };
    let first = token(server.command(&["account", "create", "one@example.org"]));
    assert_eq!(server.stop(), 0);
    let second = token(server.command(&["account", "create", "two@example.org"]));
    let again = server.command(&["account", "create", "ONE@example.org"]);
    assert!(!again.status.success(), "{}", said(&again));
    server.start_again();
    for (token, email) in [(first, "one@example.org"), (second, "two@example.org")] {
        let user = crate::user::User::new(server.http(), &token);
        assert_eq!(
            user.call("users/get_current_account", &Value::Null)["email"],
            email
        );
    }
    let listed = said(&server.command(&["account", "list"]));
    assert!(
        listed.contains("one@example.org") && listed.contains("two@example.org"),
        "{listed}"
    );
}

#[test]
fn the_end_on_request_is_clean_while_clients_wait() {
    let mut server = Server::start(false);
    let user = server.user("ann");
    let mut idle = TcpStream::connect(server.listen()).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    let cursor = user.call(
        "files/list_folder/get_latest_cursor",
        &json!({ "path": "" }),
    );
    let waiting = {
        let (user, argument) = (
            user.clone(),
            json!({ "cursor": cursor["cursor"], "timeout": 120 }),
        );
        std::thread::spawn(move || user.rpc("files/list_folder/longpoll", &argument))
    };
    user.put("/last words.txt", b"said before the end");
    assert_eq!(server.stop(), 0);
    let _either_answered_or_cut = waiting.join().unwrap();
    server.start_again();
    assert_eq!(
        user.download("/last words.txt").body,
        b"said before the end"
    );
    assert_eq!(server.stop(), 0);
}

#[test]
fn no_process_outlives_the_server() {
    let mut server = Server::start(false);
    let user = server.user("ann");
    for kill in [true, false] {
        user.put(&format!("/{kill}.txt"), format!("work {kill}").as_bytes());
        let workers = until("a process that extracts", 60, || {
            Some(server.workers()).filter(|workers| !workers.is_empty())
        });
        if kill {
            server.kill9();
        } else {
            assert_eq!(server.stop(), 0);
        }
        until("the end of its processes", 20, || {
            let alive = |worker: &u32| {
                let command = std::fs::read(format!("/proc/{worker}/cmdline"));
                String::from_utf8_lossy(&command.unwrap_or_default()).contains("extract-worker")
            };
            (!workers.iter().any(alive)).then_some(())
        });
        if kill {
            server.start_again();
        }
    }
}

#[test]
fn two_servers_do_not_share_a_folder() {
    let server = Server::start(false);
    let second = server
        .program()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!second.status.success(), "{}", said(&second));
    server.user("still-served").put("/a.txt", b"a");
}

#[test]
fn an_import_goes_on_after_kill_9() {
    let mut server = Server::start(false);
    let folder = server.folder().join("Old Papers");
    for number in 0..FILES {
        let path = folder.join(format!("box {}", number % 7));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(
            path.join(format!("paper {number}.txt")),
            format!("paper number {number}\n").repeat(20),
        )
        .unwrap();
    }
    let admin = server.admin();
    let mut import = server
        .program()
        .arg("import")
        .arg(&folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stored = until("files of the import", 60, || {
        Some(admin.files().len()).filter(|n| *n >= 20)
    });
    server.kill9();
    import.kill().unwrap();
    import.wait().unwrap();
    server.start_again();
    let report = imported(&server, &folder);
    let count = |report: &Value, key: &str| report[key].as_u64().unwrap() as usize;
    assert!(
        count(&report, "unchanged") >= stored,
        "{stored} were there: {report}"
    );
    assert_eq!(
        count(&report, "unchanged") + count(&report, "imported"),
        FILES,
        "{report}"
    );
    let report = imported(&server, &folder);
    assert_eq!(
        (count(&report, "unchanged"), count(&report, "imported")),
        (FILES, 0),
        "{report}"
    );
    let files = admin.files();
    assert_eq!(files.len(), FILES);
    assert!(
        files.contains_key("/old papers/box 3/paper 3.txt"),
        "{:?}",
        files.keys().next()
    );
    until("a word of an imported file", 90, || {
        let found = said(&server.command(&["search", "paper", "number", "299"]));
        found
            .contains("/Old Papers/box 5/paper 299.txt")
            .then_some(())
    });
    server.check();
}

fn imported(server: &Server, folder: &Path) -> Value {
    let done = server.command(&["import", "--json", folder.to_str().unwrap()]);
    assert!(done.status.success(), "{}", said(&done));
    let text = String::from_utf8(done.stdout).unwrap();
    serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap()
}

#[test]
fn serve_imports_while_it_serves() {
    let mut server = Server::start(false);
    assert_eq!(server.stop(), 0);
    let folder = server.folder().join("Letters");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("one.md"), "a letter about gooseberries").unwrap();
    server.start_with(&["--import", folder.to_str().unwrap()]);
    let admin = server.admin();
    until("the imported word", 90, || {
        (admin.found("gooseberries") == ["/letters/one.md"]).then_some(())
    });
    let missing = server
        .program()
        .args(["serve", "--import", "/no/such/folder"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        !missing.status.success() && said(&missing).contains("/no/such/folder"),
        "{}",
        said(&missing)
    );
}

#[test]
fn the_log_is_a_file_a_day_and_old_ones_go() {
    let mut server = Server::stopped(false);
    let logs = server.folder().join("logs");
    std::fs::create_dir(&logs).unwrap();
    for day in 1..=5 {
        std::fs::write(logs.join(format!("firefly.2020-01-0{day}.log")), "old").unwrap();
    }
    let folder = logs.to_str().unwrap();
    server.start_with(&["--log-dir", folder, "--log", "json", "--log-keep", "3"]);
    server
        .user("ann")
        .refused("files/get_metadata", &serde_json::json!({"path": "/no"}));
    assert_eq!(server.stop(), 0);
    let mut names: Vec<String> = std::fs::read_dir(&logs)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    let text = std::fs::read_to_string(logs.join(&names[2])).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["level"], &last["message"]),
        (&Value::from("INFO"), &Value::from("stopped"))
    );
}

#[test]
fn doctor_says_what_is_wrong_and_a_container_hears_only_whether_the_server_answers() {
    let mut server = Server::start(false);
    let settings = server.data().join("firefly.toml");
    std::fs::write(settings, "public_url = \"http://127.0.0.1:1\"\n").unwrap();
    let all = server.command(&["doctor"]);
    assert_eq!(all.status.code(), Some(1));
    let all = said(&all);
    assert!(all.contains("BROKEN  the public address"), "{all}");
    assert!(all.contains("docs/operations has examples"), "{all}");
    let only = server.command(&["doctor", "--running"]);
    assert!(only.status.success(), "{}", said(&only));
    assert_eq!(server.stop(), 0);
    let none = server.command(&["doctor", "--running"]);
    assert_eq!(none.status.code(), Some(1), "{}", said(&none));
}
