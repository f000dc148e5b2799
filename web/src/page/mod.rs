//! What a browser opens: the page, its assets, shared links.

pub mod app;
pub mod html;
pub mod link;
mod link_page;
pub(crate) mod words;
