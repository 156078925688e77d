//! HTTP exchanges, as the page shows them.

use serde::{Deserialize, Serialize};

/// Lines of the log of a look that changed, and sums over all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WireLog {
    /// Lines that are new or changed, by their places in the log, in order.
    pub lines: Vec<(u32, WireLine)>,
    /// Milliseconds from the first line to the end of the last.
    pub span: u32,
    /// Sums, in words.
    pub totals: String,
}

/// An exchange, or a step without one. Times are in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WireLine {
    /// Since the first line.
    pub at: u32,
    /// Until the head of the answer.
    pub waited: u32,
    /// Until the end of the answer, or until now.
    pub took: u32,
    /// What it is for and its outcome.
    pub meaning: String,
    /// Method and URL; empty for what took no exchange.
    pub asked: String,
    /// The status, or that there is none.
    pub status: String,
    /// Bytes of the answer's body.
    pub size: String,
    /// It failed, and is not an expected step such as a challenge.
    pub wrong: bool,
    /// Times and fields, with names.
    pub facts: Vec<(String, String)>,
    /// A `curl` command for the same request.
    pub curl: String,
}
