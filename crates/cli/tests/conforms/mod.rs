//! Checks documents against published JSON Schemas (draft 7), which are compressed in `vectors`.

use flate2::read::GzDecoder;
use regex_lite::Regex;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A schema, with the other schemas that it refers to by name.
pub(crate) struct Schema {
    root: Value,
    others: BTreeMap<&'static str, Value>,
}

impl Schema {
    /// `others` are the schemas that this one refers to by name.
    pub(crate) fn new(packed: &[u8], others: &[(&'static str, &[u8])]) -> Self {
        Self { root: unpack(packed), others: others.iter().map(|(name, packed)| (*name, unpack(packed))).collect() }
    }

    /// Checks a value. The error names the first place where it violates the schema, and how.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        At { schema: self, document: &self.root }.check(value, &self.root, "")
    }
}

fn unpack(packed: &[u8]) -> Value {
    serde_json::from_reader(GzDecoder::new(packed)).unwrap()
}

/// The document against which references without a name are resolved.
#[derive(Clone, Copy)]
struct At<'s> {
    schema: &'s Schema,
    document: &'s Value,
}

impl At<'_> {
    fn check(self, value: &Value, schema: &Value, at: &str) -> Result<(), String> {
        let rules = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Bool(false) => return Err(format!("{at}: not described")),
            schema => schema.as_object().unwrap(),
        };
        // In draft 7, keywords beside `$ref` are ignored.
        if let Some(reference) = rules.get("$ref").and_then(Value::as_str) {
            let (name, pointer) = reference.split_once('#').unwrap_or((reference, ""));
            let document = if name.is_empty() { self.document } else { &self.schema.others[name] };
            let target = document.pointer(pointer).unwrap();
            return At { document, ..self }.check(value, target, at);
        }
        for (keyword, rule) in rules {
            self.keyword(value, keyword, rule, rules, at)?;
        }
        self.fields(value, rules, at)
    }

    /// Checks one keyword. An unknown keyword is an error, so that none is ignored.
    fn keyword(
        self,
        value: &Value,
        name: &str,
        rule: &Value,
        rules: &Map<String, Value>,
        at: &str,
    ) -> Result<(), String> {
        let fits = |schema: &Value| self.check(value, schema, at).is_ok();
        let length = || value.as_str().map(|text| text.chars().count() as u64);
        let items = value.as_array().map(Vec::as_slice);
        let holds = match name {
            "$schema" | "id" | "$id" | "title" | "definitions" | "then" | "else" => true,
            "properties" | "patternProperties" | "additionalProperties" | "additionalItems" => true,
            "type" => rule.as_array().map_or_else(|| is(value, rule), |names| names.iter().any(|name| is(value, name))),
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "allOf" => return rule.as_array().unwrap().iter().try_for_each(|one| self.check(value, one, at)),
            "anyOf" => rule.as_array().unwrap().iter().any(fits),
            "oneOf" => rule.as_array().unwrap().iter().filter(|one| fits(one)).count() == 1,
            "if" => {
                let then = rules.get(if fits(rule) { "then" } else { "else" });
                return then.map_or(Ok(()), |then| self.check(value, then, at));
            }
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
            "minLength" => length().is_none_or(|length| length >= rule.as_u64().unwrap()),
            "maxLength" => length().is_none_or(|length| length <= rule.as_u64().unwrap()),
            "minItems" => items.is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
            "maxItems" => items.is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap()),
            "uniqueItems" => items.is_none_or(|items| {
                rule != true || items.iter().enumerate().all(|(place, item)| !items[..place].contains(item))
            }),
            "pattern" => value.as_str().is_none_or(|text| Regex::new(rule.as_str().unwrap()).unwrap().is_match(text)),
            "format" => value.as_str().is_none_or(|text| has_format(text, rule.as_str().unwrap())),
            "items" => {
                for (place, item) in items.into_iter().flatten().enumerate() {
                    let schema = rule
                        .as_array()
                        .map_or(Some(rule), |list| list.get(place).or_else(|| rules.get("additionalItems")));
                    schema.map_or(Ok(()), |schema| self.check(item, schema, &format!("{at}/{place}")))?;
                }
                true
            }
            "required" => {
                let fields = value.as_object();
                let missing = |name: &&Value| fields.is_some_and(|fields| !fields.contains_key(name.as_str().unwrap()));
                match rule.as_array().unwrap().iter().find(missing) {
                    Some(name) => return Err(format!("{at}: expected {name}")),
                    None => true,
                }
            }
            other => panic!("{at}: the schema uses the keyword `{other}`, which this check does not know"),
        };
        if holds { Ok(()) } else { Err(format!("{at}: expected {name} {rule}, got {value}")) }
    }

    fn fields(self, value: &Value, rules: &Map<String, Value>, at: &str) -> Result<(), String> {
        for (name, field) in value.as_object().into_iter().flatten() {
            let at = format!("{at}/{name}");
            let matching = rules.get("patternProperties").and_then(Value::as_object).into_iter().flatten();
            let matching = matching.filter(|(pattern, _)| Regex::new(pattern).unwrap().is_match(name));
            let named = rules.get("properties").and_then(|known| known.get(name));
            let mut known: Vec<_> = named.into_iter().chain(matching.map(|(_, schema)| schema)).collect();
            if known.is_empty() {
                known.extend(rules.get("additionalProperties"));
            }
            known.into_iter().try_for_each(|schema| self.check(field, schema, &at))?;
        }
        Ok(())
    }
}

fn is(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    }
}

fn has_format(text: &str, format: &str) -> bool {
    const TIME: &str = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$";
    match format {
        "date-time" => Regex::new(TIME).unwrap().is_match(text),
        "iri-reference" => !text.contains(|c: char| c.is_control() || c.is_whitespace() || "<>\"{}|\\^`".contains(c)),
        "uri" => has_format(text, "iri-reference") && text.is_ascii() && text.contains(':'),
        "idn-email" => text.contains('@'),
        other => panic!("format {other}"),
    }
}
