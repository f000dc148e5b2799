//! Searches over a real store and index: files in, hits out.

mod behaviour;
mod bench;
mod filters;
mod gone;
mod marks;
mod model;
mod pages;
mod sharing;
mod similar;
mod words;
