//! `porthole search`

mod sink;

use std::io::Write;

use clap::Args;
use porthole_contents::secrets::mask_line;
use porthole_core::{
    layer::{BlobDigests, LayerNumber},
    path,
    tree::{ContentFates, FileTree},
};
use porthole_inspect::{
    report::SearchRow,
    search::{
        ContentHit, ContentSearch, HELD_HITS, LayerHits, MatchedLine, PathGlob, PatternKind, PatternOptions,
        SearchPattern,
    },
    stack::LayerStack,
};

use self::sink::Sink;
use super::stack::{choose, end};
use crate::{
    argument::SourceArgument,
    error::Error,
    layers::{Followed, Job, Known, Reading, Want},
    output::print_json,
    progress::Meter,
    session::Session,
    source::Source,
    ui::{Style, safe_line, size},
};

/// Search the contents of all files, in every layer: deleted and overwritten files too
///
/// PATTERN is a regular expression, as `grep -E` takes it, or with -F the text itself. Lines and matches are those of `grep -ra` in the C
/// locale: bytes, divided by line feeds, in binary files as well. Expressions are those of the Rust crate `regex`, without Unicode classes:
/// there are no back-references, and the search takes linear time. The first match of a line is shown, and a line of more than 1 KiB is
/// cut around it. In a line of more than 256 KiB, matches of up to 32 KiB are found.
///
/// All layers are downloaded and verified; lines appear while they arrive, as LAYER:PATH:LINE:TEXT. Every version of a path is searched.
/// A file that no container sees is noted at the end, with the layer that deleted or replaced it. The data of hard links is in the
/// archive once: it is searched once, under the path that has it.
///
/// Text in a line that looks like a secret is masked, by the rules of `secrets` and by rules for single lines; so are lines of private keys.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole search nginx 'listen +[0-9]+'
  porthole search -F -i oci:layout:latest password
  porthole search -l --glob '*.conf' registry.example/app:1.2 'debug *= *true'
  porthole search --utf16 windows.tar ConnectionString
  porthole search --json app:1.2 TODO | jq -r 'select(.type == \"file\" and .state != \"live\") | .path'

