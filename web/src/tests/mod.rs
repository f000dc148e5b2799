//! Tests of the routes on a real store.

mod fair;
mod files;
mod frame;
mod import;
mod invitations;
mod kept;
mod oauth;
mod page;
mod people;
mod serve;
mod session;
mod sharing;
mod two_factor;
