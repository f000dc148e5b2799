//! Nobody lists, reads, finds, counts or learns of what is not theirs: a seeded history of four accounts with shared folders,
//! against a model of who may see what (I6).

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::durability::unlike_any_other;
use crate::http::Answer;
use crate::program::{Server, until};
use crate::user::User;

const ACCOUNTS: usize = 4;
const STEPS: usize = 90;
/// Between two waits for the index to hold everything.
const SETTLE_EVERY: usize = 30;
/// Every random choice comes from here; `SERVERS_SEED` asks for another history.
const SEED: u64 = 7;
/// In every file.
const COMMON: &str = "heliotrope";

/// What should be.
#[derive(Default)]
struct Model {
    /// Folders by their unique name; the first ones are each account's own.
    folders: BTreeMap<String, Folder>,
    /// Words of files that are gone or were overwritten, which nobody finds.
    gone: Vec<String>,
}

struct Folder {
    owner: usize,
    /// The shared folder's id.
    shared: Option<String>,
    members: BTreeSet<usize>,
    files: BTreeMap<String, Held>,
}

#[derive(Clone)]
struct Held {
    word: String,
    content: String,
    id: String,
    rev: String,
}

struct World {
    users: Vec<User>,
    model: Model,
    random: StdRng,
    /// Makes names that were never used.
    made: usize,
}

impl Model {
    /// Path in lower case -> file, of all that an account may see.
    fn visible(&self, account: usize) -> BTreeMap<String, &Held> {
        let readable = self
            .folders
            .iter()
            .filter(|(_, folder)| folder.members.contains(&account));
        readable
            .flat_map(|(name, folder)| {
                folder
                    .files
                    .iter()
                    .map(move |(file, held)| (format!("/{name}/{file}"), held))
            })
            .collect()
    }

    /// All that it may not see.
    fn hidden(&self, account: usize) -> Vec<(String, &Held)> {
        let others = self
            .folders
            .iter()
            .filter(|(_, folder)| !folder.members.contains(&account));
        others
            .flat_map(|(name, folder)| {
                folder
                    .files
                    .iter()
                    .map(move |(file, held)| (format!("/{name}/{file}"), held))
            })
            .collect()
    }
}

