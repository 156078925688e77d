//! The report as GitHub's Markdown. Text from the image is formatted as code, so that it cannot mention a user or contain a link.

use std::io::{self, Write};

use super::document::{Document, LayerLine, WastedPath};
use crate::{
    signatures::{GIVE_KEY, SignedRow},
    ui::{safe, size},
};

/// Maximum number of rows of a table, and of characters of a text in it. A comment of a pull request can have 65536 characters.
const ROWS: usize = 50;
const CHARACTERS: usize = 160;

pub(super) fn print(out: &mut impl Write, document: &Document<'_>) -> io::Result<()> {
    writeln!(out, "# {}\n", code(&document.image.source))?;
    identity(out, document)?;
    thresholds(out, document)?;
    signatures(out, document)?;
    secrets(out, document)?;
    findings(out, document)?;
    layers(out, document)?;
    waste(out, document)?;
    packages(out, document)
}

fn identity(out: &mut impl Write, document: &Document<'_>) -> io::Result<()> {
    let Document { image, sizes, waste, packages, secrets, .. } = document;
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), cell);
    let layers = document.layers.len();
    let download = format!("{} in {layers} {}", size(sizes.download), if layers == 1 { "layer" } else { "layers" });
    let of = |confidence: &str| secrets.iter().filter(|row| row.confidence == confidence).count();
    let types: Vec<_> = packages.types.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let types = if types.is_empty() { String::new() } else { format!(": {}", types.join(", ")) };
    writeln!(out, "| | |\n| --- | --- |")?;
    for (name, value) in [
        ("Digest", text(&image.digest)),
        ("Platform", text(&image.platform)),
        ("Created", text(&image.created)),
        ("Distribution", text(&image.distribution)),
        ("Download", download),
        ("Unpacked", size(sizes.unpacked)),
        ("Wasted", format!("{}, about {} of the download", size(waste.bytes), size(waste.download))),
        ("Packages", format!("{}{types}", packages.total)),
        ("Secrets", format!("{} high, {} medium", of("high"), of("medium"))),
    ] {
        writeln!(out, "| {name} | {value} |")?;
    }
    let signed = document.signatures.as_ref().map(|found| (found.unread.is_some(), found.words()));
    match signed {
        Some((true, words)) => writeln!(out, "| Signatures | {} |", cell(&cut(&words))),
        Some((false, words)) => writeln!(out, "| Signatures | {words} |"),
        None => Ok(()),
    }
}

fn signatures(out: &mut impl Write, document: &Document<'_>) -> io::Result<()> {
    let Some(found) = document.signatures.as_ref().filter(|found| !found.list.is_empty()) else { return Ok(()) };
    writeln!(out, "\n## Signatures and attestations\n\n| What | State | Signer | Blob |\n| --- | --- | --- | --- |")?;
    for row in found.list.iter().take(ROWS) {
        let SignedRow { kind, signature } = row;
        let reason = signature.reason.as_ref().map(|reason| format!(": {}", cell(&cut(reason)))).unwrap_or_default();
        let state = match signature.wants_key() {
            true => format!("not checked, {GIVE_KEY}"),
            false => format!("{}{reason}", row.state().1),
        };
        let claims = if signature.is_proved() { "" } else { "claims " };
        let signer = signature.signer.iter().flat_map(|signer| signer.lines()).next();
        let signer = signer.map_or_else(|| "-".to_owned(), |line| format!("{claims}{}", cell(&cut(&line))));
        let time = signature.times.first().map(|time| format!(" at {time}")).unwrap_or_default();
        writeln!(out, "| {kind} | {state} | {signer}{time} | `{}` |", signature.digest)?;
    }
    more(out, found.list.len(), ROWS)?;
    writeln!(out, "\n{}", found.trust_root.words())
}

fn thresholds(out: &mut impl Write, document: &Document<'_>) -> io::Result<()> {
    if document.thresholds.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Thresholds\n")?;
    for check in &document.thresholds {
        writeln!(out, "- {}: {}", if check.passed { "kept" } else { "**missed**" }, check.words)?;
    }
    Ok(())
}

