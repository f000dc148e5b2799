//! The operations' rules, one by one.
