//! Firefly on a real RabbitMQ: messages are hints (I3). Whatever happens to them and to the broker, uploads go on and searches
//! catch up.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use storage::block::{BlockStore, Target};
use storage::extraction::Extractions;
use storage::journal::Journal;
use storage::key::{Keyring, Source};
use storage::kv::Store;
use storage::kv::memory::MemoryStore;
use storage::meta::{Address, Env, Meta};
use sync::bus::amqp::AmqpBus;
use sync::bus::conformance::{conform, drain, expect};
use sync::bus::fault::FaultyPublisher;
use sync::bus::{Bus, ChangeKind, Event, Group, Hint, Subscription};
use sync::relay::{Relay, Sources};

use crate::durability::unlike_any_other;
use crate::engine::Engine;
use crate::mariadb::free_port;
use crate::program::{Server, until};
use crate::roles::Cluster;
use crate::user::User;

/// How long a word may take to be found, seconds.
const FOUND_LIMIT_S: u64 = 60;
/// How long a broker that was killed may take until it answers everybody again, seconds: its queues elect leaders first, and each
/// connection rests up to 10 s between tries of up to 10 s.
const RECOVERY_LIMIT_S: u64 = 240;
/// How long the broker is away, seconds; `SERVERS_OUTAGE_S` asks for another time.
const OUTAGE_S: u64 = 5;
const SEED: u64 = 7;

fn url(broker: &Engine) -> String {
    format!("amqp://127.0.0.1:{}/%2f", broker.port())
}

fn serve(broker: &Engine) -> Server {
    let mut server = Server::stopped(false);
    server.start_with(&["--broker", &url(broker)]);
    server
}

/// Logs of their own, relayed to the broker.
struct Logs {
    meta: Meta,
    sources: Sources,
}

impl Logs {
    fn new(folder: &Path) -> Logs {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let (env, _) = Env::seeded(7, 1_700_000_000_000);
        let keys = Keyring::open(Source::File(folder.join("kek.json")), false).unwrap();
        let blocks = BlockStore::open(
            store.clone(),
            vec![Target::new("blocks", folder.join("blocks"))],
            storage::block::Options::default(),
            keys,
            env.clock.clone(),
        );
        let meta = Meta::open(store.clone(), env).unwrap();
        let sources = Sources {
            meta: meta.clone(),
            journal: Journal::new(store.clone()),
            extractions: Extractions::new(store),
            blocks: blocks.unwrap(),
        };
        Logs { meta, sources }
    }

    /// Makes folders, one a call.
    fn growing(&self) -> impl FnMut() + use<> {
        let meta = self.meta.clone();
        let owner = meta.create_account("a@example.org", "", false).unwrap();
        let mut number = 0;
        move || {
            number += 1;
            let at = Address::parse(&format!("/folder {number}")).unwrap();
            meta.create_folder(owner.actor(), &at, false).unwrap();
        }
    }
}

#[test]
fn the_transport_over_rabbitmq_conforms_and_survives_a_restart() {
    let mut broker = Engine::start("rabbitmq");
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::new(folder.path());
    let bus = AmqpBus::new(&url(&broker), None, None).unwrap();
    let relay = Relay::start(logs.sources.clone(), bus.publisher().unwrap()).unwrap();
    let mut grow = logs.growing();
    grow();
    until("the queues are there", 30, || {
        (relay.published() > 0).then_some(())
    });
    conform(&bus, &mut grow);

    // What one consumer did not acknowledge, another one gets.
    let mut first = bus.subscribe(Group::INDEX).unwrap();
    drain(first.as_mut());
    grow();
    let event = next_event(first.as_mut());
    drop(first);
    let mut second = bus.subscribe(Group::INDEX).unwrap();
    assert_eq!(next_event(second.as_mut()), event);
    drop(second);

    // The broker dies with a message in a queue, and the relay with one that it could not publish.
    broker.kill9();
    grow();
    until("the outage is noticed", 30, || {
        (!bus.health().is_well()).then_some(())
    });
    let mut third = bus.subscribe(Group::INDEX).unwrap();
    broker.start_again();
    let again = next_event(third.as_mut());
    let newest = next_event(third.as_mut());
    assert_eq!(
        sequence(&again) + 1,
        sequence(&newest),
        "{again:?} {newest:?}"
    );
    drop(relay);
}

