//! How a question gets to a block server and its answer back: HTTP, one request each.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::wire::{MAX_FRAME_BYTES, PATH};
use crate::error::{Error, Result};
use crate::object;

/// A server that does not accept a connection, or does not answer, by then is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A way to one block server. Calls block.
pub trait Line: Send + Sync {
    /// The answer's frame to a question's. [`Error::Unavailable`] when there is none.
    fn ask(&self, question: Vec<u8>) -> Result<Vec<u8>>;
}

/// Over the network.
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

impl Http {
    /// To `HOST:PORT`; connects later.
    pub fn new(address: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        connector.set_nodelay(true);
        Http {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url: format!("http://{address}{PATH}"),
        }
    }
}

impl Line for Http {
    fn ask(&self, question: Vec<u8>) -> Result<Vec<u8>> {
        let (client, url) = (self.client.clone(), self.url.clone());
        object::wait(async move {
            let asked = tokio::time::timeout(ANSWER_LIMIT, ask(&client, &url, question));
            let late = |_| Error::Unavailable(format!("{url} does not answer"));
            asked.await.map_err(late)?
        })
    }
}

async fn ask(
    client: &Client<HttpConnector, Full<Bytes>>,
    url: &str,
    question: Vec<u8>,
) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::error::Error| {
        let cause = error
            .source()
            .map_or_else(String::new, |cause| format!(": {cause}"));
        Error::Unavailable(format!("asking {url}: {error}{cause}"))
    };
    let request = Request::post(url).body(Full::new(Bytes::from(question)));
    let request = request.map_err(|error| Error::Engine(format!("{url}: {error}")))?;
    let response = client
        .request(request)
        .await
        .map_err(|error| failed(&error))?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::FORBIDDEN => {
            return Err(Error::Unavailable(format!("{url} has another cluster key")));
        }
        status => return Err(Error::Unavailable(format!("{url} answers {status}"))),
    }
    let body = Limited::new(response.into_body(), MAX_FRAME_BYTES).collect();
    let body = body.await.map_err(|error| failed(&*error))?;
    Ok(body.to_bytes().into())
}
