//! Blocks on block servers: one lost with its disk under load costs nothing that was acknowledged, and its copies are made elsewhere.

use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::mariadb::free_port;
use crate::program::{Server, program, said, succeeds, until, wait_for_line};
use crate::targets::{all_there, status, while_writing, write};

/// How long copies may take, seconds.
const COPIED_LIMIT_S: u64 = 120;

/// One block server.
struct BlockServer {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl BlockServer {
    fn start(key: &str) -> BlockServer {
        let mut server = BlockServer {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            child: None,
        };
        std::fs::write(server.key(), key).unwrap();
        server.start_again();
        server
    }

    fn start_again(&mut self) {
        let mut child = program()
            .arg("--data")
            .arg(self.folder.path().join("data"))
            .args(["serve", "--role", "block", "--cluster-key"])
            .arg(self.key())
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        self.child = Some(child);
        wait_for_line(output, "keeps blocks on");
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("cluster.key")
    }

    fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The machine goes with its disk.
    fn lose(&mut self) {
        self.kill9();
        std::fs::remove_dir_all(self.folder.path().join("data")).unwrap();
    }

    fn url(&self) -> String {
        format!(
            "block://127.0.0.1:{}?key={}",
            self.port,
            self.key().display()
        )
    }
}

impl Drop for BlockServer {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// A server that acknowledges what two of these have.
fn server_on(block_servers: &[BlockServer]) -> Server {
    let urls: Vec<String> = block_servers.iter().map(BlockServer::url).collect();
    let settings = format!(
        "targets = \"{}\"\nreplicas = 2\nmin_replicas = 2\nreplace_after_s = 1\n",
        urls.join(",")
    );
    let mut server = Server::stopped(false);
    std::fs::create_dir_all(server.data()).unwrap();
    std::fs::write(server.data().join("firefly.toml"), settings).unwrap();
    server.start_again();
    server
}

#[test]
fn a_block_server_lost_with_its_disk_loses_nothing_acknowledged() {
    let key = "a key of at least thirty-two characters";
    let mut servers = [(); 3].map(|()| BlockServer::start(key));
    let mut server = server_on(&servers);
    let user = server.user("ann");
    let mut told = while_writing(&user, || servers[0].lose());
    all_there(&user, &told);
    until("the copies are restored", COPIED_LIMIT_S, || {
        user.put("/nudge.txt", b"the extent that grows moves on");
        let status = status(&server);
        let lost = &status["targets"][0];
        let is_over = lost["online"] == false && lost["extents"] == 0;
        (is_over && status["short_extents"] == 0).then_some(())
    });
    all_there(&user, &told);

    // A new machine of the same name, empty: it is adopted, and takes its share.
    servers[0].start_again();
    let name = format!("block://127.0.0.1:{}", servers[0].port);
    succeeds(&server, &["storage", "adopt", &name]);
    until("the new one is used", COPIED_LIMIT_S, || {
        let new = &status(&server)["targets"][0];
        (new["online"] == true && new["failing"] == false).then_some(())
    });
    servers[1].kill9();
    told.extend(write(&user, "after", 10));
    all_there(&user, &told);
    servers[1].start_again();
    server.kill9();
    server.start_again();
    all_there(&user, &told);
    until("all is well", COPIED_LIMIT_S, || {
        (status(&server)["short_extents"] == 0).then_some(())
    });
    server.check();
}

#[test]
fn a_block_server_hears_only_who_has_the_clusters_key() {
    let block = BlockServer::start("a key of at least thirty-two characters");
    let wrong = block.folder.path().join("wrong.key");
    std::fs::write(&wrong, "another key of thirty-two characters or more").unwrap();
    let server = Server::start_embedded();
    let url = format!("block://127.0.0.1:{}?key={}", block.port, wrong.display());
    let refused = server.command(&["storage", "add", &url]);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("cluster key"), "{}", said(&refused));
    succeeds(&server, &["storage", "add", &block.url()]);
    succeeds(&server, &["storage", "drain", "blocks", "--wait"]);
    let user = server.user("ann");
    all_there(&user, &write(&user, "there", 5));
    server.check();
}