#[test]
fn a_history_of_sharing_agrees_with_a_model() {
    let seed = std::env::var("SERVERS_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    let server = Server::start(false);
    let mut world = World::new(&server, seed);
    for step in 1..=STEPS {
        world.step();
        for account in 0..ACCOUNTS {
            world.lists_exactly(account);
            world.finds_nothing_else(account);
        }
        world.tells_nothing_of_what_is_hidden();
        if step % SETTLE_EVERY == 0 {
            (0..ACCOUNTS).for_each(|account| world.finds_everything(account));
        }
    }
    server.check();
}

impl World {
    fn new(server: &Server, seed: u64) -> World {
        let users = (0..ACCOUNTS)
            .map(|n| server.user(&format!("person{n}")))
            .collect();
        let mut world = World {
            users,
            model: Model::default(),
            random: StdRng::seed_from_u64(seed),
            made: 0,
        };
        for account in 0..ACCOUNTS {
            world.new_folder(account);
            world.new_file();
        }
        world
    }

    fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..30 => self.new_file(),
            30..40 => self.change_file(),
            40..50 => self.delete_file(),
            50..58 => self.move_file(),
            58..64 => {
                let account = self.random.random_range(0..ACCOUNTS);
                self.new_folder(account)
            }
            64..72 => self.share_folder(),
            72..84 => self.add_member(),
            84..94 => self.remove_member(),
            94..97 => self.rename_folder(),
            _ => self.unshare(),
        }
    }

    fn name(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}{}", self.made)
    }

    /// A folder, and somebody who may write in it.
    fn some_folder(&mut self) -> Option<(String, usize)> {
        let names: Vec<&String> = self.model.folders.keys().collect();
        let name = (*names.choose(&mut self.random)?).clone();
        let members: Vec<usize> = self.model.folders[&name].members.iter().copied().collect();
        Some((name, *members.choose(&mut self.random)?))
    }

    /// A file, and somebody who may write it.
    fn some_file(&mut self) -> Option<(String, String, usize)> {
        let (folder, account) = self.some_folder()?;
        let files: Vec<&String> = self.model.folders[&folder].files.keys().collect();
        let file = (*files.choose(&mut self.random)?).clone();
        Some((folder, file, account))
    }

    /// A shared folder.
    fn some_shared(&mut self) -> Option<(String, String)> {
        let shared: Vec<(String, String)> = self
            .model
            .folders
            .iter()
            .filter_map(|(name, folder)| Some((name.clone(), folder.shared.clone()?)))
            .collect();
        shared.choose(&mut self.random).cloned()
    }

    fn write(&mut self, folder: &str, file: &str, account: usize) {
        let word = unlike_any_other(&mut self.random);
        let content = format!("{COMMON} and {word}, written by {account}");
        let stored = self.users[account].put(&format!("/{folder}/{file}"), content.as_bytes());
        let text = |key: &str| stored[key].as_str().unwrap().to_owned();
        let held = Held {
            word,
            content,
            id: text("id"),
            rev: text("rev"),
        };
        let files = &mut self.model.folders.get_mut(folder).unwrap().files;
        if let Some(before) = files.insert(file.to_owned(), held) {
            self.model.gone.push(before.word);
        }
    }

    fn new_folder(&mut self, account: usize) {
        let name = self.name("folder");
        self.users[account].call(
            "files/create_folder_v2",
            &json!({ "path": format!("/{name}") }),
        );
        let folder = Folder {
            owner: account,
            shared: None,
            members: BTreeSet::from([account]),
            files: BTreeMap::new(),
        };
        self.model.folders.insert(name, folder);
    }

    fn new_file(&mut self) {
        let Some((folder, account)) = self.some_folder() else {
            return;
        };
        let kind = ["txt", "md", "csv"].choose(&mut self.random).unwrap();
        let file = format!("{}.{kind}", self.name("file"));
        self.write(&folder, &file, account);
    }

    fn change_file(&mut self) {
        if let Some((folder, file, account)) = self.some_file() {
            self.write(&folder, &file, account);
        }
    }

    fn delete_file(&mut self) {
        let Some((folder, file, account)) = self.some_file() else {
            return;
        };
        self.users[account].delete(&format!("/{folder}/{file}"));
        let held = self
            .model
            .folders
            .get_mut(&folder)
            .unwrap()
            .files
            .remove(&file)
            .unwrap();
        for user in &self.users {
            assert_nothing(
                &user.search(&held.word),
                "a deleted file, on the next request",
            );
        }
        self.model.gone.push(held.word);
    }

    /// Moves a file between two folders of one account.
    fn move_file(&mut self) {
        let Some((folder, file, account)) = self.some_file() else {
            return;
        };
        let targets: Vec<&String> = self
            .model
            .folders
            .iter()
            .filter(|(name, other)| other.members.contains(&account) && **name != folder)
            .map(|(name, _)| name)
            .collect();
        let Some(target) = targets.choose(&mut self.random).map(|name| (*name).clone()) else {
            return;
        };
        let paths = json!({ "from_path": format!("/{folder}/{file}"), "to_path": format!("/{target}/{file}") });
        let moved = self.users[account].call("files/move_v2", &paths);
        let mut held = self
            .model
            .folders
            .get_mut(&folder)
            .unwrap()
            .files
            .remove(&file)
            .unwrap();
        held.rev = moved["metadata"]["rev"].as_str().unwrap().to_owned();
        held.id = moved["metadata"]["id"].as_str().unwrap().to_owned();
        self.model
            .folders
            .get_mut(&target)
            .unwrap()
            .files
            .insert(file, held);
    }

    fn share_folder(&mut self) {
        let Some((name, _)) = self.some_folder() else {
            return;
        };
        let folder = self.model.folders.get_mut(&name).unwrap();
        if folder.shared.is_none() {
            folder.shared = Some(self.users[folder.owner].share(&format!("/{name}")));
        }
    }

    fn add_member(&mut self) {
        let Some((name, shared)) = self.some_shared() else {
            return;
        };
        let folder = self.model.folders.get_mut(&name).unwrap();
        let member = self.random.random_range(0..ACCOUNTS);
        if folder.members.insert(member) {
            self.users[folder.owner].invite(&shared, &self.users[member]);
        }
    }

    /// Somebody is removed, or leaves.
    fn remove_member(&mut self) {
        let Some((name, shared)) = self.some_shared() else {
            return;
        };
        let folder = self.model.folders.get_mut(&name).unwrap();
        let others: Vec<usize> = folder
            .members
            .iter()
            .copied()
            .filter(|member| *member != folder.owner)
            .collect();
        let Some(member) = others.choose(&mut self.random).copied() else {
            return;
        };
        if self.random.random_bool(0.7) {
            self.users[folder.owner].expel(&shared, &self.users[member]);
        } else {
            let argument = json!({ "shared_folder_id": shared });
            self.users[member].call("sharing/relinquish_folder_membership", &argument);
        }
        folder.members.remove(&member);
        for held in folder.files.values() {
            assert_nothing(
                &self.users[member].search(&held.word),
                "a removed member, on the next request",
            );
        }
    }

    /// A member's own name for a folder must be everybody's in this model, so only folders of one person are renamed.
    fn rename_folder(&mut self) {
        let Some((name, account)) = self.some_folder() else {
            return;
        };
        if self.model.folders[&name].shared.is_some() {
            return;
        }
        let new = self.name("renamed");
        let paths = json!({ "from_path": format!("/{name}"), "to_path": format!("/{new}") });
        self.users[account].call("files/move_v2", &paths);
        let folder = self.model.folders.remove(&name).unwrap();
        self.model.folders.insert(new, folder);
    }

    fn unshare(&mut self) {
        let Some((name, shared)) = self.some_shared() else {
            return;
        };
        let folder = self.model.folders.get_mut(&name).unwrap();
        self.users[folder.owner].call(
            "sharing/unshare_folder",
            &json!({ "shared_folder_id": shared }),
        );
        folder.members = BTreeSet::from([folder.owner]);
        folder.shared = None;
    }

    /// A listing has exactly the account's files, each with its content.
    fn lists_exactly(&mut self, account: usize) {
        let (wanted, user) = (self.model.visible(account), &self.users[account]);
        let listed = user.files();
        assert_eq!(
            listed.keys().collect::<Vec<_>>(),
            wanted.keys().collect::<Vec<_>>(),
            "account {account}"
        );
        for (path, held) in &wanted {
            assert_eq!(listed[path]["id"], held.id.as_str(), "{path}");
        }
        let paths: Vec<&String> = wanted.keys().collect();
        if let Some(path) = paths.choose(&mut self.random) {
            assert_eq!(user.download(path).text(), wanted[*path].content, "{path}");
        }
    }

    /// Whatever a search finds, counts or groups is the account's, even before the index holds everything.
    fn finds_nothing_else(&self, account: usize) {
        let wanted = self.model.visible(account);
        let answer = self.users[account].search(COMMON);
        for hit in answer["hits"].as_array().unwrap() {
            let path = hit["metadata"]["path_lower"].as_str().unwrap();
            assert!(wanted.contains_key(path), "account {account} found {path}");
        }
        let most = wanted.len() as u64;
        assert!(
            answer["total"].as_u64().unwrap() <= most,
            "account {account}: {} of {most}",
            answer["total"]
        );
        for (facet, counted) in counts(&answer) {
            assert!(
                counted <= most,
                "account {account}: facet {facet} counts {counted} of {most}"
            );
        }
    }

    /// A file that an account may not see is answered exactly as one that never was.
    fn tells_nothing_of_what_is_hidden(&mut self) {
        let account = self.random.random_range(0..ACCOUNTS);
        let hidden = self.model.hidden(account);
        let user = &self.users[account];
        if let Some((path, held)) = hidden.choose(&mut self.random) {
            let never = (
                format!("id:{}", "A".repeat(22)),
                format!("rev:{}", "0123456789abcdef".repeat(2)),
            );
            for (real, unreal) in [
                (&held.id, &never.0),
                (&format!("rev:{}", held.rev), &never.1),
                (path, &"/never/was.txt".to_owned()),
            ] {
                for (seen, wanted) in probes(user, real).into_iter().zip(probes(user, unreal)) {
                    assert_eq!(
                        (seen.status, &seen.text()),
                        (wanted.status, &wanted.text()),
                        "account {account}: {real}"
                    );
                }
            }
            let typo = format!("x{}", &held.word[1..]);
            for query in [
                held.word.as_str(),
                &held.word[..6],
                &typo,
                &format!("\"{}\"", held.word),
                &format!("{} OR {0}", held.word),
            ] {
                assert_nothing(&user.search(query), "a hidden file");
            }
            let name = path.rsplit('/').next().unwrap();
            assert!(
                user.found(&format!("name:{name}"))
                    .iter()
                    .all(|found| self.model.visible(account).contains_key(found))
            );
        }
        if let Some(word) = self.model.gone.choose(&mut self.random) {
            let left = until("an old word's end", 90, || {
                Some(user.search(word)).filter(|answer| answer["total"] == 0)
            });
            assert_nothing(&left, "an old word");
        }
    }

    /// In the end everything is found, counted and grouped.
    fn finds_everything(&self, account: usize) {
        let (wanted, user) = (self.model.visible(account), &self.users[account]);
        let paths: Vec<&String> = wanted.keys().collect();
        until(
            &format!("account {account} finds all {}", paths.len()),
            90,
            || (user.found(COMMON).iter().collect::<Vec<_>>() == paths).then_some(()),
        );
        let answer = user.search(COMMON);
        assert_eq!(answer["total"], wanted.len());
        for facet in ["type", "extension", "modified"] {
            let sum: u64 = answer["facets"][facet]
                .as_array()
                .unwrap()
                .iter()
                .map(|each| each["count"].as_u64().unwrap())
                .sum();
            assert_eq!(
                sum,
                wanted.len() as u64,
                "account {account}: facet {facet} of {answer}"
            );
        }
        for (path, held) in &wanted {
            assert_eq!(user.found(&held.word), [path.as_str()], "account {account}");
        }
    }
}

