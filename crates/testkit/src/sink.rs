//! Sinks for a layer's entries.

use porthole_core::tar::{Entry, EntrySink, Flow};

/// Keeps all entries and wants no data.
#[derive(Debug, Default)]
pub struct Entries(pub Vec<Entry>);

impl EntrySink for Entries {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.0.push(entry);
        Flow::Continue
    }
}

/// Keeps nothing and wants no data.
#[derive(Debug)]
pub struct Ignore;

impl EntrySink for Ignore {
    fn entry(&mut self, _: Entry) -> Flow {
        Flow::Continue
    }
}
