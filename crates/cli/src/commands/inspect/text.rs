//! The report of an image as text.

use std::io::Write;

use porthole_core::image::instruction;
use porthole_inspect::report::{ComparedBase, OverviewReport, ReportedBlob};

use crate::{
    error::Error,
    ui::{Style, Ui, safe, size},
};

pub(super) fn print(out: &mut impl Write, ui: &Ui, report: &OverviewReport) -> Result<(), Error> {
    let mut line =
        |name: &str, value: &str| writeln!(out, "{} {value}", ui.paint(Style::Faint, &format!("{name:<12}")));
    if let Some(reference) = &report.reference {
        line("Reference", reference)?;
    }
    if let Some(index) = &report.index {
        line("Index", &blob(index))?;
        line("Platforms", &safe(&report.platforms.join(", ")))?;
    }
    line("Manifest", &blob(&report.manifest))?;
    line("Config", &blob(&report.config))?;
    for (name, value) in [
        ("Artifact", &report.artifact_type),
        ("Platform", &report.platform),
        ("Created", &report.created),
        ("Author", &report.author),
    ] {
        if let Some(value) = value {
            line(name, &safe(value))?;
        }
    }
    if let Some(artifact) = &report.artifact {
        line("Kind", artifact.words)?;
        for fact in &artifact.facts {
            line(FACT, &format!("{}={}", safe(&fact.name), safe(&fact.value)))?;
        }
    }
    if let Some(base) = &report.base {
        let parts: Vec<_> = [&base.name, &base.digest].into_iter().flatten().map(|part| safe(part)).collect();
        if !parts.is_empty() {
            line("Base", &parts.join("  "))?;
        }
        if let Some(compared) = &base.compared {
            line("Built on", &built_on(compared))?;
        }
    }
    line("Download", &size(report.sizes.download))?;
    for (name, bytes) in [("Unpacked", report.sizes.unpacked), ("Visible", report.sizes.visible)] {
        line(name, &bytes.map_or_else(|| "–".to_owned(), size))?;
    }
    let execution = &report.execution;
    for (name, value) in [("User", &execution.user), ("Directory", &execution.working_dir)] {
        if !value.is_empty() {
            line(name, &safe(value))?;
        }
    }
    for (name, words) in [("Entrypoint", &execution.entrypoint), ("Command", &execution.cmd)] {
        if !words.is_empty() {
            line(name, &safe(&words.join(" ")))?;
        }
    }
    if let Some(signal) = &execution.stop_signal {
        line("Stop signal", &safe(signal))?;
    }
    for (name, values) in [("Env", &execution.env), ("Port", &execution.exposed_ports), ("Volume", &execution.volumes)]
    {
        for value in values {
            line(name, &safe(value))?;
        }
    }
    for (name, pairs) in [("Label", &execution.labels), ("Annotation", &report.annotations)] {
        for (key, value) in pairs {
            line(name, &format!("{}={}", safe(key), safe(value)))?;
        }
    }
    for deviation in &report.deviations {
        let name = ui.paint(Style::Changed, &format!("{:<12}", "Deviation"));
        writeln!(out, "{name} {}", safe(deviation))?;
    }
    for finding in report.findings.iter().filter(|finding| finding.kind != DEVIATION) {
        let name = ui.paint(Style::Changed, &format!("{:<12}", "Finding"));
        writeln!(out, "{name} {}", safe(&finding.text))?;
    }
    entries(out, ui, report)?;
    layers(out, ui, report)?;
    history(out, ui, report)
}

/// Label of a line with a fact about an artifact.
const FACT: &str = "Fact";
/// Label of a line with a deviation from the specification.
const DEVIATION: &str = "deviation";

