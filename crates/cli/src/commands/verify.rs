//! `porthole verify`

mod contents;
mod doubts;

use std::io::Write;

use clap::Args;
use porthole_core::{
    deviation::Deviation,
    failure::{Classify, Failure},
    layer::{LayerNumber, LayerReport},
    manifest::Document,
    tree::FileTree,
};
use porthole_inspect::{
    resolve::ResolveStep,
    toc::{AuditedToc, TocAudits},
};
use porthole_source::ImageSource;
use serde::Serialize;

use self::{
    contents::Contents,
    doubts::{Collector, Doubts},
};
use crate::{
    argument::SourceArgument,
    error::Error,
    layers::{Event, Job, Known, Reading, Want},
    output::print_json,
    progress::Meter,
    session::Session,
    source::Source,
    ui::{Style, safe, size},
};

/// Download everything and check every digest, size and diff_id
///
/// Reports each step of the chain: index, manifest, configuration, layers. Exits with 7 if a digest, size or diff_id does not match, or if
/// a runtime would fail to unpack the image.
///
/// An eStargz or zstd:chunked layer is compared with its table of contents: content, mode, owner, time, links and attributes of every
/// entry.
///
/// Reported, and an error only with --strict: entries that well-known tar readers list differently, data after the end of an archive,
/// compression that contradicts the media type. Everything is downloaded; the cache is not used.
#[derive(Args)]
#[command(after_help = JSON, after_long_help = JSON)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Exit with 7 also if tar readers may disagree, or if it was not checked whether the image unpacks
    #[arg(long)]
    strict: bool,
}

const JSON: &str = "\
With --json, one object for each step:
  step         index, manifest, config or layer      layer      its number, 1 is the bottom
  digest       promised, else computed               got        computed, if it is another
  size         bytes of the blob                     diff_id    of a layer
  uncompressed bytes of the unpacked layer           entries    of its archive
  state        verified: as promised                 findings   what is wrong
               computed: nothing promised it         stopped    where a runtime stops unpacking
               stopped:  as promised, but a runtime would stop unpacking it
               wrong:    not what was promised, or its table of contents is another
               limit:    not read to its end, because of a limit that --limit raises
  deviations   where the image's documents depart from the specification, though the image can be used
  ambiguous    how many entries readers list differently
  ambiguities  the first 1000 of them: path (path_b64 beside it if it was escaped), reason,
               level: archive (how it is read) or tree (how it is unpacked)
  toc          of a prepared layer: refused (why it is not to be used), unchecked (the limit it met),
               or format, trusted (the manifest names its digest), entries and disagreements: path
               (path_b64) and what differs, at most 10000 of them, and how many more
  after_end    bytes after the archive's end, if they are more than padding
  contradiction  compression other than the media type says
  unchecked    why it was not checked where a runtime would stop

Examples:
  porthole verify nginx@sha256:…
  porthole verify --strict --json oci:layout:latest
  porthole verify layer:layer.tar.gz      computes what there is to compute";

