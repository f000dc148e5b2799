//! Waiting for the driver's futures from threads that block, wherever they were started.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use tokio::runtime::{Handle, Runtime};

use crate::error::{Error, Result};

/// A runtime that watches the connections' sockets. It may be dropped anywhere, also where another runtime's futures run.
pub struct Driver(Option<Runtime>);

impl Driver {
    /// Starts it.
    pub fn start() -> Result<(Driver, Handle)> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("kv-mysql")
            .enable_all()
            .build()
            .map_err(|e| Error::io("starting the database's runtime", e))?;
        let handle = runtime.handle().clone();
        Ok((Driver(Some(runtime)), handle))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs `future` on this thread. Unlike `Handle::block_on` it may be called where another runtime's futures run, as the
/// other engines' calls may.
pub fn block_on<F: Future>(handle: &Handle, future: F) -> F::Output {
    let _context = handle.enter();
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
