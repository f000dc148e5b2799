//! The streams of HTTP/2 connections, each of which can be cut without the others of its connection: behind a proxy these may be
//! other people's.

use hyper::rt::Executor;

use crate::line::Line;

/// Longest piece of content that is handed to a stream at once, bytes: what a cut stream whose client takes nothing may still get.
pub const PIECE_BYTES: usize = 16 << 10;

tokio::task_local! {
    /// What cuts the stream that this task answers.
    static STREAM: Line;
}

/// What cuts the stream that is being answered; `None` over HTTP/1.1, where a request has the connection to itself.
pub fn current() -> Option<Line> {
    STREAM.try_with(Line::clone).ok()
}

/// Runs each stream as a task of its own.
#[derive(Clone)]
pub struct Streams;

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        let line = Line::default();
        tokio::spawn(STREAM.scope(line.clone(), async move {
            tokio::select! {
                biased;
                // First, since content that breaks off resets its stream and throws away what waits to be sent.
                _ = stream => {}
                // Its client takes nothing, so nobody asks for content: dropped, it is reset too.
                () = line.is_cut() => {}
            }
        }));
    }
}