fn secrets(out: &mut impl Write, document: &Document<'_>) -> io::Result<()> {
    if document.secrets.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Secrets\n\n| Confidence | Place | What | Value |\n| --- | --- | --- | --- |")?;
    for row in document.secrets.iter().take(ROWS) {
        let fate = row.fate().map(|fate| format!(", {fate}")).unwrap_or_default();
        let (place, value) = (cell(&cut(&row.place())), cell(&row.masked));
        writeln!(out, "| {} | {place}{fate} | {} | {value} |", row.confidence, row.about)?;
    }
    more(out, document.secrets.len(), ROWS)
}

fn findings(out: &mut impl Write, document: &Document<'_>) -> io::Result<()> {
    if document.findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Findings\n")?;
    for finding in document.findings.iter().take(ROWS) {
        writeln!(out, "- {}: {}", finding.kind, code(&cut(&finding.text)))?;
    }
    more(out, document.findings.len(), ROWS)
}

fn layers(out: &mut impl Write, document: &Document<'_>) -> io::Result<()> {
    writeln!(out, "\n## Layers\n")?;
    writeln!(out, "| | Download | Unpacked | Wasted | Instruction |\n| --: | --: | --: | --: | --- |")?;
    for LayerLine { layer, download, unpacked, wasted, created_by, .. } in document.layers.iter().take(ROWS) {
        let created_by = created_by.as_ref().map_or_else(|| "-".to_owned(), |text| cell(&cut(text)));
        let [download, unpacked, wasted] = [download, unpacked, wasted].map(|bytes| size(*bytes));
        writeln!(out, "| {layer} | {download} | {unpacked} | {wasted} | {created_by} |")?;
    }
    more(out, document.layers.len(), ROWS)
}

fn waste(out: &mut impl Write, document: &Document<'_>) -> io::Result<()> {
    let waste = &document.waste;
    if waste.paths.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Waste\n\n| Bytes | Path | Cause |\n| --: | --- | --- |")?;
    for WastedPath { path, directory, cause, wasted_by, bytes, .. } in &waste.paths {
        let path = cell(&cut(&format!("{path}{}", if *directory { "/" } else { "" })));
        writeln!(out, "| {} | {path} | {cause} by layer {wasted_by} |", size(*bytes))?;
    }
    more(out, waste.paths_total, waste.paths.len())
}

fn packages(out: &mut impl Write, document: &Document<'_>) -> io::Result<()> {
    if document.packages.types.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Packages\n\n| Type | Count |\n| --- | --: |")?;
    document.packages.types.iter().try_for_each(|(name, count)| writeln!(out, "| {name} | {count} |"))
}

fn more(out: &mut impl Write, count: usize, shown: usize) -> io::Result<()> {
    match count.saturating_sub(shown) {
        0 => Ok(()),
        others => writeln!(out, "\nand {others} more"),
    }
}

/// Cuts a text to [`CHARACTERS`] characters.
fn cut(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Formats untrusted text for a cell of a table. Escapes `|`, which would end the cell even in code.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// Formats untrusted text as code on one line.
fn code(text: &str) -> String {
    let text = safe(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 || text.trim().is_empty() { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_image_is_code_and_nothing_else() {
        for (text, expected) in [
            ("etc/passwd", "`etc/passwd`"),
            ("@user <b> [x](y) #1", "`@user <b> [x](y) #1`"),
            ("a|b", "`a|b`"),
            ("`` x ` y", "``` `` x ` y ```"),
            ("", "`  `"),
            ("a\nb", r"`a\x0ab`"),
        ] {
            assert_eq!(code(text), expected);
        }
        assert_eq!(cell("a|b"), r"`a\|b`");
        assert_eq!(cut(&"é".repeat(200)).chars().count(), CHARACTERS + 1);
    }
}