Exit codes: 1 if no line matches.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// What to search for; a line feed separates alternatives
    #[arg(value_name = "PATTERN", allow_hyphen_values = true)]
    pattern: String,
    /// PATTERN is the text itself
    #[arg(long, short = 'F')]
    fixed_strings: bool,
    /// PATTERN is a regular expression (the default)
    #[arg(long, short = 'E', conflicts_with = "fixed_strings")]
    extended_regexp: bool,
    /// Ignore the case of ASCII letters
    #[arg(long, short)]
    ignore_case: bool,
    /// Search only files with this name, or with this path if it has a `/`: `*` and `?` stay within a name, `**` does not
    #[arg(long, value_name = "GLOB")]
    glob: Option<String>,
    /// Download and search only one layer: its number (1 is the bottom), digest or diff_id
    #[arg(long, value_name = "N|DIGEST")]
    layer: Option<String>,
    /// Find the text in UTF-16 as well, of either byte order, anywhere in a file
    #[arg(long)]
    utf16: bool,
    /// Print only the files with matching lines
    #[arg(long, short = 'l', conflicts_with = "count")]
    files_with_matches: bool,
    /// Print the files with the number of matching lines
    #[arg(long, short)]
    count: bool,
    /// Print at most this number of lines; all are counted
    #[arg(long, value_name = "N", default_value_t = HELD_HITS)]
    max: usize,
    /// Print the lines as they are, with their secrets
    #[arg(long)]
    reveal: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let kind = if arguments.fixed_strings { PatternKind::Literal } else { PatternKind::Expression };
    let options = PatternOptions { kind, ignore_case: arguments.ignore_case, utf16: arguments.utf16 };
    let pattern = SearchPattern::new(&arguments.pattern, options)?;
    let glob = arguments.glob.as_deref().map(PathGlob::new).transpose()?;
    let source = arguments.source.open(session)?;
    let jobs = source.layers(session)?;
    let digests = Job::digests(&jobs);
    let jobs = match &arguments.layer {
        Some(text) => {
            let layer = choose(&jobs, text)?;
            &jobs[layer..=layer]
        }
        None => &jobs[..],
    };
    announce(session, &source, jobs);
    let by_file = arguments.files_with_matches || arguments.count;
    let most = if by_file { 0 } else { arguments.max };
    let mut out = session.ui.out();
    let (mut printed, mut masked) = (0, 0_u64);
    let search = || ContentSearch::new(&pattern, glob.clone(), most);
    let found = read(session, &source, jobs, search, |job, hits| {
        let hits = &hits[..hits.len().min(most - printed)];
        for hit in hits {
            let hidden = (!arguments.reveal).then(|| without_secrets(hit)).flatten();
            masked += u64::from(hidden.is_some());
            let hit = hidden.as_ref().unwrap_or(hit);
            match session.ui.json {
                true => print_json(&mut out, &SearchRow::of_hit(job.layer, &digests, hit))?,
                false => print_hit(&mut out, session, job.number(), hit)?,
            }
        }
        printed += hits.len();
        // Flush, so that the first lines do not wait until the buffer is full.
        if hits.is_empty() { Ok(()) } else { Ok(session.ui.flush(&mut out)?) }
    })?;
    let whole = arguments.layer.is_none();
    let rows = found.files(whole, &digests);
    if session.ui.json {
        rows.iter().try_for_each(|row| print_json(&mut out, row))?;
        print_json(&mut out, &found.end(printed))?;
    } else if by_file {
        for row in &rows {
            let count = if arguments.count { format!(":{}", row.lines.unwrap_or_default()) } else { String::new() };
            let fate =
                row.fate().map(|fate| session.ui.paint(Style::Changed, &format!("  ({fate})"))).unwrap_or_default();
            writeln!(out, "{}{count}{fate}", row.place())?;
        }
    }
    session.ui.flush(&mut out)?;
    found.note(session, &rows, (!by_file).then_some(printed), by_file);
    if masked > 0 && !session.ui.json {
        let lines = counted(masked, "line");
        session.ui.note(format_args!("secrets are masked in {lines}: --reveal prints them"));
    }
    if found.lines() == 0 { Err(Error::NoMatch) } else { Ok(()) }
}

/// Returns the line with its secrets masked. `None` if it has no secrets.
fn without_secrets(hit: &ContentHit) -> Option<ContentHit> {
    let line = &hit.line;
    let masked = mask_line(&hit.path, &line.text, line.range.clone(), line.cut)?;
    let line = MatchedLine { text: masked.text, range: masked.range, ..line.clone() };
    Some(ContentHit { path: hit.path.clone(), content: hit.content, line })
}

/// Prints a note on the number of layers and bytes before they are read.
fn announce(session: &Session<'_>, source: &Source, jobs: &[Job]) {
    let bytes = jobs.iter().map(|job| job.descriptor.as_ref().map(|descriptor| descriptor.size)).sum::<Option<u64>>();
    let Some(bytes) = bytes else { return };
    let verb = if source.is_remote() { "downloading" } else { "reading" };
    session.ui.note(format_args!("{verb} {}, {}", counted(jobs.len() as u64, "layer"), size(bytes)));
}

/// The tree of the layers, and the matches in them.
struct Found {
    tree: FileTree,
    /// The matches of each layer, with the layer's index.
    layers: Vec<(u32, LayerHits)>,
}

