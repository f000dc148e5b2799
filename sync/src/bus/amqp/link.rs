//! One connection to the broker, and the exchanges and queues on it.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};

use super::super::Group;
use crate::error::{Error, Result};

/// What any answer of the broker may take.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Where the relay publishes.
pub const EXCHANGE: &str = "firefly.changes";
/// Exchange and queue of what no consumer could act on.
pub const DEAD: &str = "firefly.dead";
/// Between two signs of life of a connection, seconds; a broker that is silent for twice as long is gone.
const HEARTBEAT_S: u16 = 10;
/// Messages that wait in a group's queue; further ones are refused, and the relay waits.
const MAX_WAITING: i64 = 100_000;
/// Dead letters that are kept; the oldest go first.
const MAX_DEAD: i64 = 10_000;
/// Deliveries of a message to consumers that die of it, before it is a dead letter.
const MAX_DELIVERIES: i64 = 20;
/// Looking at a dead letter is a delivery too.
const MAX_LOOKS: i64 = 1_000_000;

/// Where the broker is, and who we are there.
pub struct Broker {
    uri: AMQPUri,
    trusted: Option<String>,
    address: String,
}

/// A connection with one channel.
pub struct Link {
    connection: Connection,
    /// The channel.
    pub channel: Channel,
}

impl Broker {
    /// Reads URL and files.
    pub fn new(url: &str, secret: Option<&Path>, ca: Option<&Path>) -> Result<Self> {
        // The error must not say the URL: there may be a password in it.
        let refused = |why: &str| Error::Broker(format!("the broker's URL {why}"));
        let mut uri =
            AMQPUri::from_str(url).map_err(|_| refused("is not amqp://USER@HOST:PORT/VHOST"))?;
        let user = user_info(url);
        if user.is_some_and(|user| user.contains(':')) {
            return Err(refused(
                "holds a password; write it into a file and name that with broker_secret",
            ));
        }
        if let Some(secret) = secret {
            uri.authority.userinfo.password = read(secret)?.trim_end().to_owned();
        }
        uri.query.heartbeat = Some(HEARTBEAT_S);
        Ok(Broker {
            trusted: ca.map(read).transpose()?,
            address: format!(
                "{}://{}:{}/{}",
                uri.scheme, uri.authority.host, uri.authority.port, uri.vhost
            ),
            uri,
        })
    }

    /// The broker's address, without user and password.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Connects within [`ANSWER_LIMIT`].
    pub async fn connect(&self, purpose: &str) -> Result<Link> {
        let name = format!("firefly {purpose}");
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let tls = OwnedTLSConfig {
            identity: None,
            cert_chain: self.trusted.clone(),
        };
        let runtime =
            lapin::runtime::default_runtime().map_err(|error| failed("runtime", error))?;
        let connecting =
            Connection::connect_uri_with_config(self.uri.clone(), properties, tls, runtime);
        let connection = answer("connecting", connecting).await?;
        let channel = answer("opening a channel", connection.create_channel()).await?;
        Ok(Link {
            connection,
            channel,
        })
    }
}

impl Link {
    /// Declares the exchanges and the queue of dead letters.
    pub async fn declare_exchanges(&self) -> Result<()> {
        self.exchange(EXCHANGE, ExchangeKind::Topic).await?;
        self.exchange(DEAD, ExchangeKind::Fanout).await?;
        let arguments = [
            ("x-queue-type", text("quorum")),
            ("x-max-length", AMQPValue::LongLongInt(MAX_DEAD)),
            ("x-delivery-limit", AMQPValue::LongLongInt(MAX_LOOKS)),
        ];
        self.queue(DEAD, durable(), &arguments).await?;
        self.bind(DEAD, DEAD, "").await
    }

    /// Declares a group's queue with its bindings; returns its name.
    pub async fn declare(&self, group: Group) -> Result<String> {
        let queue = if group.is_shared {
            let arguments = [
                ("x-queue-type", text("quorum")),
                ("x-dead-letter-exchange", text(DEAD)),
                ("x-delivery-limit", AMQPValue::LongLongInt(MAX_DELIVERIES)),
                ("x-max-length", AMQPValue::LongLongInt(MAX_WAITING)),
                ("x-overflow", text("reject-publish")),
            ];
            self.queue(&queue_of(group), durable(), &arguments).await?
        } else {
            let own = QueueDeclareOptions {
                exclusive: true,
                auto_delete: true,
                ..QueueDeclareOptions::default()
            };
            let arguments = [("x-max-length", AMQPValue::LongLongInt(MAX_WAITING))];
            self.queue("", own, &arguments).await?
        };
        for topic in group.topics {
            self.bind(&queue, EXCHANGE, topic).await?;
        }
        Ok(queue)
    }

    /// Ends the connection; the broker takes back what was not acknowledged.
    pub async fn close(self) {
        // It ends either way: a broker that does not answer sees that the connection is gone.
        let _unanswered = answer("closing", self.connection.close(200, "".into())).await;
    }

    async fn exchange(&self, name: &str, kind: ExchangeKind) -> Result<()> {
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let declaring =
            self.channel
                .exchange_declare(short(name), kind, options, FieldTable::default());
        answer(&format!("declaring exchange {name}"), declaring).await
    }

    async fn queue(
        &self,
        name: &str,
        options: QueueDeclareOptions,
        arguments: &[(&str, AMQPValue)],
    ) -> Result<String> {
        let mut table = FieldTable::default();
        for (key, value) in arguments {
            table.insert(short(key), value.clone());
        }
        let declaring = self.channel.queue_declare(short(name), options, table);
        let queue = answer(&format!("declaring queue {name}"), declaring).await?;
        Ok(queue.name().as_str().to_owned())
    }

    async fn bind(&self, queue: &str, exchange: &str, topic: &str) -> Result<()> {
        let binding = self.channel.queue_bind(
            short(queue),
            short(exchange),
            short(topic),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        answer(&format!("binding queue {queue}"), binding).await
    }
}

/// The name of a shared group's queue.
pub fn queue_of(group: Group) -> String {
    format!("firefly.{}", group.name)
}

/// Waits for the broker's answer, at most [`ANSWER_LIMIT`].
pub async fn answer<T>(what: &str, asked: impl Future<Output = lapin::Result<T>>) -> Result<T> {
    match tokio::time::timeout(ANSWER_LIMIT, asked).await {
        Ok(answered) => answered.map_err(|error| failed(what, error)),
        Err(_) => Err(Error::Broker(format!(
            "{what}: no answer within {ANSWER_LIMIT:?}"
        ))),
    }
}

pub fn failed(what: &str, error: lapin::Error) -> Error {
    Error::Broker(format!("{what}: {error}"))
}

/// Our names are short.
pub fn short(text: &str) -> ShortString {
    text.into()
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn durable() -> QueueDeclareOptions {
    QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    }
}

/// What stands before the `@` of a URL.
fn user_info(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file)
        .map_err(|error| Error::Broker(format!("reading {}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_in_a_file_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "hush\n").unwrap();
        let broker = Broker::new("amqps://ann@mq.example:5671/team", Some(&secret), None).unwrap();
        assert_eq!(broker.uri.authority.userinfo.username, "ann");
        assert_eq!(broker.uri.authority.userinfo.password, "hush");
        assert_eq!(broker.address(), "amqps://mq.example:5671/team");
        for url in ["amqp://ann:hush@host", "http://hush@host", "hush"] {
            let error = Broker::new(url, None, None).err().unwrap().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
