//! Calls between two processes, and somebody between them who listens.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::call::{Answer, Call};
use super::server::{self, Answers};
use super::{Client, ClusterKey};

const QUESTION: &str = "where do glowworms sleep";
const ANSWER: &str = "below the old fern";

/// A process that is called.
struct Called {
    address: String,
    desk: Arc<Desk>,
    _running: watch::Sender<bool>,
}

struct Desk {
    takes_plain: bool,
    asked: AtomicUsize,
}

impl Answers for Desk {
    fn answer(&self, call: Call<'static>, _: Instant) -> Answer {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match call {
            Call::Operation { name, .. } if name == QUESTION => Answer::Operation(ANSWER.into()),
            _ => Answer::NotHeld,
        }
    }

    fn takes_plain(&self) -> bool {
        self.takes_plain
    }

    fn health(&self) -> (bool, serde_json::Value) {
        (true, "well".into())
    }
}

/// Starts a process with this cluster key.
async fn called(key: &str, takes_plain: bool) -> Called {
    let (running, ended) = watch::channel(false);
    let asked = AtomicUsize::new(0);
    let desk = Arc::new(Desk { takes_plain, asked });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(server::serve(listener, cluster(key), desk.clone(), ended));
    Called {
        address,
        desk,
        _running: running,
    }
}

impl Called {
    fn asked(&self) -> usize {
        self.desk.asked.load(Ordering::Relaxed)
    }
}

fn cluster(key: &str) -> ClusterKey {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), key.repeat(32)).unwrap();
    ClusterKey::read(file.path()).unwrap()
}

/// A caller with this cluster key.
fn caller(key: &str) -> Client {
    Client::new(cluster(key), Handle::current())
}

/// Asks; the error's text where it goes wrong.
async fn ask(client: &Client, url: &str) -> Result<Answer, String> {
    let call = Call::Operation {
        name: QUESTION.into(),
        argument: String::new(),
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    let asked = client.ask(url, &call, deadline).await;
    asked.map_err(|error| format!("{error:#}"))
}

/// Passes connections on, and writes down what goes through.
struct Between {
    address: String,
    heard: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
}

async fn between(to: String) -> Between {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let between = Between {
        address: listener.local_addr().unwrap().to_string(),
        heard: Arc::default(),
        connections: Arc::default(),
    };
    let (heard, connections) = (between.heard.clone(), between.connections.clone());
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::Relaxed);
            let (near, far) = (near.into_split(), TcpStream::connect(&to).await.unwrap());
            let far = far.into_split();
            tokio::spawn(pass(near.0, far.1, heard.clone()));
            tokio::spawn(pass(far.0, near.1, heard.clone()));
        }
    });
    between
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    heard: Arc<Mutex<Vec<u8>>>,
) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        heard.lock().unwrap().extend_from_slice(&bytes[..read]);
        if to.write_all(&bytes[..read]).await.is_err() {
            break;
        }
    }
}

impl Between {
    fn has_heard(&self, text: &str) -> bool {
        let heard = self.heard.lock().unwrap();
        let mut parts = heard.windows(text.len());
        parts.any(|part| part == text.as_bytes())
    }
}

#[tokio::test]
async fn who_listens_between_two_processes_hears_nothing() {
    let called = called("a", true).await;
    for scheme in ["http", "https"] {
        let (between, client) = (between(called.address.clone()).await, caller("a"));
        let url = format!("{scheme}://{}", between.address);
        for _ in 0..20 {
            let answer = ask(&client, &url).await;
            assert!(matches!(answer, Ok(Answer::Operation(said)) if said == ANSWER));
        }
        for said in [QUESTION, ANSWER, "x-firefly", "HTTP"] {
            assert_eq!(between.has_heard(said), scheme == "http", "{scheme} {said}");
        }
        assert_eq!(between.connections.load(Ordering::Relaxed), 1, "{scheme}");
    }
    assert_eq!(called.asked(), 40);
}

#[tokio::test]
async fn processes_with_two_keys_do_not_talk() {
    let called = called("a", true).await;
    let client = caller("b");
    let url = format!("https://{}", called.address);
    let refused = ask(&client, &url).await.unwrap_err();
    let wanted = format!("call {url}: ");
    assert!(refused.starts_with(&wanted), "{refused}");
    assert!(refused.contains("it has another cluster key"), "{refused}");
    let refused = ask(&client, &format!("http://{}", called.address)).await;
    let refused = refused.unwrap_err();
    assert!(
        refused.contains("not signed with this cluster's key"),
        "{refused}"
    );
    assert_eq!(called.asked(), 0);
}

#[tokio::test]
async fn calls_in_clear_are_refused_when_all_can_encrypt() {
    let called = called("a", false).await;
    let client = caller("a");
    let plain = format!("http://{}", called.address);
    let refused = ask(&client, &plain).await.unwrap_err();
    assert!(refused.contains("403"), "{refused}");
    assert!(refused.contains("calls in clear"), "{refused}");
    assert_eq!(called.asked(), 0);
    let answer = ask(&client, &format!("https://{}", called.address)).await;
    assert!(matches!(answer, Ok(Answer::Operation(said)) if said == ANSWER));

    // How the process is may be asked by who has no key: a balancer, a monitor.
    let mut stream = TcpStream::connect(&called.address).await.unwrap();
    let question = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(question).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("\"well\""), "{answer}");
}

/// Who connects and says nothing, or nonsense, keeps nobody waiting.
#[tokio::test]
async fn a_connection_that_does_not_begin_holds_nobody_up() {
    let called = called("a", false).await;
    let silent = TcpStream::connect(&called.address).await.unwrap();
    let mut half = TcpStream::connect(&called.address).await.unwrap();
    half.write_all(&[0x16, 3, 1]).await.unwrap();
    let mut broken = TcpStream::connect(&called.address).await.unwrap();
    broken.write_all(&[0x16; 64]).await.unwrap();
    let answer = ask(&caller("a"), &format!("https://{}", called.address)).await;
    assert!(matches!(answer, Ok(Answer::Operation(said)) if said == ANSWER));
    drop((silent, half));
}