/// Reads, verifies, stacks and searches the layers. Passes on matching lines while it reads.
fn read(
    session: &Session<'_>,
    source: &Source,
    jobs: &[Job],
    search: impl Fn() -> ContentSearch + Sync,
    mut found: impl FnMut(&Job, &[ContentHit]) -> Result<(), Error>,
) -> Result<Found, Error> {
    let mut tree = FileTree::new(session.limits.tree_nodes);
    let mut layers = Vec::new();
    let mut stack = LayerStack::new(&mut tree);
    let meter = Meter::beside_output(session.ui, jobs);
    let reading = Reading::new(session, source, &meter, Want::Entries);
    let sink = |findings| Sink::new(search(), findings);
    reading.follow(jobs, sink, |job, sent| {
        match sent {
            Followed::Found(sink::Found::Hits(hits)) => found(job, &hits)?,
            Followed::Found(sink::Found::Layer(entries, hits)) => {
                entries.iter().for_each(|entry| stack.entry(job, entry, None));
                layers.push((job.layer, hits));
            }
            Followed::End(report) => end(session, &mut stack, job, &Known::Read(report, None))?,
        }
        Ok(())
    })?;
    stack.finish().map_err(Error::Layers)?;
    drop(meter);
    Ok(Found { tree, layers })
}

impl Found {
    /// Returns a row for each file, bottom layer first. If `whole`, all layers were read, and a row also says which layer deleted
    /// or replaced the file.
    fn files<'d>(&self, whole: bool, digests: &'d BlobDigests) -> Vec<SearchRow<'d>> {
        let files = || self.layers.iter().flat_map(|(layer, hits)| hits.files.iter().map(move |file| (*layer, file)));
        let fates = whole.then(|| ContentFates::of(&self.tree, files().map(|(layer, file)| (layer, file.content))));
        let row = |(layer, file): (u32, _)| SearchRow::of_file(layer, digests, file, fates.as_ref());
        files().map(row).collect()
    }

    fn lines(&self) -> u64 {
        self.layers.iter().map(|(_, hits)| hits.lines).sum()
    }

    fn sum(&self, of: impl Fn(&LayerHits) -> u64) -> u64 {
        self.layers.iter().map(|(_, hits)| of(hits)).sum()
    }

    fn end(&self, printed: usize) -> SearchRow<'_> {
        SearchRow::of_end(self.layers.iter().map(|(_, hits)| hits), printed as u64)
    }

    /// Prints notes: the totals, and the files that no container sees, unless their rows said so.
    fn note(&self, session: &Session<'_>, rows: &[SearchRow<'_>], printed: Option<usize>, said: bool) {
        if session.ui.json {
            return;
        }
        let hidden: Vec<_> = rows.iter().filter_map(|row| Some((row, row.fate()?))).collect();
        for (row, fate) in hidden.iter().take(if said { 0 } else { NOTED }) {
            session.ui.note(format_args!("{}: {fate}", row.place()));
        }
        if hidden.len() > NOTED && !said {
            session.ui.note(format_args!("and {} more that no container sees: -l lists them", hidden.len() - NOTED));
        }
        let lines = match self.lines() {
            0 => "no line matches".to_owned(),
            lines => format!("{} in {}", counted(lines, "line"), counted(rows.len() as u64, "file")),
        };
        let shown = match printed {
            Some(printed) if (printed as u64) < self.lines() => format!(", {printed} printed"),
            _ => String::new(),
        };
        let (searched, bytes) = (self.sum(|hits| hits.searched), self.sum(|hits| hits.bytes));
        session.ui.note(format_args!("{lines}{shown}: searched {}, {}", counted(searched, "file"), size(bytes)));
    }
}

/// Maximum number of notes about files that no container sees.
const NOTED: usize = 20;

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn print_hit(out: &mut impl Write, session: &Session<'_>, layer: LayerNumber, hit: &ContentHit) -> Result<(), Error> {
    let line = &hit.line;
    let (before, rest) = line.text.split_at(line.range.start);
    let (matched, after) = rest.split_at(line.range.len());
    let place = session.ui.paint(Style::Faint, &format!("{layer}:{}:{}:", path::escape(&hit.path), line.number));
    let matched = if matched.is_empty() { String::new() } else { session.ui.paint(Style::Bad, &safe_line(matched)) };
    let mark = |cut: bool| if cut { "…" } else { "" };
    let (start, end) = (mark(line.cut.0), mark(line.cut.1));
    writeln!(out, "{place}{start}{}{matched}{}{end}", safe_line(before), safe_line(after))?;
    Ok(())
}
