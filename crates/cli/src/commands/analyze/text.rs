//! The report of waste as text.

use std::io::Write;

use porthole_core::image::instruction;
use porthole_inspect::report::{AnalysisReport, AnalyzedLayer, AnalyzedPath, CausedWaste};

use super::{Report, thresholds::rounded_down};
use crate::{
    error::Error,
    ui::{Style, Ui, safe, size},
};

/// Maximum number of paths that are shown of a group of copies.
const NAMED: usize = 4;

pub(super) fn print(out: &mut impl Write, ui: &Ui, report: &Report) -> Result<(), Error> {
    let analysis = &report.analysis;
    if report.only.is_none() {
        figures(out, ui, analysis)?;
        writeln!(out)?;
    }
    layers(out, ui, report)?;
    wasted(out, ui, analysis)?;
    copies(out, ui, analysis)?;
    what_if(out, ui, analysis)?;
    thresholds(out, ui, report)
}

fn figures(out: &mut impl Write, ui: &Ui, report: &AnalysisReport) -> Result<(), Error> {
    let wasted = format!(
        "{}, about {} of the download ({:.1} %)",
        size(report.wasted.bytes),
        size(report.wasted.download),
        report.wasted.download_percent
    );
    for (name, value) in [
        ("Download", size(report.sizes.download)),
        ("Unpacked", size(report.sizes.unpacked)),
        ("Files", format!("{} in all layers", size(report.sizes.files))),
        ("Visible", size(report.sizes.visible)),
        ("Wasted", wasted),
        ("Efficiency", format!("{} (visible ÷ files)", rounded_down(report.efficiency))),
    ] {
        writeln!(out, "{} {value}", ui.paint(Style::Faint, &format!("{name:<12}")))?;
    }
    Ok(())
}

fn layers(out: &mut impl Write, ui: &Ui, report: &Report) -> Result<(), Error> {
    let head = format!("{:>3}  {:>9}  {:>9}  {:>9}  {}", "", "download", "files", "wasted", "wastes");
    writeln!(out, "{}\n{}", ui.paint(Style::Faint, "Layers, bottom first"), ui.paint(Style::Faint, &head))?;
    for layer in &report.analysis.layers {
        if report.only.is_some_and(|only| only != layer.layer) {
            continue;
        }
        let AnalyzedLayer { layer: number, download, files, wasted, wastes, created_by, .. } = layer;
        let wasted = format!("{:>9}", size(*wasted));
        let wasted = if layer.wasted > 0 { ui.paint(Style::Bad, &wasted) } else { wasted };
        writeln!(out, "{:>3}  {:>9}  {:>9}  {wasted}  {}", number.get(), size(*download), size(*files), why(wastes))?;
        if let Some(created_by) = created_by {
            writeln!(out, "     {}", safe(&instruction(created_by).to_string()))?;
        }
    }
    Ok(())
}

/// The waste that a layer causes, such as `30 B: 20 B deleted, 10 B overwritten`.
fn why(wastes: &CausedWaste) -> String {
    let parts = [
        (wastes.deleted, "deleted"),
        (wastes.overwritten, "overwritten"),
        (wastes.duplicated, "written again"),
        (wastes.metadata, "copied for metadata"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(bytes, _)| *bytes > 0).map(|(bytes, what)| format!("{} {what}", size(*bytes))).collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}

fn wasted(out: &mut impl Write, ui: &Ui, report: &AnalysisReport) -> Result<(), Error> {
    if report.wasted_paths.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", ui.paint(Style::Faint, "Wasted, biggest first"))?;
    for path in &report.wasted_paths {
        let AnalyzedPath { name, directory, brought_by, wasted_by, files, bytes, elsewhere, .. } = path;
        let slash = if *directory { "/" } else { "" };
        write!(out, "{:>9}  {}{slash}", size(*bytes), name.path)?;
        if *files > 1 {
            write!(out, "  ({files} files)")?;
        }
        let brought: Vec<String> = brought_by.iter().map(ToString::to_string).collect();
        write!(out, "\n           brought by {}, {} by {wasted_by}", brought.join(" "), cause(path))?;
        if let Some(elsewhere) = elsewhere {
            write!(out, "; still at {}", elsewhere.path)?;
        }
        writeln!(out)?;
    }
    more(out, ui, report.wasted_paths_total - report.wasted_paths.len())
}

fn cause(path: &AnalyzedPath) -> String {
    match path.cause {
        "duplicated" => "written again".to_owned(),
        "metadata" => format!("copied to change {}", path.aspects.join(" ")),
        cause => cause.to_owned(),
    }
}

fn copies(out: &mut impl Write, ui: &Ui, report: &AnalysisReport) -> Result<(), Error> {
    if report.copies.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", ui.paint(Style::Faint, "Same content at several paths: hard links would save"))?;
    for copies in &report.copies {
        let paths: Vec<&str> = copies.paths.iter().take(NAMED).map(|name| name.path.as_str()).collect();
        let others = match copies.paths.len().saturating_sub(NAMED) {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        writeln!(out, "{:>9}  {} × {}", size(copies.spare), copies.paths.len(), size(copies.bytes))?;
        writeln!(out, "           {}{others}", paths.join(", "))?;
    }
    more(out, ui, report.copies_total - report.copies.len())
}

/// Prints what other ways to build the image would save.
fn what_if(out: &mut impl Write, ui: &Ui, report: &AnalysisReport) -> Result<(), Error> {
    if report.what_if.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", ui.paint(Style::Faint, "What if: alternatives, whose savings do not add up"))?;
    for way in &report.what_if {
        writeln!(out, "{:>9}  {}", size(way.download), way.text)?;
        writeln!(out, "           saves {}", way.saves)?;
    }
    Ok(())
}

fn more(out: &mut impl Write, ui: &Ui, more: usize) -> Result<(), Error> {
    if more > 0 {
        writeln!(out, "{}", ui.paint(Style::Faint, &format!("           and {more} more (--top shows more)")))?;
    }
    Ok(())
}

fn thresholds(out: &mut impl Write, ui: &Ui, report: &Report) -> Result<(), Error> {
    if report.thresholds.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", ui.paint(Style::Faint, "Thresholds"))?;
    for check in &report.thresholds {
        let (style, verdict) = if check.passed { (Style::Good, "kept") } else { (Style::Bad, "MISSED") };
        writeln!(out, "{}  {}", ui.paint(style, &format!("{verdict:<6}")), check.words)?;
    }
    Ok(())
}
