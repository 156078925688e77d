//! A statement, as JSON and as text.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use porthole_contents::secrets::SecretMask;
use porthole_signature::{
    evidence::Evidence,
    statement::{BillOfMaterials, BuildProvenance, Predicate, Statement},
};
use serde::Serialize;
use serde_json::Value;

use super::said::{ScanRow, VexRow, parameters};
use crate::{
    evidence::{SignatureRow, kind_of},
    session::Session,
    ui::{Style, safe, size},
};

#[derive(Serialize)]
pub(super) struct Row {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicate_type: Option<String>,
    #[serde(flatten)]
    signature: SignatureRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<ProvenanceRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bill: Option<BillRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vex: Option<Vec<VexRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scan: Option<ScanRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicate: Option<Value>,
}

#[derive(Serialize)]
struct ProvenanceRow {
    builder: Option<String>,
    build_type: Option<String>,
    source: Option<String>,
    commit: Option<String>,
    started: Option<String>,
    finished: Option<String>,
    invocation: Option<String>,
    /// Parameters of the build, with secrets masked.
    parameters: Value,
    materials: Vec<MaterialRow>,
}

#[derive(Serialize)]
struct MaterialRow {
    uri: String,
    digests: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct BillRow {
    format: String,
    name: Option<String>,
    created: Option<String>,
    tools: Vec<String>,
    packages: usize,
}

impl Row {
    pub(super) fn of(signature: SignatureRow, evidence: Option<&Evidence>) -> Self {
        let statement = evidence.and_then(|evidence| evidence.statement.as_ref());
        let (mut provenance, mut vex, mut scan) = (None, None, None);
        let mut bill = evidence.and_then(|evidence| evidence.bill.as_ref()).map(BillRow::of);
        match statement.map(Statement::read) {
            Some(Predicate::Provenance(read)) => provenance = Some(read),
            Some(Predicate::Bill(read)) => bill = Some(BillRow::of(&read)),
            Some(Predicate::Vex(read)) => vex = Some(read.into_iter().map(VexRow::of).collect()),
            Some(Predicate::Scan(read)) => scan = Some(ScanRow::of(read)),
            _ => {}
        }
        let mut mask = SecretMask::default();
        let mut predicate = statement.map(|statement| statement.predicate.clone());
        // A bill is not masked: it is long, and has only packages and no text of a user.
        if bill.is_none() {
            predicate.iter_mut().for_each(|predicate| mask.json(predicate));
        }
        Self {
            kind: evidence.and_then(kind_of).unwrap_or("other"),
            predicate_type: statement.map(|statement| statement.predicate_type.clone()),
            signature,
            provenance: provenance.map(|provenance| ProvenanceRow::of(provenance, &mut mask)),
            bill,
            vex,
            scan,
            predicate,
        }
    }

    pub(super) fn print(&self, out: &mut impl Write, session: &Session<'_>) -> io::Result<()> {
        let (style, word) = self.signature.state();
        let kind = self.predicate_type.as_deref().or(self.signature.format).unwrap_or_default();
        let state = session.ui.paint(style, word);
        writeln!(out, "{}  {}  {state}", self.kind, safe(kind))?;
        let blob = format!("{}  {}", self.signature.digest, size(self.signature.size));
        writeln!(out, "  {}", session.ui.paint(Style::Faint, &blob))?;
        self.signature.print_proof(out, 1, session)?;
        let mut line = |name: &str, text: &str| writeln!(out, "  {name:<10} {}", safe(text));
        for text in self.vex.iter().flat_map(|rows| VexRow::lines(rows)) {
            line("statement", &text)?;
        }
        for (name, text) in self.scan.iter().flat_map(ScanRow::lines) {
            line(name, &text)?;
        }
        if let Some(provenance) = &self.provenance {
            for (name, value) in [
                ("builder", &provenance.builder),
                ("source", &provenance.source),
                ("commit", &provenance.commit),
                ("started", &provenance.started),
                ("finished", &provenance.finished),
                ("run", &provenance.invocation),
            ] {
                if let Some(value) = value {
                    line(name, value)?;
                }
            }
            for text in parameters(&provenance.parameters) {
                line("parameter", &text)?;
            }
            for material in &provenance.materials {
                let digest = material.digests.iter().next().map(|(name, hex)| format!("  {name}:{hex}"));
                line("material", &format!("{}{}", material.uri, digest.unwrap_or_default()))?;
            }
        }
        if let Some(bill) = &self.bill {
            line("format", &bill.format)?;
            line("packages", &bill.packages.to_string())?;
            for tool in &bill.tools {
                line("made by", tool)?;
            }
        }
        writeln!(out)
    }
}

impl ProvenanceRow {
    fn of(mut provenance: BuildProvenance, mask: &mut SecretMask) -> Self {
        mask.json(&mut provenance.parameters);
        let row = |material: porthole_signature::statement::Material| MaterialRow {
            uri: material.uri,
            digests: material.digests,
        };
        Self {
            builder: provenance.builder,
            build_type: provenance.build_type,
            source: provenance.source,
            commit: provenance.commit,
            started: provenance.started,
            finished: provenance.finished,
            invocation: provenance.invocation,
            parameters: provenance.parameters,
            materials: provenance.materials.into_iter().map(row).collect(),
        }
    }
}

impl BillRow {
    fn of(bill: &BillOfMaterials) -> Self {
        Self {
            format: bill.format.clone(),
            name: bill.name.clone(),
            created: bill.created.clone(),
            tools: bill.tools.clone(),
            packages: bill.packages.len(),
        }
    }
}
