//! A step of the verification, as JSON and as text.

use std::io::Write;

use porthole_core::layer::LayerNumber;
use porthole_inspect::verify::{DocumentRole, VerifiedDocument, VerifiedLayer, VerifyState};
use serde::Serialize;

use super::{contents::Contents, doubts::Doubts};
use crate::{
    error::Error,
    session::Session,
    ui::{Style, safe, size},
};

/// The result for a document or a layer.
#[derive(Serialize)]
pub(super) struct Report {
    step: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<LayerNumber>,
    /// The digest in the descriptor, or the computed one if there is no descriptor.
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff_id: Option<String>,
    #[serde(skip)]
    unstated: bool,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    uncompressed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u64>,
    state: State,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deviations: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    toc: Option<Contents>,
    #[serde(flatten)]
    doubts: Doubts,
}

/// [`VerifyState`] as JSON.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Verified,
    Computed,
    Stopped,
    Limit,
    Wrong,
}

impl Report {
    pub(super) fn of_document(document: &VerifiedDocument) -> Self {
        let step = match document.role {
            DocumentRole::Index => "index",
            DocumentRole::Manifest => "manifest",
            DocumentRole::Config => "config",
        };
        Self {
            step,
            layer: None,
            digest: document.raw.digest().to_string(),
            got: None,
            diff_id: None,
            unstated: false,
            size: document.raw.size(),
            uncompressed: None,
            entries: None,
            state: document.state.into(),
            findings: document.findings.iter().map(ToString::to_string).collect(),
            deviations: document.deviations.iter().map(ToString::to_string).collect(),
            stopped: None,
            toc: None,
            doubts: Doubts::default(),
        }
    }

    /// The result for a layer. `unstated`: the configuration lacks its diff_id, which was therefore computed but not checked.
    pub(super) fn of_layer(layer: &VerifiedLayer, unstated: bool) -> Self {
        Self {
            step: "layer",
            layer: Some(layer.layer),
            digest: layer.digest.to_string(),
            got: layer.got.map(|got| got.to_string()),
            diff_id: layer.diff_id.map(|diff_id| diff_id.to_string()),
            unstated,
            size: layer.size,
            uncompressed: layer.archive.map(|archive| archive.bytes),
            entries: layer.archive.map(|archive| archive.entries),
            state: layer.state.into(),
            findings: layer.findings.iter().map(ToString::to_string).collect(),
            deviations: Vec::new(),
            stopped: layer.stopped.as_ref().map(ToString::to_string),
            toc: layer.toc.as_ref().map(Contents::of),
            doubts: Doubts::of(&layer.doubts),
        }
    }

    /// Prints the step as text.
    pub(super) fn print(&self, out: &mut impl Write, session: &Session<'_>) -> Result<(), Error> {
        let name = match self.layer {
            Some(layer) => format!("{} {layer}", self.step),
            None => self.step.to_owned(),
        };
        let state = match self.state {
            State::Verified => session.ui.paint(Style::Good, "verified"),
            State::Computed => session.ui.paint(Style::Changed, "computed"),
            State::Stopped => session.ui.paint(Style::Bad, "STOPPED "),
            State::Limit => session.ui.paint(Style::Changed, "LIMIT   "),
            State::Wrong => session.ui.paint(Style::Bad, "WRONG   "),
        };
        writeln!(out, "{name:<9} {state}  {}  {}", self.digest, size(self.size))?;
        if let Some(diff_id) = &self.diff_id {
            let entries = match self.entries.unwrap_or(0) {
                1 => "1 entry".to_owned(),
                entries => format!("{entries} entries"),
            };
            let name = if self.unstated { "unpacked" } else { "diff_id " };
            writeln!(out, "{:<9} {name}  {diff_id}  {}, {entries}", "", size(self.uncompressed.unwrap_or(0)))?;
        }
        let mut tell = |style, text: &str| writeln!(out, "{:<9} {}", "", session.ui.paint(style, &safe(text)));
        for finding in &self.findings {
            tell(Style::Bad, finding)?;
        }
        for deviation in &self.deviations {
            tell(Style::Changed, &format!("departs from the specification: {deviation}"))?;
        }
        if let Some(stopped) = &self.stopped {
            tell(Style::Bad, &format!("a runtime stops here: {stopped}"))?;
        }
        for (style, line) in self.toc.iter().flat_map(Contents::lines) {
            tell(style, &line)?;
        }
        for line in self.doubts.lines() {
            tell(Style::Changed, &line)?;
        }
        Ok(())
    }
}

impl From<VerifyState> for State {
    fn from(state: VerifyState) -> Self {
        match state {
            VerifyState::Verified => Self::Verified,
            VerifyState::Computed => Self::Computed,
            VerifyState::Stopped => Self::Stopped,
            VerifyState::Limit => Self::Limit,
            VerifyState::Wrong => Self::Wrong,
        }
    }
}