#[test]
fn amqps_trusts_the_authority_that_is_named_and_the_secret_is_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    crate::certificates::make(folder.path());
    std::fs::write(at("secret"), "guest\n").unwrap();
    std::fs::write(at("wrong"), "glowworm\n").unwrap();
    let port = free_port();
    let settings = format!(
        "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n",
        at("cert.pem"),
        at("key.pem")
    );
    let broker = Engine::start_with("rabbitmq", &[("RABBITMQ_EXTRA", settings)]);
    let server = Server::stopped(false);
    let status = |variables: &[(&str, String)]| {
        let mut command = server.program();
        command
            .args(["queue", "status"])
            .env(
                "FIREFLY_BROKER",
                format!("amqps://guest@localhost:{port}/%2f"),
            )
            .envs(variables.iter().map(|(name, value)| (*name, value)));
        let done = command.output().unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        assert!(!said.contains("glowworm"), "{said}");
        (done.status.success(), said)
    };
    let secret = |name: &str| ("FIREFLY_BROKER_SECRET", at(name));
    let ca = || ("FIREFLY_BROKER_CA", at("ca.pem"));
    until("the broker's TLS", 30, || {
        status(&[secret("secret"), ca()]).0.then_some(())
    });
    let (_, unknown) = status(&[secret("secret")]);
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    let (_, refused) = status(&[secret("wrong"), ca()]);
    assert!(refused.contains("ACCESS_REFUSED"), "{refused}");
    drop(broker);
}

#[test]
fn what_nobody_can_act_on_is_listed_and_replayed() {
    let broker = Engine::start("rabbitmq");
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::new(folder.path());
    let bus = AmqpBus::new(&url(&broker), None, None).unwrap();
    let _relay = Relay::start(logs.sources.clone(), bus.publisher().unwrap()).unwrap();
    let mut grow = logs.growing();
    grow();
    let mut hints = bus.subscribe(Group::INDEX).unwrap();
    let delivery = until("a change", 30, || {
        hints
            .next(Duration::from_millis(100))
            .filter(|delivery| delivery.hint != Hint::Any)
    });
    hints.reject(delivery.receipt);
    let letters = until("a dead letter", 30, || {
        let letters = bus.dead_letters(10).unwrap();
        (!letters.is_empty()).then_some(letters)
    });
    assert_eq!(
        (letters[0].queue.as_str(), letters[0].reason.as_str()),
        ("firefly.index", "rejected")
    );
    assert!(letters[0].message.contains("\"event\":\"changed\""));

    // The command sees them too, without a server.
    let server = Server::stopped(false);
    let queue = |arguments: &[&str]| {
        let mut command = server.program();
        let done = command
            .arg("queue")
            .args(arguments)
            .env("FIREFLY_BROKER", url(&broker));
        let done = done.output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let listed: Value = serde_json::from_str(&queue(&["list"])).unwrap();
    assert_eq!(listed["letters"][0]["queue"], "firefly.index");
    let status: Value = serde_json::from_str(&queue(&["status"])).unwrap();
    let queues = status["queues"].as_array().unwrap();
    assert_eq!(queues.last().unwrap()["messages"], 1, "{status}");
    assert_eq!(queue(&["replay"]).trim(), "1 put back");
    assert_eq!(next_event(hints.as_mut()), event_of(&delivery.hint));
    assert_eq!(bus.dead_letters(10).unwrap(), []);
}

/// The queues, once all of them stand.
fn queues(server: &Server) -> Option<Vec<Value>> {
    let done = server.command(&["queue", "status"]);
    let status: Value = serde_json::from_slice(&done.stdout).ok()?;
    let queues = status["queues"].as_array()?;
    (queues.len() == 4).then(|| queues.clone())
}

/// The queues, once each group's has its consumer.
fn consumed(server: &Server) -> Option<Vec<Value>> {
    let queues = queues(server)?;
    let all = queues.iter().take(3).all(|queue| queue["consumers"] == 1);
    all.then_some(queues)
}

#[test]
fn uploads_go_on_while_the_broker_is_away_and_search_catches_up() {
    let outage = std::env::var("SERVERS_OUTAGE_S").map_or(OUTAGE_S, |text| text.parse().unwrap());
    let mut broker = Engine::start("rabbitmq");
    let server = serve(&broker);
    let user = server.user("writer");
    until("the queues stand", FOUND_LIMIT_S, || consumed(&server));
    let stop = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(&user, &stop));
        broker.kill9();
        std::thread::sleep(Duration::from_secs(outage));
        broker.start_again();
        std::thread::sleep(Duration::from_secs(2));
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    for (path, word) in &told {
        until(&format!("{word} of {path}"), FOUND_LIMIT_S, || {
            (user.found(word) == [path.as_str()]).then_some(())
        });
    }
    // The broker works again: all is published, and what is delivered is acknowledged. Not every queue needs to have its consumer
    // again: this RabbitMQ may answer INTERNAL_ERROR for a quorum queue that was cut off in the middle of a write.
    until("the queues are empty", RECOVERY_LIMIT_S, || {
        let queues = queues(&server)?;
        let is_empty = queues.iter().all(|queue| queue["messages"] == 0);
        is_empty.then_some(())
    });
    server.check();
}

