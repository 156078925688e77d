//! JSON on one line of stderr.

use porthole_inspect::report::json::write_json;
use serde_json::{Value, ser::CompactFormatter};

use crate::printable::Printable;

/// A value as JSON on one line.
pub(crate) fn json_line(value: &Value) -> Printable {
    let mut line = Vec::new();
    // Cannot fail: writes to memory succeed, and all keys of a `Value` are strings.
    let _ = write_json(&mut line, value, CompactFormatter);
    Printable::line(String::from_utf8_lossy(&line))
}
