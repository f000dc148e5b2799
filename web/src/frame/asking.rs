//! For whom the present task works: the request, and whose share of the service it uses. Carried into tasks that go on behind it.

use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use storage::meta::AccountId;
use storage::trace::Id;
use tokio::task::JoinHandle;

use super::limiter::network;

tokio::task_local! {
    static PRESENT: Asking;
}

/// Whose share of what is scarce a call uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// An account's: it has proved who it is.
    Account(AccountId),
    /// Strangers' from one place: people who sign in, open links, or have yet to prove who they are.
    Network(IpAddr),
    /// The program's own.
    Program,
}

/// A request as far as its work is concerned. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Asking(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    request: Id,
    network: IpAddr,
    account: OnceLock<AccountId>,
}

impl Asking {
    /// A request from this address, of which no more is known.
    pub fn new(request: Id, address: IpAddr) -> Self {
        Asking(Arc::new(Inner {
            request,
            network: network(address),
            account: OnceLock::new(),
        }))
    }

    /// The request's id.
    pub fn request(&self) -> &Id {
        &self.0.request
    }

    /// Does `work` for this request.
    pub fn scope<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        PRESENT.scope(self.clone(), work)
    }

    fn who(&self) -> Who {
        let account = self.0.account.get();
        account.map_or(Who::Network(self.0.network), |account| {
            Who::Account(*account)
        })
    }
}

/// The request for which the present task works; none outside of the frame.
pub fn present() -> Option<Asking> {
    PRESENT.try_with(Clone::clone).ok()
}

/// Whose share the present task uses.
pub fn who() -> Who {
    PRESENT.try_with(Asking::who).unwrap_or(Who::Program)
}

/// The present request is this account's. Later calls change nothing.
pub fn is_of(account: AccountId) {
    let known = PRESENT.try_with(|asking| asking.0.account.get_or_init(|| account) == &account);
    debug_assert!(known.is_ok(), "only requests are somebody's");
}

/// Starts a task that works for the same request.
pub fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match present() {
        Some(asking) => tokio::spawn(asking.scope(work)),
        None => tokio::spawn(work),
    }
}