/// A request's id goes with its change: from the process that took the upload through the broker to those that publish, read and index it.
#[test]
fn an_uploads_id_is_in_the_logs_of_all_who_work_for_it() {
    let id = "brought-in.7";
    let mut cluster = Cluster::with_broker();
    let front = cluster.start("front", "web");
    let admin = front.admin();
    let _back = [
        ("teller", "relay"),
        ("reader", "extract"),
        ("indexer", "shard"),
    ]
    .map(|(name, role)| cluster.start(name, role));
    let bearer = format!("Bearer {}", admin.token);
    let upload = |number: u32| {
        let argument = format!("{{\"path\":\"/told {number}.txt\"}}");
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/octet-stream"),
            ("Dropbox-API-Arg", &argument),
            ("X-Request-Id", id),
        ];
        let content = format!("the lantern of number {number}");
        let answer = admin
            .http
            .request("POST", "/2/files/upload", &headers, content.as_bytes());
        assert_eq!(answer.unwrap().status, 200);
    };
    let says = |name: &str, words: &str| {
        let (log, id) = (cluster.log(name), format!("request{{id=\"{id}\"}}"));
        log.lines()
            .any(|line| line.contains(&id) && line.contains(words))
    };
    // A file that extraction took up before the relay had told of it has no id in its messages: there is a next one.
    let mut number = 0;
    until("the id in all logs", FOUND_LIMIT_S, || {
        upload(number);
        number += 1;
        let all = says("teller", "content.stored")
            && says("teller", "change.file")
            && says("reader", "extracted")
            && says("indexer", "change.file");
        all.then_some(())
    });
}

#[test]
fn shuffled_doubled_and_lost_messages_find_the_same() {
    let broker = Engine::start("rabbitmq");
    let (troubled, quiet) = (serve(&broker), Server::start(false));
    let stop = Arc::new(AtomicBool::new(false));
    let meddler = meddle(&broker, stop.clone());
    let users = [troubled.user("meddled"), quiet.user("meddled")];
    let mut random = StdRng::seed_from_u64(SEED);
    let words: Vec<String> = (0..40).map(|_| unlike_any_other(&mut random)).collect();
    let mut held = BTreeMap::new();
    for (number, word) in words.iter().enumerate() {
        // Every second file has the content of the one before: it is extracted once.
        let text = format!("{} and the common lantern", words[number & !1]);
        for user in &users {
            user.put(&format!("/m/{word}.txt"), text.as_bytes());
        }
        held.insert(format!("/m/{word}.txt"), text);
    }
    let (gone, from) = [3, 4]
        .map(|number| format!("/m/{}.txt", words[number]))
        .into();
    for user in &users {
        user.delete(&gone);
        user.call(
            "files/move_v2",
            &serde_json::json!({ "from_path": from, "to_path": "/moved.txt" }),
        );
    }
    held.remove(&gone);
    let moved = held.remove(&from).unwrap();
    held.insert("/moved.txt".to_owned(), moved);
    for query in words.iter().map(String::as_str).chain(["lantern", "moved"]) {
        let matching =
            |(path, text): &(&String, &String)| path.contains(query) || text.contains(query);
        let expected: Vec<&String> = held.iter().filter(matching).map(|(path, _)| path).collect();
        for user in &users {
            until(query, FOUND_LIMIT_S, || {
                user.found(query)
                    .iter()
                    .eq(expected.iter().copied())
                    .then_some(())
            });
        }
    }
    // With a further segment, the shard has something to merge, and no deleted document is left to count.
    for user in &users {
        user.put("/m/last.txt", b"the last lantern");
        until("the last one", FOUND_LIMIT_S, || {
            (user.found("\"last lantern\"") == ["/m/last.txt"]).then_some(())
        });
    }
    stop.store(true, Ordering::Relaxed);
    assert!(meddler.join().unwrap() > 0, "the meddler got messages");
    for server in [&troubled, &quiet] {
        until("one segment a shard", FOUND_LIMIT_S, || is_merged(server));
    }
    for query in ["lantern", "common lantern", "moved", &words[0], &words[7]] {
        let [meddled, expected] = [&users[0], &users[1]].map(|user| scores(user, query));
        assert!(!expected.is_empty(), "{query}");
        assert_eq!(meddled, expected, "{query}");
    }
    troubled.check();
}

