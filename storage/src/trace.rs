//! The id of the request that the present thread works for: log lines carry it, and so do calls to other processes and what waits for
//! work behind the request.

use std::cell::RefCell;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serializer};

/// Characters of an id at most.
const MAX_CHARACTERS: usize = 64;

thread_local! {
    static PRESENT: RefCell<Option<Id>> = const { RefCell::new(None) };
}

/// A request's id: letters, digits, `.`, `_` and `-`, at most 64. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id(Arc<str>);

impl Id {
    /// Reads one that came from elsewhere; none when it is not made as ids are.
    pub fn read(text: &str) -> Option<Id> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_one = (1..=MAX_CHARACTERS).contains(&text.len()) && text.chars().all(is_plain);
        is_one.then(|| Id(text.into()))
    }

    /// A new one.
    pub fn random() -> Id {
        Id(format!("{:032x}", rand::random::<u128>()).into())
    }

    /// As it stands in headers and log lines.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The span of what is done for this request.
    pub fn span(&self) -> tracing::Span {
        tracing::info_span!("request", id = self.as_str())
    }

    /// Works for this request on the present thread.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let _before = Before(PRESENT.replace(Some(self.clone())));
        self.span().in_scope(work)
    }

    /// The request that this thread works for.
    pub fn present() -> Option<Id> {
        PRESENT.with_borrow(Clone::clone)
    }
}

/// Does `work` for this request, where one is known.
pub fn during<T>(request: Option<&Id>, work: impl FnOnce() -> T) -> T {
    match request {
        Some(request) => request.during(work),
        None => work(),
    }
}

/// How a row or a message that may have an id keeps it: as text. What does not hold one, be it written before there were any or be it
/// no id, has none.
pub mod optional {
    use super::*;

    /// Writes the text.
    pub fn serialize<S: Serializer>(id: &Option<Id>, to: S) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => to.serialize_some(id.as_str()),
            None => to.serialize_none(),
        }
    }

    /// Reads it back.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Id>, D::Error> {
        let text = Option::<String>::deserialize(from).unwrap_or_default();
        Ok(text.and_then(|text| Id::read(&text)))
    }
}

/// Puts back what the thread worked for before, also when the work panics.
struct Before(Option<Id>);

impl Drop for Before {
    fn drop(&mut self) {
        PRESENT.set(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hold_for_the_work_and_only_plain_ones_are_read() {
        let (outer, inner) = (Id::read("one-1").unwrap(), Id::random());
        outer.during(|| {
            inner.during(|| assert_eq!(Id::present().as_ref(), Some(&inner)));
            assert_eq!(Id::present().as_ref(), Some(&outer));
        });
        assert_eq!(Id::present(), None);
        assert_eq!(inner.as_str().len(), 32);
        for wrong in ["", "a b", "a\"b", &"x".repeat(65), "ü"] {
            assert_eq!(Id::read(wrong), None, "{wrong}");
        }
    }
}
