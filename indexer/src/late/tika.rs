//! Formats without a reader of ours: a Tika server is asked for their text.

use std::time::Duration;

use storage::extraction::Outcome;
use ureq::{Agent, Error};

use super::Trouble;

/// For one file, connecting and answering.
const TIME: Duration = Duration::from_secs(120);
/// For a connection.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// A Tika server.
#[derive(Debug, Clone)]
pub struct Tika {
    url: String,
    agent: Agent,
}

impl Tika {
    /// The server at `url` (`http://host:9998`).
    #[must_use]
    pub fn new(url: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0) // a file goes to the server that was named, and nowhere else
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(TIME))
            .timeout_connect(Some(CONNECT_TIME))
            .build();
        Self {
            url: format!("{}/tika", url.trim_end_matches('/')),
            agent: config.into(),
        }
    }

    /// The text of a file, at most `limit` bytes of it. Blocks.
    ///
    /// # Errors
    /// [`Trouble::Absent`] when the server is not there, busy, or answers like no Tika server.
    pub fn read(&self, name: &str, bytes: &[u8], limit: usize) -> Result<String, Trouble> {
        let asked = self
            .agent
            .put(&self.url)
            .header("Accept", "text/plain")
            .header("Content-Type", "application/octet-stream") // the server looks for itself
            .header("Content-Disposition", disposition(name))
            .send(bytes);
        let mut answer = asked.map_err(trouble)?;
        match answer.status().as_u16() {
            200 => {}
            204 => return Ok(String::new()),
            // What it cannot read it answers like that, broken files among it.
            415 | 422 | 500 => return Err(Trouble::Failed(Outcome::Unsupported)),
            other => return Err(Trouble::Absent(format!("the Tika server answers {other}"))),
        }
        let text = answer
            .body_mut()
            .with_config()
            .limit(limit as u64)
            .read_to_vec();
        match text {
            Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
            Err(Error::BodyExceedsLimit(_)) => {
                Err(Trouble::Failed(Outcome::TooLarge { indexed_bytes: 0 }))
            }
            Err(error) => Err(trouble(error)),
        }
    }
}

fn trouble(error: Error) -> Trouble {
    match error {
        Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            Trouble::Absent("the Tika server does not answer".to_owned())
        }
        Error::Timeout(_) => Trouble::Failed(Outcome::TimedOut),
        error => Trouble::Absent(format!("the Tika server is not there: {error}")),
    }
}

/// The extension helps the server; the rest of the name is nobody's business there.
fn disposition(name: &str) -> String {
    let extension = storage::meta::path::extension(name);
    let is_plain = extension.len() <= 12 && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    match is_plain && !extension.is_empty() {
        true => format!("attachment; filename=\"file.{extension}\""),
        false => "attachment; filename=\"file\"".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Asks a server that answers `answer` to whatever comes; returns the question's head too.
    fn ask(answer: &'static str) -> (String, Result<String, Trouble>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut asked, mut buffer) = (String::new(), [0; 4096]);
            while !asked.ends_with("content") {
                let length = stream.read(&mut buffer).unwrap();
                asked.push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
            stream.write_all(answer.as_bytes()).unwrap();
            asked
        });
        let read = Tika::new(&url).read("Böse \"datei.WPD", b"content", 100);
        (server.join().unwrap().to_ascii_lowercase(), read)
    }

    #[test]
    fn answers_are_told_apart() {
        let (asked, read) = ask("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntext");
        assert!(asked.starts_with("put /tika http/1.1"), "{asked}");
        assert!(asked.contains("filename=\"file.wpd\""), "{asked}");
        assert_eq!(read.unwrap(), "text");
        let closed = "HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n";
        assert!(matches!(
            ask(closed).1,
            Err(Trouble::Failed(Outcome::Unsupported))
        ));
        let elsewhere =
            "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        assert!(matches!(ask(elsewhere).1, Err(Trouble::Absent(_))));
        let long = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
        assert!(matches!(
            ask(long).1,
            Err(Trouble::Failed(_) | Trouble::Absent(_))
        ));
        let nobody = Tika::new("http://127.0.0.1:1").read("a.wpd", b"x", 100);
        assert!(matches!(nobody, Err(Trouble::Absent(_))));
    }
}
