//! What every request goes through, and the forms all endpoints share.

pub mod arg;
pub mod asking;
pub mod caller;
pub mod content;
pub mod device;
pub mod failure;
pub mod limiter;
pub mod middleware;
pub mod proxy;
pub mod range;
pub mod reply;
pub mod sessions;
pub mod stamp;
pub mod tie;
pub mod union;

pub use arg::{Arg, HeaderArg, StrangerArg, Void};
pub use failure::Failure;
pub use reply::{Reply, api_result};
pub use union::Union;
