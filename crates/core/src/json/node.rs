//! A JSON value with its path, so that an error can name the field.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Error;
use crate::{media_type::MediaType, quote::quote};

/// A JSON value and its path from the top of the document.
///
/// Optional properties treat `null` as absent, as Go's parser does.
pub(crate) struct Node<'v> {
    value: &'v Value,
    path: String,
}

impl<'v> Node<'v> {
    /// The whole document, called `name` in errors.
    pub(crate) fn top(name: &str, value: &'v Value) -> Self {
        Self { value, path: name.to_owned() }
    }

    pub(crate) fn path(&self) -> String {
        self.path.clone()
    }

    pub(crate) fn unexpected(&self, expected: &'static str) -> Error {
        Error::Field { path: self.path(), expected, got: describe(self.value) }
    }

    pub(crate) fn object(&self) -> Result<&'v Map<String, Value>, Error> {
        self.value.as_object().ok_or_else(|| self.unexpected("an object"))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some_and(|value| !value.is_null())
    }

    pub(crate) fn optional(&self, key: &str) -> Result<Option<Self>, Error> {
        let value = self.object()?.get(key).filter(|value| !value.is_null());
        Ok(value.map(|value| Self { value, path: format!("{}.{key}", self.path) }))
    }

    pub(crate) fn required(&self, key: &'static str) -> Result<Self, Error> {
        self.optional(key)?.ok_or_else(|| Error::Field {
            path: format!("{}.{key}", self.path),
            expected: "a value",
            got: "nothing".to_owned(),
        })
    }

    /// Rejects keys that match one of `fields` only when case is ignored: Go's parser ignores case, others do not.
    pub(crate) fn only_exact_case(&self, fields: &[&'static str]) -> Result<(), Error> {
        for key in self.object()?.keys() {
            let similar = fields.iter().find(|field| field.eq_ignore_ascii_case(key) && *field != key);
            if let Some(expected) = similar {
                return Err(Error::KeyCase { path: self.path(), expected, got: quote(key.as_bytes()) });
            }
        }
        Ok(())
    }

    pub(crate) fn string(&self) -> Result<&'v str, Error> {
        self.value.as_str().ok_or_else(|| self.unexpected("a string"))
    }

    pub(crate) fn boolean(&self) -> Result<bool, Error> {
        self.value.as_bool().ok_or_else(|| self.unexpected("true or false"))
    }

    pub(crate) fn integer(&self) -> Result<i64, Error> {
        self.value.as_i64().ok_or_else(|| self.unexpected("an integer"))
    }

    /// A number of bytes, below 2^63.
    pub(crate) fn size(&self) -> Result<u64, Error> {
        let size = self.value.as_i64().and_then(|size| u64::try_from(size).ok());
        size.ok_or_else(|| self.unexpected("an integer from 0 to 2^63 - 1"))
    }

    /// A media type without parameters: OCI requires the grammar of RFC 6838 §4.2 (image-spec, `descriptor.md`), which has none.
    pub(crate) fn media_type(&self) -> Result<MediaType, Error> {
        let text = self.string()?;
        MediaType::parse_exact(text).map_err(|_| match MediaType::parse(text) {
            Ok(_) => self.unexpected("a media type without parameters"),
            Err(_) => self.unexpected("a media type"),
        })
    }

    /// An optional media type. Empty counts as absent: programs that always write the field leave it empty.
    pub(crate) fn optional_media_type(&self, key: &str) -> Result<Option<MediaType>, Error> {
        let value = self.optional(key)?.filter(|value| value.value.as_str() != Some(""));
        value.map(|value| value.media_type()).transpose()
    }

    pub(crate) fn array(&self) -> Result<Vec<Self>, Error> {
        let items = self.value.as_array().ok_or_else(|| self.unexpected("an array"))?;
        let item = |(index, value)| Self { value, path: format!("{}[{index}]", self.path) };
        Ok(items.iter().enumerate().map(item).collect())
    }

    pub(crate) fn length(&self) -> usize {
        self.value.as_array().map_or(0, Vec::len)
    }

    pub(crate) fn strings(&self) -> Result<Vec<String>, Error> {
        self.array()?.iter().map(|item| item.string().map(str::to_owned)).collect()
    }

    pub(crate) fn strings_by_key(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut map = BTreeMap::new();
        for (key, value) in self.object()? {
            let item = Self { value, path: format!("{}[`{}`]", self.path, quote(key.as_bytes())) };
            // Go's parser leaves a text empty for `null`.
            let text = if value.is_null() { "" } else { item.string()? };
            map.insert(key.clone(), text.to_owned());
        }
        Ok(map)
    }

    /// An optional string. Empty counts as absent.
    pub(crate) fn optional_text(&self, key: &str) -> Result<Option<String>, Error> {
        let text = self.optional(key)?.map(|value| value.string()).transpose()?;
        Ok(text.filter(|text| !text.is_empty()).map(str::to_owned))
    }

    pub(crate) fn optional_strings(&self, key: &str) -> Result<Vec<String>, Error> {
        Ok(self.optional(key)?.map(|list| list.strings()).transpose()?.unwrap_or_default())
    }

    pub(crate) fn optional_map(&self, key: &str) -> Result<BTreeMap<String, String>, Error> {
        Ok(self.optional(key)?.map(|map| map.strings_by_key()).transpose()?.unwrap_or_default())
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(value) => format!("`{value}`"),
        Value::String(value) => format!("the string `{}`", quote(value.as_bytes())),
        Value::Array(items) if items.is_empty() => "an empty array".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