/// Once no shard has a second segment, and nothing waits.
fn is_merged(server: &Server) -> Option<()> {
    let done = server.command(&["index", "status", "--json"]);
    let status: Value = serde_json::from_slice(&done.stdout).ok()?;
    let mut shards = status["shards"].as_array()?.iter();
    let is_merged = shards.all(|shard| shard["segments"].as_u64() <= Some(1) && shard["lag"] == 0);
    is_merged.then_some(())
}

/// Each hit with its score and all parts of that, best first.
fn scores(user: &User, query: &str) -> Vec<(String, Vec<String>)> {
    let options = serde_json::json!({ "max_results": 1000, "why": true });
    let argument = serde_json::json!({ "query": query, "options": options });
    let answer = user.call("firefly/search", &argument);
    let hits = answer["hits"].as_array().unwrap().iter();
    let mut scores: Vec<_> = hits
        .map(|hit| {
            let path = hit["metadata"]["path_lower"].as_str().unwrap().to_owned();
            let mut parts = Vec::new();
            collect_scores(&hit["why"], &mut parts);
            (path, parts)
        })
        .collect();
    scores.sort(); // hits with equal scores stand in the order of their ids
    scores
}

fn collect_scores(why: &Value, parts: &mut Vec<String>) {
    parts.push(format!("{:.4}", why["score"].as_f64().unwrap()));
    let of = why["of"].as_array().into_iter().flatten();
    of.for_each(|part| collect_scores(part, parts));
}

/// Competes for the messages of the program, and puts back what it gets: lost, doubled, shuffled. Returns how many it got.
fn meddle(broker: &Engine, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<usize> {
    let bus = AmqpBus::new(&url(broker), None, None).unwrap();
    std::thread::spawn(move || {
        let publisher = bus.publisher().unwrap();
        let mut publisher: Box<dyn sync::bus::Publisher> =
            Box::new(FaultyPublisher::new(publisher, SEED));
        let mut queues = [Group::INDEX, Group::EXTRACT].map(|group| bus.subscribe(group).unwrap());
        let mut stolen = 0;
        while !stop.load(Ordering::Relaxed) {
            for queue in &mut queues {
                let Some(delivery) = queue.next(Duration::from_millis(20)) else {
                    continue;
                };
                if let Hint::Event(event) = &delivery.hint {
                    publisher.publish(std::slice::from_ref(event)).unwrap();
                    stolen += 1;
                }
                queue.acknowledge(&[delivery.receipt]);
            }
        }
        stolen
    })
}

/// Writes files until told to stop, each acknowledged quickly; their paths and words.
fn write_until(user: &User, stop: &AtomicBool) -> Vec<(String, String)> {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut told = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let word = unlike_any_other(&mut random);
        let path = format!("/{}.txt", told.len());
        let began = Instant::now();
        user.put(&path, format!("{word} goes on").as_bytes());
        assert!(began.elapsed() < Duration::from_secs(10), "{path} waited");
        told.push((path, word));
        std::thread::sleep(Duration::from_millis(50));
    }
    told
}

/// The next hint that says something.
fn next_event(hints: &mut dyn Subscription) -> Event {
    loop {
        let delivery = expect(hints);
        if delivery.hint != Hint::Any {
            return event_of(&delivery.hint);
        }
    }
}

fn event_of(hint: &Hint) -> Event {
    match hint {
        Hint::Event(event) => event.clone(),
        Hint::Any => panic!("no event"),
    }
}

fn sequence(event: &Event) -> u64 {
    match event {
        Event::Changed { sequence, what, .. } if *what == ChangeKind::File => *sequence,
        other => panic!("{other:?}"),
    }
}