/// One step, done.
#[derive(Serialize)]
struct Report {
    step: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<LayerNumber>,
    /// What the descriptor promises, else what was computed.
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff_id: Option<String>,
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

/// What is known of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Digest and size, and a layer's diff_id, are those that were promised.
    Verified,
    /// Nothing promised a digest: this one was computed, and promises what follows.
    Computed,
    /// A layer that is what was promised, or promises nothing, but that a runtime would not unpack to its end.
    Stopped,
    /// A layer that a limit of this program kept from being read to its end.
    Limit,
    /// Not what was promised.
    Wrong,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let source = arguments.source.open(session)?;
    let mut out = session.ui.out();
    let (mut steps, mut wrong, mut doubts) = (0, 0, 0);
    let mut tell = |report: Report| {
        steps += 1;
        wrong += usize::from(matches!(report.state, State::Wrong | State::Limit | State::Stopped));
        doubts += report.doubts.count() + report.toc.as_ref().map_or(0, Contents::doubts);
        if session.ui.json {
            print_json(&mut out, &report)?;
        } else {
            print(&mut out, session, &report)?;
        }
        // Each step is printed when it is done.
        Ok::<_, Error>(session.ui.flush(&mut out)?)
    };
    let jobs = match source.is_bare() {
        true => Job::bare(),
        false => {
            let mut reports: Vec<Report> = Vec::new();
            let resolved = source.image(session, &mut |step| {
                let report = report_of(step, &source);
                // A manifest that the reference itself names is reported once, as the first document.
                let is_known = |report: &Report| reports.last().is_some_and(|last| last.digest == report.digest);
                reports.extend(report.filter(|report| !is_known(report)));
            });
            if let (Ok(resolved), Some(config)) = (&resolved, reports.last_mut()) {
                config.add_deviations(&resolved.image.deviations());
            }
            for report in reports {
                tell(report)?;
            }
            Job::of(&resolved?.image.layers)
        }
    };
    let meter = Meter::new(session.ui, &jobs);
    let mut stack = Stack::new(session);
    let mut failures = Vec::new();
    let audits = TocAudits::default();
    // What was kept before proves nothing; what is verified now may be kept.
    let reading = Reading::new(session, &source, &meter, Want::Entries).refreshing().audited(&audits);
    reading.run(&jobs, |job, event| match event {
        Event::Entries(entries) => {
            for listed in entries {
                stack.apply(job, &listed.entry);
            }
            Ok(())
        }
        Event::End(Known::Read(report, _)) => {
            failures.extend(job.findings(&report).into_iter().map(Classify::failure));
            let mut step = stack.report(job, &report);
            if let Some(audited) = audits.take(job.layer) {
                step.add_contents(audited);
            }
            if matches!(step.state, State::Wrong | State::Stopped) {
                failures.push(Failure::malformed());
            }
            tell(step)
        }
        Event::End(Known::Replayed(..) | Known::Searched(_) | Known::Listed(..)) => {
            Err(Error::usage("a layer was not read (this is a bug in porthole)"))
        }
    })?;
    drop(meter);
    if wrong > 0 {
        let failure = Failure::worst(failures).unwrap_or_else(Failure::malformed);
        return Err(Error::Verification { findings: wrong, steps, failure });
    }
    if arguments.strict && doubts > 0 {
        return Err(Error::Doubts { doubts });
    }
    if !source.is_bare() {
        let doubts = match doubts {
            0 => String::new(),
            1 => "; --strict would refuse it because of the doubt above".to_owned(),
            doubts => format!("; --strict would refuse it because of the {doubts} doubts above"),
        };
        session.ui.note(format_args!("every digest, size and diff_id matches ({steps} steps){doubts}"));
    }
    Ok(())
}

fn report_of(step: ResolveStep, source: &Source) -> Option<Report> {
    let (name, raw, state) = match step {
        ResolveStep::Document(document) => {
            let name = if matches!(document, Document::Index(_)) { "index" } else { "manifest" };
            let promised = source.origin.pinned().is_some();
            (name, document.raw().clone(), if promised { State::Verified } else { State::Computed })
        }
        ResolveStep::Manifest(document) => ("manifest", document.raw().clone(), State::Verified),
        ResolveStep::Config(raw) => ("config", raw, State::Verified),
        _ => return None,
    };
    Some(Report {
        step: name,
        layer: None,
        digest: raw.digest().to_string(),
        got: None,
        diff_id: None,
        size: raw.size(),
        uncompressed: None,
        entries: None,
        state,
        findings: Vec::new(),
        deviations: Vec::new(),
        stopped: None,
        toc: None,
        doubts: Doubts::default(),
    })
}

impl Report {
    /// What the documents promise that cannot be is wrong; other departures from the specification are only listed.
    fn add_deviations(&mut self, deviations: &[Deviation]) {
        let (refuting, rest): (Vec<_>, Vec<_>) = deviations.iter().partition(|deviation| deviation.refutes());
        if !refuting.is_empty() {
            self.state = State::Wrong;
        }
        self.findings.extend(refuting.iter().map(ToString::to_string));
        self.deviations.extend(rest.iter().map(ToString::to_string));
    }

    /// A layer whose table of contents says something else is not what it seems.
    fn add_contents(&mut self, audited: AuditedToc) {
        let contents = Contents::of(audited);
        if !contents.agrees() {
            self.state = State::Wrong;
        }
        self.toc = Some(contents);
    }
}

/// What a runtime would make of the layers so far.
struct Stack {
    tree: FileTree,
    /// A layer below is missing: nothing can be said of those above it.
    broken: bool,
    /// The layer that is being read, and what readers may make of it.
    open: Option<(u32, Collector)>,
}

impl Stack {
    fn new(session: &Session<'_>) -> Self {
        Self { tree: FileTree::new(session.limits.tree_nodes), broken: false, open: None }
    }

