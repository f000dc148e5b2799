//! Searches over a real store and index: files in, hits out.

mod behaviour;
mod bench;
mod filters;
mod gone;
mod lately;
mod marks;
mod members;
mod model;
mod pages;
mod sharing;
mod similar;
mod versions;
mod words;
