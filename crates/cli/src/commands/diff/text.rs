//! Differences as text. `+` marks what is only in the second image, `-` what is only in the first, `~` what both have but differs.

use std::{fmt::Write as _, io::Write};

use porthole_core::{
    image::{diff::Value, instruction},
    path,
    tar::Kind,
    tree::{Aspect, Row as Listed},
};
use porthole_inspect::report::{
    DifferenceChange, DifferenceRow, FileDifferenceRow, HistoryRow, LayerRow, LayerRowBlob, LayersRow, SettingRow,
};

use super::Row;
use crate::{
    error::Error,
    ui::{Style, Ui, safe, size},
};

/// Prints the heading above the differences of a kind. The first row of the layers is itself a heading.
pub(super) fn heading(out: &mut impl Write, ui: &Ui, row: &Row<'_>) -> Result<(), Error> {
    let title = match row.kind() {
        "manifest" => "Manifest",
        "config" => "Config",
        "history" => "History",
        "file" => "Files",
        "package" => "Packages",
        _ => return Ok(()),
    };
    Ok(writeln!(out, "{}", ui.paint(Style::Faint, title))?)
}

pub(super) fn line(out: &mut impl Write, ui: &Ui, row: &Row<'_>) -> Result<(), Error> {
    let (change, text) = match row {
        Row::Difference(DifferenceRow::Setting(row)) => (row.change, setting(row)),
        Row::Difference(DifferenceRow::History(row)) => (row.change, history(row)),
        Row::Difference(DifferenceRow::Layers(row)) => {
            let LayersRow { shared, download, .. } = row;
            let text =
                format!("Layers ({shared} shared from the bottom, {} to download for who has A)", size(*download));
            return Ok(writeln!(out, "{}", ui.paint(Style::Faint, &text))?);
        }
        Row::Difference(DifferenceRow::Layer(row)) => (row.change, layer(row)),
        Row::Package(row) => (row.change, row.words()),
        Row::Difference(DifferenceRow::File(row)) => (row.change, file(row)),
    };
    let (sign, style) = match change {
        DifferenceChange::Added => ("+", Style::Good),
        DifferenceChange::Removed => ("-", Style::Bad),
        DifferenceChange::Changed
        | DifferenceChange::Recompressed
        | DifferenceChange::Upgraded
        | DifferenceChange::Downgraded => ("~", Style::Changed),
        DifferenceChange::Same => ("=", Style::Faint),
    };
    Ok(writeln!(out, "{} {text}", ui.paint(style, sign))?)
}

fn setting(row: &SettingRow) -> String {
    let SettingRow { key, name, before, after, .. } = row;
    let mut text = safe(key).into_owned();
    if let Some(name) = name {
        let _ = write!(text, " {}", safe(name));
    }
    let shown = |value: &Option<Value>| value.as_ref().map(|value| safe(&value.to_string()).into_owned());
    match (shown(before), shown(after)) {
        (Some(before), Some(after)) => {
            let _ = write!(text, ": {before} -> {after}");
        }
        (Some(value), None) | (None, Some(value)) if !value.is_empty() => {
            let _ = write!(text, ": {value}");
        }
        _ => {}
    }
    text
}

fn history(row: &HistoryRow<'_>) -> String {
    let step = row.after.as_ref().or(row.before.as_ref());
    let created_by = step.and_then(|step| step.created_by).unwrap_or("-");
    let mut text = safe(&instruction(created_by).to_string()).into_owned();
    if !row.fields.is_empty() {
        let _ = write!(text, "  [{}]", row.fields.join(" "));
    }
    text
}

fn layer(row: &LayerRow) -> String {
    let one = |blob: &LayerRowBlob| format!("{:>2}  {}  {:>9}", blob.layer.get(), blob.digest, size(blob.size));
    match (&row.before, &row.after) {
        (Some(before), Some(after)) if row.change == DifferenceChange::Recompressed => {
            format!("{}\n  {}  recompressed: it unpacks to the same", one(before), one(after))
        }
        (Some(blob), _) | (None, Some(blob)) => one(blob),
        (None, None) => String::new(),
    }
}

fn file(row: &FileDifferenceRow<'_>) -> String {
    let (before, after) = (row.before.as_ref().map(|seen| seen.row), row.after.as_ref().map(|seen| seen.row));
    let mut text = row.name.path.clone().into_owned();
    if let Some(Kind::Directory) = after.or(before).map(|seen| seen.kind) {
        text.push('/');
    }
    if let (Some(before), Some(after)) = (before, after) {
        for (number, aspect) in row.aspects.iter().enumerate() {
            let separator = if number == 0 { "  " } else { ", " };
            let _ = write!(text, "{separator}{aspect}{}", detail(aspect, before, after));
        }
    }
    text
}

/// The values before and after a change, if they are short enough for a line.
fn detail(aspect: Aspect, before: &Listed, after: &Listed) -> String {
    let pair = |told: &dyn Fn(&Listed) -> String| match (told(before), told(after)) {
        (before, after) if before == after => String::new(),
        (before, after) => format!(" {before} -> {after}"),
    };
    match aspect {
        // The row of a hard link does not have the digest of its content.
        Aspect::Content if [before, after].iter().any(|row| row.kind == Kind::Hardlink) => String::new(),
        Aspect::Type => pair(&|row| row.kind.name().to_owned()),
        Aspect::Content => pair(&|row| match row.kind {
            Kind::Symlink => path::escape(&row.link).into_owned(),
            Kind::Char | Kind::Block => format!("{},{}", row.major, row.minor),
            _ => size(row.size),
        }),
        Aspect::Mode => pair(&|row| format!("{:04o}", row.mode)),
        Aspect::Owner => pair(&|row| format!("{}/{}", row.uid, row.gid)),
        _ => String::new(),
    }
}
