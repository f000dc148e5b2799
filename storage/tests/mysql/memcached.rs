//! memcached: a real one that can be killed, and one that lies.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::mariadb::{engine, free_port};

/// A server that does not answer by then has failed.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A real server, started by `tests/engine`, ended when dropped.
pub struct Memcached {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Memcached {
    pub fn start() -> Memcached {
        let mut server = Memcached {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            child: None,
        };
        server.start_again();
        server
    }

    /// Starts it, empty, on the same port, and waits until it answers.
    pub fn start_again(&mut self) {
        let child = Command::new(engine())
            .args(["memcached", self.folder.path().to_str().unwrap()])
            .arg(self.port.to_string())
            .stdin(Stdio::null())
            .process_group(0)
            .spawn();
        self.child = Some(child.unwrap());
        let until = Instant::now() + START_LIMIT;
        while self.ask("version\r\n", 1).is_none() {
            assert!(Instant::now() < until, "memcached did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops (`STOP`) or goes on (`CONT`).
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    pub fn url(&self) -> String {
        format!("memcache://127.0.0.1:{}", self.port)
    }

    /// One of the numbers that the server counts.
    pub fn counted(&self, what: &str) -> u64 {
        let said = self.ask("stats\r\n", usize::MAX).unwrap();
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix(&format!("STAT {what} ")));
        line.unwrap().parse().unwrap()
    }

    fn ask(&self, request: &str, lines: usize) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let answer = BufReader::new(stream).lines().map_while(Result::ok);
        let said: Vec<_> = answer
            .take_while(|line| line != "END")
            .take(lines)
            .collect();
        (!said.is_empty()).then(|| said.join("\n"))
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// How a server lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// It answers with the first value that a name ever had.
    Old,
    /// It answers with the newest value of any name.
    Another,
    /// It changes a byte.
    Garbled,
    /// It says that the value is very long.
    Endless,
    /// It takes connections and says nothing.
    Mute,
    /// It sends a byte now and then.
    Dripping,
}

/// What it was told, by name: the first and the newest value; and under no name the newest of all.
type Told = Arc<Mutex<HashMap<String, (Vec<u8>, Vec<u8>)>>>;

/// Starts one that lives as long as the test; its address.
pub fn liar(lie: Lie) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("memcache://{}", listener.local_addr().unwrap());
    let told = Told::default();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let told = told.clone();
            std::thread::spawn(move || serve(lie, stream, &told));
        }
    });
    url
}

/// Serves one connection until it ends.
fn serve(lie: Lie, mut stream: TcpStream, told: &Told) -> Option<()> {
    let mut requests = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut line = String::new();
        requests
            .read_line(&mut line)
            .ok()
            .filter(|read| *read > 0)?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["set", name, _, _, length] => {
                let mut value = vec![0; length.parse::<usize>().unwrap() + 2];
                requests.read_exact(&mut value).ok()?;
                value.truncate(value.len() - 2);
                let mut told = told.lock().unwrap();
                for name in [name, ""] {
                    let known = told.entry(name.to_owned());
                    known.or_insert_with(|| (value.clone(), vec![])).1 = value.clone();
                }
                b"STORED\r\n".to_vec()
            }
            ["get", name] => get(lie, name, told),
            _ => return None,
        };
        match lie {
            Lie::Mute => continue,
            Lie::Dripping => {
                // So slow that its client gives up long before the end, and closes.
                for byte in answer {
                    stream.write_all(&[byte]).ok()?;
                    std::thread::sleep(Duration::from_millis(30));
                }
            }
            _ => stream.write_all(&answer).ok()?,
        }
    }
}

fn get(lie: Lie, name: &str, told: &Told) -> Vec<u8> {
    let told = told.lock().unwrap();
    let of = if lie == Lie::Another { "" } else { name };
    let Some((first, newest)) = told.get(of) else {
        return b"END\r\n".to_vec();
    };
    let mut value = if lie == Lie::Old { first } else { newest }.clone();
    let mut length = value.len();
    match lie {
        Lie::Garbled => value[length / 2] ^= 1,
        Lie::Endless => length = 1 << 40,
        _ => {}
    }
    let head = format!("VALUE {name} 0 {length}\r\n");
    [head.as_bytes(), &value, b"\r\nEND\r\n"].concat()
}
