//! One fact of an artifact.

use serde::Serialize;

/// Something that an artifact says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArtifactFact {
    /// Its name: `version`, `architecture`.
    pub name: String,
    /// Its value, as written.
    pub value: String,
}

impl ArtifactFact {
    /// A fact by its name and its value, as written.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}