    fn collector(&mut self, job: &Job) -> &mut Collector {
        if self.open.as_ref().is_none_or(|(layer, _)| *layer != job.layer) {
            self.tree.begin(job.layer);
            self.open = None;
        }
        &mut self.open.get_or_insert_with(|| (job.layer, Collector::default())).1
    }

    fn apply(&mut self, job: &Job, entry: &porthole_core::tar::Entry) {
        if !job.is_archive() {
            return;
        }
        self.collector(job).add(entry);
        if !self.broken {
            // The tree keeps in mind where a runtime stops, and takes nothing after it.
            let _ = self.tree.apply(entry);
        }
    }

    /// The end of a layer.
    fn report(&mut self, job: &Job, report: &LayerReport) -> Report {
        self.collector(job);
        let collector = self.open.take().map(|(_, collector)| collector).unwrap_or_default();
        let findings = job.findings(report);
        let archive = job.was_archive(report);
        let has_whiteouts = collector.has_whiteouts();
        let mut doubts = if archive { collector.doubts(report) } else { Doubts::default() };
        let mut stopped = None;
        if findings.is_empty() && !self.broken && archive {
            match self.tree.commit().stopped {
                Some(error) if error.is_limit() => doubts.unchecked = Some(error.to_string()),
                error => stopped = error.map(|error| error.to_string()),
            }
            if has_whiteouts {
                doubts.add_tree(&self.tree, job.layer);
            }
        } else {
            self.tree.abort();
        }
        // What a layer lacks, those above may build on.
        self.broken |= !findings.is_empty() || stopped.is_some() || doubts.unchecked.is_some();
        let state = match (&job.descriptor, findings.is_empty()) {
            (_, false) if findings.iter().all(|finding| finding.is_limit()) => State::Limit,
            (_, false) => State::Wrong,
            _ if stopped.is_some() => State::Stopped,
            (Some(_), true) => State::Verified,
            (None, true) => State::Computed,
        };
        let digest = job.descriptor.as_ref().map_or(report.digest, |descriptor| descriptor.digest);
        Report {
            step: "layer",
            layer: Some(job.number()),
            digest: digest.to_string(),
            got: (digest != report.digest).then(|| report.digest.to_string()),
            diff_id: job.diff_id.or(report.diff_id).filter(|_| archive).map(|diff_id| diff_id.to_string()),
            size: report.size,
            uncompressed: archive.then_some(report.uncompressed),
            entries: archive.then_some(report.entries),
            state,
            findings: findings.iter().map(ToString::to_string).collect(),
            deviations: Vec::new(),
            stopped,
            toc: None,
            doubts,
        }
    }
}

fn print(out: &mut impl Write, session: &Session<'_>, report: &Report) -> Result<(), Error> {
    let name = match report.layer {
        Some(layer) => format!("{} {layer}", report.step),
        None => report.step.to_owned(),
    };
    let state = match report.state {
        State::Verified => session.ui.paint(Style::Good, "verified"),
        State::Computed => session.ui.paint(Style::Changed, "computed"),
        State::Stopped => session.ui.paint(Style::Bad, "STOPPED "),
        State::Limit => session.ui.paint(Style::Changed, "LIMIT   "),
        State::Wrong => session.ui.paint(Style::Bad, "WRONG   "),
    };
    writeln!(out, "{name:<9} {state}  {}  {}", report.digest, size(report.size))?;
    if let Some(diff_id) = &report.diff_id {
        let entries = match report.entries.unwrap_or(0) {
            1 => "1 entry".to_owned(),
            entries => format!("{entries} entries"),
        };
        writeln!(out, "{:<9} diff_id   {diff_id}  {}, {entries}", "", size(report.uncompressed.unwrap_or(0)))?;
    }
    let mut tell = |style, text: &str| writeln!(out, "{:<9} {}", "", session.ui.paint(style, &safe(text)));
    for finding in &report.findings {
        tell(Style::Bad, finding)?;
    }
    for deviation in &report.deviations {
        tell(Style::Changed, &format!("departs from the specification: {deviation}"))?;
    }
    if let Some(stopped) = &report.stopped {
        tell(Style::Bad, &format!("a runtime stops here: {stopped}"))?;
    }
    for (style, line) in report.toc.iter().flat_map(Contents::lines) {
        tell(style, &line)?;
    }
    for line in report.doubts.lines() {
        tell(Style::Changed, &line)?;
    }
    Ok(())
}
