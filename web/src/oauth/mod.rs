//! OAuth 2, as Dropbox's clients speak it: an authorization code (with PKCE), short-lived tokens, refresh tokens.
//!
//! Applications are not registered: whoever signs in sees the application's name for itself and decides.

pub mod authorize;
pub mod token;
