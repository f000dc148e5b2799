//! Times on the wire: UTC, whole seconds, `2015-05-12T15:50:38Z`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time in milliseconds since 1970, written as whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub i64);

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (date, clock) = (at.date(), at.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T",
            date.year(),
            date.month() as u8,
            date.day()
        )?;
        write!(
            f,
            "{:02}:{:02}:{:02}Z",
            clock.hour(),
            clock.minute(),
            clock.second()
        )
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        let at = OffsetDateTime::parse(&text, &Rfc3339).map_err(serde::de::Error::custom)?;
        Ok(Stamp(at.unix_timestamp() * 1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_read_back() {
        let text = "\"2020-02-03T04:05:06Z\"";
        let stamp: Option<Stamp> = serde_json::from_str(text).ok();
        assert_eq!(stamp, Some(Stamp(1_580_702_706_000)));
        assert_eq!(serde_json::to_string(&stamp).ok().as_deref(), Some(text));
        assert!(serde_json::from_str::<Stamp>("\"2020-02-03\"").is_err());
    }
}