/// Everything that can be asked about a file by its address.
fn probes(user: &User, path: &str) -> Vec<Answer> {
    let at = json!({ "path": path });
    let to = json!({ "from_path": path, "to_path": "/stolen.txt" });
    let mut answers: Vec<Answer> = [
        ("files/get_metadata", &at),
        ("files/get_temporary_link", &at),
        ("files/list_revisions", &at),
        ("files/copy_v2", &to),
        ("files/move_v2", &to),
        ("files/delete_v2", &at),
        ("firefly/index_status", &at),
        ("firefly/text", &at),
        ("firefly/undelete", &at),
        ("sharing/create_shared_link_with_settings", &at),
    ]
    .map(|(route, argument)| user.rpc(route, argument).unwrap())
    .into();
    answers.push(user.download(path));
    answers.push(
        user.content(
            "files/get_thumbnail_v2",
            &json!({ "resource": { ".tag": "path", "path": path } }),
            b"",
        )
        .unwrap(),
    );
    answers
}

fn assert_nothing(answer: &Value, what: &str) {
    assert_eq!(
        (
            answer["total"].as_u64(),
            answer["hits"].as_array().map(Vec::len)
        ),
        (Some(0), Some(0)),
        "{what}: {answer}"
    );
    assert!(
        counts(answer).iter().all(|(_, count)| *count == 0),
        "{what}: {answer}"
    );
}

/// The sum of each facet's counts.
fn counts(answer: &Value) -> Vec<(String, u64)> {
    let facets = answer["facets"].as_object().into_iter().flatten();
    facets
        .map(|(name, values)| {
            let sum = values
                .as_array()
                .unwrap()
                .iter()
                .map(|each| each["count"].as_u64().unwrap())
                .sum();
            (name.clone(), sum)
        })
        .collect()
}
