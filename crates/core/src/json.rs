//! JSON as an image document may use it: strictly, so that no two readers can see two different documents.

mod node;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

pub(crate) use self::node::Node;
use crate::{
    digest::{self, Mismatch},
    limits::JSON_DEPTH,
    quote::quote,
};

/// Parses one JSON value.
///
/// # Errors
///
/// [`Error`] for what RFC 8259 refuses, for bytes after the value, for a byte order mark, for a key that stands twice
/// in one object at any level, and for more than [`JSON_DEPTH`] levels of nesting.
pub fn parse_strict(bytes: &[u8]) -> Result<Value, Error> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(Error::ByteOrderMark);
    }
    let mut refusal = None;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    // The seed counts the levels itself, to the exact limit and with words of its own.
    deserializer.disable_recursion_limit();
    let seed = Seed { depth: JSON_DEPTH, refusal: &mut refusal };
    let value = seed.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| refusal.unwrap_or_else(|| Error::Syntax(quote(error.to_string().as_bytes()))))
}

/// Builds a value under what is left of the nesting limit. `refusal` tells why, where it is not the syntax.
struct Seed<'r> {
    depth: u32,
    refusal: &'r mut Option<Error>,
}

impl Seed<'_> {
    fn deeper<E: serde::de::Error>(&mut self) -> Result<u32, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(depth),
            None => Err(self.refuse(Error::TooDeep { limit: JSON_DEPTH })),
        }
    }

    fn refuse<E: serde::de::Error>(&mut self, refusal: Error) -> E {
        let error = E::custom(&refusal);
        *self.refusal = Some(refusal);
        error
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Seed { depth, refusal: self.refusal })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(self.refuse(Error::DuplicateKey(quote(key.as_bytes()))));
            }
            let value = access.next_value_seed(Seed { depth, refusal: self.refusal })?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// Why JSON is refused. Quoted text is escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not JSON.
    #[error("malformed JSON: {0}")]
    Syntax(String),
    /// A byte order mark stands before the text.
    #[error("malformed JSON: expected a value, got a byte order mark")]
    ByteOrderMark,
    /// A key stands twice in one object, so that readers would differ on its value.
    #[error("ambiguous JSON: duplicate key `{0}`")]
    DuplicateKey(String),
    /// A key differs only in case from the one that is meant, so that readers would differ on its value.
    #[error("ambiguous JSON: expected `{expected}`, got `{got}` at {path}")]
    KeyCase {
        /// The object.
        path: String,
        /// The property's name.
        expected: &'static str,
        /// The key.
        got: String,
    },
    /// Arrays and objects are nested too deep.
    #[error("JSON is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// A field is missing or of the wrong form.
    #[error("{path}: expected {expected}, got {got}")]
    Field {
        /// Where, as in `layers[2].size`.
        path: String,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        got: String,
    },
    /// A field holds no usable digest.
    #[error("{path}: {error}")]
    Digest {
        /// Where.
        path: String,
        /// Why not.
        error: digest::Error,
    },
    /// Embedded data does not have the digest and size beside it.
    #[error("{path} does not match its descriptor: {mismatch}")]
    Data {
        /// Where.
        path: String,
        /// How.
        mismatch: Mismatch,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn values_are_read_as_they_are() {
        let value = parse_strict(br#" {"a": [1, -2, 3.5, true, null, "x\u00e9"], "b": {}} "#).unwrap();
        assert_eq!(value, serde_json::json!({"a": [1, -2, 3.5, true, null, "xé"], "b": {}}));
    }

    #[test]
    fn a_key_may_stand_once() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#] {
            assert_eq!(parse_strict(text.as_bytes()), Err(Error::DuplicateKey("a".to_owned())), "{text}");
        }
        assert!(parse_strict(br#"[{"a":1},{"a":1}]"#).is_ok());
    }

    #[test]
    fn nesting_has_a_limit() {
        assert!(parse_strict(nested(128).as_bytes()).is_ok());
        assert_eq!(parse_strict(nested(129).as_bytes()), Err(Error::TooDeep { limit: 128 }));
        assert_eq!(parse_strict("[".repeat(1_000_000).as_bytes()), Err(Error::TooDeep { limit: 128 }));
        assert_eq!(parse_strict(r#"{"a":"#.repeat(1_000_000).as_bytes()), Err(Error::TooDeep { limit: 128 }));
    }

    #[test]
    fn malformed_text_is_refused() {
        assert_eq!(parse_strict(b"\xef\xbb\xbf{}"), Err(Error::ByteOrderMark));
        let texts = ["", " ", "{} {}", "{}x", "{'a':1}", "[1,]", "01", "+1", "NaN", r#""\ud800""#, "\"a\nb\"", "1e999"];
        for text in texts {
            assert!(matches!(parse_strict(text.as_bytes()), Err(Error::Syntax(_))), "{text}");
        }
        assert!(matches!(parse_strict(b"\"\xff\""), Err(Error::Syntax(_))));
    }
}