/// Prints the entries of an index, with a mark at the entry that led to the image.
fn entries(out: &mut impl Write, ui: &Ui, report: &OverviewReport) -> Result<(), Error> {
    if report.entries.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", ui.paint(Style::Faint, "Index entries"))?;
    for entry in &report.entries {
        let mark = if entry.chosen { '*' } else { ' ' };
        let platform = entry.platform.as_deref().unwrap_or("-");
        let kind = entry.artifact_type.as_deref().unwrap_or(&entry.named.media_type);
        let size = size(entry.named.size);
        writeln!(out, "{mark} {:<16}  {}  {size:>9}  {}", safe(platform), entry.named.digest, safe(kind))?;
        for (key, value) in &entry.annotations {
            writeln!(out, "    {}={}", safe(key), safe(value))?;
        }
    }
    Ok(())
}

fn layers(out: &mut impl Write, ui: &Ui, report: &OverviewReport) -> Result<(), Error> {
    if report.layers.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", ui.paint(Style::Faint, "Layers, bottom first"))?;
    let mut below = report.layers.first().is_some_and(|layer| layer.base);
    for layer in &report.layers {
        if below && !layer.base {
            writeln!(out, "{}", ui.paint(Style::Faint, "     ── above the base image ──"))?;
        }
        below = layer.base;
        write!(out, "{:>3}  {}  {:>9}", layer.layer.get(), layer.blob.digest, size(layer.blob.size))?;
        if let Some(unpacked) = &layer.unpacked {
            write!(
                out,
                "  {:>9}  {}",
                size(unpacked.unpacked),
                ui.paint(Style::Good, &format!("+{}", unpacked.added))
                    + " "
                    + &ui.paint(Style::Changed, &format!("~{}", unpacked.modified))
                    + " "
                    + &ui.paint(Style::Bad, &format!("-{}", unpacked.removed)),
            )?;
        }
        if report.artifact_type.is_some() {
            write!(out, "  {}", layer.blob.media_type)?;
        }
        if let Some(schemes) = &layer.encrypted {
            let how = if schemes.is_empty() { String::new() } else { format!(" ({})", schemes.join(", ")) };
            write!(out, "  {}", ui.paint(Style::Changed, &safe(&format!("encrypted{how}"))))?;
        }
        writeln!(out)?;
        if let Some(file) = &layer.file {
            writeln!(out, "     {}", safe(file))?;
        }
        for fact in &layer.facts {
            writeln!(out, "     {}={}", safe(&fact.name), safe(&fact.value))?;
        }
        for url in layer.urls.iter().flatten() {
            writeln!(out, "     foreign: comes from {}", safe(url))?;
        }
        if let Some(created_by) = &layer.created_by {
            writeln!(out, "     {}", statement(created_by))?;
        }
    }
    Ok(())
}

fn history(out: &mut impl Write, ui: &Ui, report: &OverviewReport) -> Result<(), Error> {
    if report.history.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", ui.paint(Style::Faint, "History"))?;
    for entry in &report.history {
        let created = entry.created.as_deref().unwrap_or("-");
        let what = statement(entry.created_by.as_deref().or(entry.comment.as_deref()).unwrap_or("-"));
        let empty = if entry.empty_layer { "  (no layer)" } else { "" };
        writeln!(out, "{:<20}  {what}{empty}", safe(created))?;
    }
    Ok(())
}

/// Says whether an image was built on another, and what proves it.
fn built_on(base: &ComparedBase) -> String {
    let ComparedBase { reference, shared, layers, .. } = base;
    let reference = safe(reference);
    match (base.proved, *layers) {
        (true, 1) => format!("{reference}  proved: its layer unpacks to the same as the lowest one"),
        (true, _) => format!("{reference}  proved: its {layers} layers unpack to the same as the lowest ones"),
        (false, 0) => format!("{reference}  not proved: it has no layer"),
        (false, _) => format!("{reference}  no: of its {layers} layers, {shared} unpack to the same"),
    }
}

/// An instruction on one line.
fn statement(created_by: &str) -> String {
    safe(&instruction(created_by).to_string()).into_owned()
}

fn blob(named: &ReportedBlob) -> String {
    format!("{}  {}  {}", named.digest, size(named.size), named.media_type)
}
