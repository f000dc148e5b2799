//! Certificates for servers that speak TLS. The storage crate's tests take this file too.

use std::path::Path;
use std::process::Command;

/// Makes an authority (`ca.pem`), and a certificate of it for localhost (`cert.pem`, `key.pem`).
pub fn make(folder: &Path) {
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        let done = command
            .args(arguments.split_whitespace())
            .current_dir(folder)
            .output();
        let done = done.unwrap();
        assert!(done.status.success(), "openssl {arguments}: {done:?}");
    };
    std::fs::write(
        folder.join("names"),
        "subjectAltName=DNS:localhost,IP:127.0.0.1\n",
    )
    .unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 {key} -days 2 -subj /CN=authority -keyout ca.key -out ca.pem"
    ));
    openssl(&format!(
        "req {key} -subj /CN=localhost -keyout key.pem -out request.pem"
    ));
    openssl(
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem",
    );
}
