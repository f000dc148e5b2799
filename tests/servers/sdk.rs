//! The official SDKs, Python's and npm's, unchanged: `tests/clients/sdk_*` runs against the real program over TLS.

use std::path::PathBuf;
use std::process::Command;

use crate::clients::{node_modules, python, run, script};
use crate::program::Server;

/// The Python packages; the client's version is the one that the API is asserted for.
const PYTHON: [&str; 2] = ["dropbox==12.2.4", "requests"];
/// The npm package.
const NODE: [&str; 1] = ["dropbox@10.34.0"];

/// Runs one family of `tests/clients/sdk_python`.
fn python_family(name: &str) {
    let (python, server) = (python("sdk", &PYTHON), Server::shared(true));
    let folder = script("sdk_python");
    let output = run(Command::new(python)
        .arg(folder.join(format!("{name}.py")))
        .envs(address(&server))
        .env("DROPBOX_API_HOST", server.listen())
        .env("DROPBOX_API_CONTENT_HOST", server.listen())
        .env("DROPBOX_API_NOTIFY_HOST", server.listen())
        .env("REQUESTS_CA_BUNDLE", server.ca())
        .env("PYTHONDONTWRITEBYTECODE", "1"));
    assert!(output.trim_end().ends_with(" 0 failed"), "{output}");
}

/// Runs one file of `tests/clients/sdk_node`.
fn node_file(name: &str) {
    let (modules, server) = (node_modules("sdk", &NODE), Server::shared(true));
    run(Command::new("node")
        .arg("--test")
        .arg(script("sdk_node").join(name))
        .envs(address(&server))
        .env("NODE_MODULES", modules)
        .env("NODE_NO_WARNINGS", "1"));
}

fn address(server: &Server) -> [(&'static str, PathBuf); 3] {
    [
        ("SERVER_URL", server.url().into()),
        ("ADMIN_TOKEN", server.admin_token().into()),
        ("NODE_EXTRA_CA_CERTS", server.ca()),
    ]
}

macro_rules! python {
    ($($family:ident)*) => {
        mod python {
            $(#[test] fn $family() { super::python_family(stringify!($family)); })*
        }
    };
}

python! { users uploading sessions downloads listings metadata relocation deletion searches shared_folders shared_links }

mod node {
    #[test]
    fn files() {
        super::node_file("files.mjs");
    }

    #[test]
    fn search() {
        super::node_file("search.mjs");
    }

    #[test]
    fn errors() {
        super::node_file("errors.mjs");
    }
}
