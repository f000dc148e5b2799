//! Kill -9 under load: every acknowledged file is there byte for byte and findable, deletions hold, and the check is clean (I1, I2, I4).

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::program::{Server, until};
use crate::user::User;

/// Kills of a usual run; `SERVERS_KILLS` asks for another number.
const KILLS: usize = 4;
/// Uploading clients.
const CLIENTS: u64 = 4;
/// Acknowledged writes before a kill, at most.
const WRITES_BEFORE_KILL: usize = 120;
/// How long a word may take to be found after a restart, seconds.
const FOUND_LIMIT_S: u64 = 60;
/// Every random choice comes from here.
const SEED: u64 = 20_240_229;

/// What a client was told is stored: path -> content and a word in it; `None` where the deletion was acknowledged.
type Acknowledged = Mutex<BTreeMap<String, Option<(Vec<u8>, String)>>>;

#[test]
fn what_is_acknowledged_survives_kill_9() {
    let kills = std::env::var("SERVERS_KILLS").map_or(KILLS, |n| n.parse().unwrap());
    let mut server = Server::start(false);
    let users: Vec<User> = (0..2).map(|n| server.user(&format!("writer{n}"))).collect();
    let told: Vec<Acknowledged> = users.iter().map(|_| Acknowledged::default()).collect();
    let mut random = StdRng::seed_from_u64(SEED);
    for kill in 0..kills {
        let writes = random.random_range(5..WRITES_BEFORE_KILL);
        load_until_killed(&mut server, &users, &told, kill as u64, writes);
        server.start_again();
        for (user, told) in users.iter().zip(&told) {
            all_is_there(user, &told.lock().unwrap());
        }
        server.check();
    }
    assert_eq!(server.stop(), 0);
    server.check();
}

/// Clients write until `writes` are acknowledged in this round; then the server is killed in the middle of the others.
fn load_until_killed(
    server: &mut Server,
    users: &[User],
    told: &[Acknowledged],
    round: u64,
    writes: usize,
) {
    let (killed, count) = (AtomicBool::new(false), Mutex::new(0));
    let enough = std::sync::Condvar::new();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (user, told) = (
                &users[client as usize % users.len()],
                &told[client as usize % users.len()],
            );
            let (killed, count, enough) = (&killed, &count, &enough);
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(SEED + round * 100 + client);
                let mut number = 0;
                while !killed.load(Ordering::Relaxed) {
                    number += 1;
                    let name = format!("{round}-{client}-{number}");
                    if write(user, told, &name, &mut random).is_err() {
                        return;
                    }
                    *count.lock().unwrap() += 1;
                    enough.notify_one();
                }
            });
        }
        let counted = count.lock().unwrap();
        drop(enough.wait_while(counted, |n| *n < writes).unwrap());
        server.kill9();
        killed.store(true, Ordering::Relaxed);
    });
}

/// One write: a new file, a new version of one's own, or a deletion. What is not acknowledged may have happened or not.
fn write(user: &User, told: &Acknowledged, name: &str, random: &mut StdRng) -> std::io::Result<()> {
    let mine = name.rsplit_once('-').unwrap().0.to_owned();
    let earlier: Vec<String> = {
        let told = told.lock().unwrap();
        let own = told
            .iter()
            .filter(|(path, held)| path.starts_with(&format!("/w/{mine}-")) && held.is_some());
        own.map(|(path, _)| path.clone()).collect()
    };
    let old = earlier.choose(random).cloned();
    let dice = random.random_range(0..10);
    if let Some(path) = old.clone().filter(|_| dice == 0) {
        // Unknown until acknowledged.
        told.lock().unwrap().remove(&path);
        let argument = serde_json::json!({ "path": path });
        let answer = user.rpc("files/delete_v2", &argument)?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        told.lock().unwrap().insert(path, None);
        return Ok(());
    }
    let path = old
        .filter(|_| dice == 1)
        .unwrap_or_else(|| format!("/w/{name}.txt"));
    let word = unlike_any_other(random);
    let content = content(&word, random);
    told.lock().unwrap().remove(&path);
    let answer = user.upload(&path, &content)?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    told.lock().unwrap().insert(path, Some((content, word)));
    Ok(())
}

/// Mostly small, now and then of two blocks.
fn content(word: &str, random: &mut StdRng) -> Vec<u8> {
    let size = if random.random_range(0..40) == 0 {
        4_500_000
    } else {
        random.random_range(10..30_000)
    };
    let mut content = format!("{word} opens a file of {size} bytes\n").into_bytes();
    let noise: u64 = random.random();
    content.extend(
        (0..size).map(|at: usize| b' ' + ((at as u64).wrapping_mul(noise | 1) >> 40) as u8 % 64),
    );
    content
}

/// A word far from every other, so that neither prefixes nor typos find it.
pub fn unlike_any_other(random: &mut StdRng) -> String {
    (0..14)
        .map(|_| char::from(b'a' + random.random_range(0..26)))
        .collect()
}

fn all_is_there(user: &User, told: &BTreeMap<String, Option<(Vec<u8>, String)>>) {
    let files = user.files();
    for (path, held) in told {
        let Some((content, _)) = held else {
            assert!(!files.contains_key(path), "{path} was deleted");
            continue;
        };
        assert!(
            files.contains_key(path),
            "{path} was acknowledged and is lost"
        );
        assert!(
            user.download(path).body == *content,
            "{path} holds other bytes"
        );
    }
    for (path, held) in told {
        let Some((_, word)) = held else { continue };
        until(&format!("{word} of {path}"), FOUND_LIMIT_S, || {
            (user.found(word) == [path.as_str()]).then_some(())
        });
    }
}
