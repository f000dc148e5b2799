//! Unions in arguments: `"add"`, or `{".tag": "update", "update": "…"}`.

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::{Map, Value};

/// A tagged union as a client sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct Union {
    /// The variant.
    pub tag: String,
    /// Everything beside the tag.
    pub fields: Map<String, Value>,
}

impl Union {
    /// The variant's value where it is a string: what stands under the tag's own name.
    pub fn text(&self) -> Option<&str> {
        self.fields.get(&self.tag).and_then(Value::as_str)
    }
}

impl<'de> Deserialize<'de> for Union {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::String(tag) => Ok(Union {
                tag,
                fields: Map::new(),
            }),
            Value::Object(mut fields) => match (fields.remove(".tag"), fields.len()) {
                (Some(Value::String(tag)), _) => Ok(Union { tag, fields }),
                // The compact form `{"update": "…"}`.
                (None, 1) => {
                    let tag = fields.keys().next().cloned().unwrap_or_default();
                    Ok(Union { tag, fields })
                }
                _ => Err(D::Error::custom("expected a union with a .tag")),
            },
            _ => Err(D::Error::custom("expected a union")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_union_reads_the_same() {
        for text in [r#"{".tag":"update","update":"r1"}"#, r#"{"update":"r1"}"#] {
            let union: Union = serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((union.tag.as_str(), union.text()), ("update", Some("r1")));
        }
        let plain: Option<Union> = serde_json::from_str(r#""add""#).ok();
        assert_eq!(plain.map(|u| u.tag), Some("add".to_string()));
        assert!(serde_json::from_str::<Union>("7").is_err());
    }
}
