//! `porthole secrets`

use std::io::Write;

use clap::{Args, ValueEnum};
use porthole_contents::{
    report::SecretReport,
    secrets::{Confidence, RULES, of_image},
};
use porthole_core::tree::ContentFates;

use super::gather::{Gathered, Sought};
use crate::{
    argument::SourceArgument,
    error::Error,
    output::print_json,
    session::Session,
    ui::{Style, Ui, safe},
};

/// Find secrets in an image: in every layer, in deleted files, in the configuration
///
/// Private keys, tokens of clouds, registries and services, passwords in the files of programs and in URLs, and variables that are named
/// as secrets: in the files of every layer, also deleted and overwritten ones, and in environment, labels, annotations, author, history,
/// build arguments and commands. All layers are downloaded and verified. Of files that are not text, private keys are found by their
/// headers (DER, PKCS #12, key stores of Java); texts in UTF-16 are searched if they start with a byte order mark.
///
/// Secrets are masked. A file that a later layer deleted is still downloadable by every client that can pull the image: replace such a
/// secret by a new one, and build the image again without it.
#[derive(Args)]
#[command(after_help = "\
Confidence:
  high    a form that only a secret has
  medium  a form that other values have as well, or a high one among examples and tests
  low     an example, as far as can be seen

Examples:
  porthole secrets registry.example/app:1.2
  porthole secrets --ci --confidence high docker-archive:app.tar
  porthole secrets --json app:1.2 | jq -r 'select(.removed_by) | .path'

Exit codes: 1 with --ci if a secret is found.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Lowest confidence that is shown
    #[arg(long, value_name = "LEVEL", default_value = "medium")]
    confidence: Level,
    /// Exit with 1 if a secret is shown
    #[arg(long)]
    ci: bool,
    /// Print the secrets themselves; keys in binary formats in base64
    #[arg(long)]
    reveal: bool,
}

/// Names of [`Confidence`] on the command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Level {
    Low,
    Medium,
    High,
}

impl Level {
    pub(super) fn confidence(self) -> Confidence {
        match self {
            Self::Low => Confidence::Low,
            Self::Medium => Confidence::Medium,
            Self::High => Confidence::High,
        }
    }
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let source = arguments.source.open(session)?;
    let gathered = Gathered::read(session, &source, Sought { secrets: true, ..Sought::default() })?;
    let rows = find(&gathered, arguments.confidence.confidence(), arguments.reveal);
    let mut out = session.ui.out();
    for row in &rows {
        if session.ui.json {
            print_json(&mut out, row)?;
        } else {
            print(&mut out, session.ui, row)?;
        }
    }
    session.ui.flush(&mut out)?;
    if !session.ui.json {
        let (files, bytes) = gathered.searched();
        let found = if rows.is_empty() { "no secrets".to_owned() } else { format!("{} found", counted(rows.len())) };
        let size = crate::ui::size(bytes);
        session.ui.note(format_args!("{found}: {} rules, {files} text files, {size}, configuration", RULES.len()));
    }
    gathered.unpackable()?;
    match rows.len() {
        count if count > 0 && arguments.ci => {
            Err(Error::Thresholds(vec![format!("{}: expected none", counted(count))]))
        }
        _ => Ok(()),
    }
}

/// Returns the secrets of an image: those of the configuration, then those of the layers, bottom first.
pub(super) fn find(gathered: &Gathered, least: Confidence, reveal: bool) -> Vec<SecretReport> {
    let mut rows = Vec::new();
    if let Some(image) = &gathered.image {
        let all = of_image(gathered.index.as_ref(), image);
        rows.extend(
            all.iter()
                .filter(|secret| secret.found.confidence >= least)
                .map(|secret| SecretReport::of_config(secret, reveal)),
        );
    }
    let fates = ContentFates::of(
        &gathered.tree,
        (0..)
            .zip(&gathered.secrets)
            .flat_map(|(layer, found)| found.secrets.iter().map(move |secret| (layer, secret.offset))),
    );
    for (layer, found) in (0..).zip(&gathered.secrets) {
        let created_by = gathered.created_by(layer);
        let shown = found.secrets.iter().filter(|secret| secret.found.confidence >= least);
        rows.extend(
            shown.map(|secret| SecretReport::of_file(layer, &gathered.digests, secret, &fates, created_by, reveal)),
        );
    }
    rows
}

pub(super) fn counted(secrets: usize) -> String {
    if secrets == 1 { "1 secret".to_owned() } else { format!("{secrets} secrets") }
}

fn print(out: &mut impl Write, ui: &Ui, row: &SecretReport) -> Result<(), Error> {
    let style = if row.confidence == "high" { Style::Bad } else { Style::Changed };
    let confidence = ui.paint(style, &format!("{:<6}", row.confidence));
    writeln!(out, "{confidence}  {}: {}", row.place(), row.about)?;
    if let Some(fate) = row.fate() {
        writeln!(out, "        {}", ui.paint(Style::Changed, &fate))?;
    }
    if let Some(created_by) = &row.created_by {
        writeln!(out, "        {}", ui.paint(Style::Faint, &safe(created_by)))?;
    }
    match &row.value {
        Some(value) => value.lines().try_for_each(|line| writeln!(out, "        {}", safe(line)))?,
        None => writeln!(out, "        {}", row.masked)?,
    }
    Ok(())
}
