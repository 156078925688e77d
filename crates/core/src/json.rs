//! Strict JSON for image documents: no input that two parsers could read as two different documents.

mod node;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

pub(crate) use self::node::Node;
use crate::{
    digest::{self, Mismatch},
    failure::{Classify, Failure},
    limits::JSON_DEPTH,
    quote::quote,
};

/// Parses one JSON value.
///
/// # Errors
///
/// [`Error`] for anything RFC 8259 rejects, for bytes after the value, for a byte order mark, for a duplicate key in an
/// object at any level, and for more than [`JSON_DEPTH`] levels of nesting.
pub fn parse_strict(bytes: &[u8]) -> Result<Value, Error> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(Error::ByteOrderMark);
    }
    if bytes.trim_ascii().is_empty() {
        return Err(Error::Syntax("expected a value, got nothing".to_owned()));
    }
    let mut refusal = None;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    // The seed counts levels itself, so that the limit is exact and the error names it.
    deserializer.disable_recursion_limit();
    let seed = Seed { depth: JSON_DEPTH, refusal: &mut refusal };
    let value = seed.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| refusal.unwrap_or_else(|| Error::Syntax(quote(error.to_string().as_bytes()))))
}

/// Builds a value within the remaining nesting depth. `refusal` holds the reason if it is not a syntax error.
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

/// Why JSON is rejected. Quoted text is escaped and truncated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not JSON.
    #[error("malformed JSON: {0}")]
    Syntax(String),
    /// The text starts with a byte order mark.
    #[error("malformed JSON: expected a value, got a byte order mark")]
    ByteOrderMark,
    /// A key occurs twice in one object. Parsers differ on which value wins.
    #[error("ambiguous JSON: duplicate key `{0}`")]
    DuplicateKey(String),
    /// A key differs only in case from the expected one. Go's parser would accept it, others would not.
    #[error("ambiguous JSON: expected `{expected}`, got `{got}` at {path}")]
    KeyCase {
        /// JSON path of the object.
        path: String,
        /// Name of the property.
        expected: &'static str,
        /// The key in the document.
        got: String,
    },
    /// Arrays and objects are nested too deeply.
    #[error("JSON is nested more than {limit} levels deep (fixed limit json_depth)")]
    TooDeep {
        /// Levels of nesting that are read: [`JSON_DEPTH`].
        limit: u32,
    },
    /// A field is missing or has the wrong type.
    #[error("{path}: expected {expected}, got {got}")]
    Field {
        /// JSON path of the field, such as `layers[2].size`.
        path: String,
        /// Description of the expected value.
        expected: &'static str,
        /// Description of the value in the document.
        got: String,
    },
    /// A field is not a supported digest.
    #[error("{path}: {error}")]
    Digest {
        /// JSON path of the field.
        path: String,
        /// Why the digest is rejected.
        error: digest::Error,
    },
    /// Embedded `data` does not match the digest and size next to it.
    #[error("{path} does not match its descriptor: {mismatch}")]
    Data {
        /// JSON path of the descriptor.
        path: String,
        /// How it differs.
        mismatch: Mismatch,
    },
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::TooDeep { .. } => Failure::limit(),
            _ => Failure::malformed(),
        }
    }
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
        let error = parse_strict(nested(129).as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "JSON is nested more than 128 levels deep (fixed limit json_depth)");
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
