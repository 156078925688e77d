//! `porthole verify`

mod contents;
mod doubts;
mod report;
mod signature;

use std::io::{BufWriter, StdoutLock};

use clap::Args;
use porthole_core::failure::Failure;
use porthole_inspect::{
    layer::first_of_blob,
    toc::TocAudits,
    verify::{DocumentAudit, VerifyStack, VerifyState},
};
use porthole_source::ImageSource;

use self::report::Report;
use crate::{
    argument::SourceArgument,
    error::Error,
    layers::{Event, Job, Known, Reading, Want},
    output::print_json,
    progress::Meter,
    session::Session,
    signers::SignerArguments,
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
///
/// With --key, --certificate-identity or --certificate, first requires a signature of cosign or Notation on the image, or on the index
/// that led to it.
/// Without one by a signer that was named, no layer is downloaded, and the exit code is 1 (not signed, or by someone else), 7 (the
/// signature does not hold) or 9 (the trust root does not know who vouches for it, or nothing proves when it was made). With --policy, the rule about the image names the
/// signers: `{"rules": [{"images": "registry.example/team", "keys": ["-----BEGIN PUBLIC KEY-----…"]}, {"images": "*", "identities":
/// [{"identity": "me@example.org", "issuer": "https://accounts.example.org"}]}]}`; also `identity_regexp`, `issuer_regexp` and
/// `trusted_root`, and for Notation `certificates`, `signing_authorities`, `timestamp_authorities` and `subjects`. An image that no rule is about is refused (exit code 2). Signatures are verified offline: by the key alone,
/// or by a certificate at the time that a log or an authority signed, or at the time of --at; the local clock decides nothing. Whether a
/// certificate was revoked is not asked.
#[derive(Args)]
#[command(after_help = JSON, after_long_help = JSON)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Exit with 7 also if tar readers may disagree, or if it was not checked whether the image unpacks
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    signers: SignerArguments,
    /// Verify documents and signatures only; download no layer
    #[arg(long)]
    no_layers: bool,
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

A step `signature` has other fields:
  state        trusted:   it holds, and is by a signer that was named
               stranger:  it is by another signer
               unchecked, unknown (to the trust root), wrong: for the reason in `reason`
  signer       kind `key` (fingerprint, algorithm), `certificate` (identity, issuer, source, commit, ref, run) or
               `subject` (subject, root, fingerprint); proved only if the state is trusted or stranger
  format       of the signature                      subject    digest that it is about
  referrer     manifest that holds it                log_index  position in the log, proved
  times        when it existed, as a log or an authority signed
  trust_root   what decided: origin (public or file), and newest, the day of its newest key

Examples:
  porthole verify nginx@sha256:…
  porthole verify --strict --json oci:layout:latest
  porthole verify --key cosign.pub --no-layers registry.example/app:1.2
  porthole verify --policy policy.json --no-layers registry.example/app:1.2
  porthole verify --certificate-identity me@example.org --certificate-oidc-issuer https://accounts.example.org app:1.2
  porthole verify --certificate ca.pem --timestamp-authority tsa.pem --certificate-subject 'O=Example, CN=signer' app:1.2
  porthole verify layer:layer.tar.gz      computes what there is to compute";

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let asked = arguments.signers.asked(&arguments.source.spec()?)?;
    let source = arguments.source.open(session)?;
    if source.is_bare() && !asked.demand.is_empty() {
        return Err(Error::usage("nothing signs a layer that belongs to no image"));
    }
    let mut out = session.ui.out();
    let (mut steps, mut wrong, mut doubts) = (0, 0, 0);
    let mut failures = Vec::new();
    let mut show = |out: &mut BufWriter<StdoutLock<'_>>, report: &Report, state: VerifyState| {
        steps += 1;
        wrong += usize::from(state.is_wrong());
        if session.ui.json {
            print_json(out, report)?;
        } else {
            report.print(out, session)?;
        }
        // Flush, so that each step is shown when it is done.
        Ok::<_, Error>(session.ui.flush(out)?)
    };
    let jobs = match source.is_bare() {
        true => Job::bare(),
        false => {
            let mut audit = DocumentAudit::new(source.origin.pinned().is_some());
            let resolved = source.image(session, &mut |step| audit.add(step));
            for document in audit.finish(resolved.as_ref().ok().map(|resolved| &resolved.image)) {
                show(&mut out, &Report::of_document(&document), document.state)?;
            }
            let resolved = resolved?;
            if !asked.demand.is_empty() {
                signature::run(&mut out, &source, &resolved, &asked, session)?;
            }
            match arguments.no_layers {
                true => Vec::new(),
                false => Job::of(&resolved.image.layers),
            }
        }
    };
    let meter = Meter::new(session.ui, &jobs);
    let mut stack = VerifyStack::new(&session.limits);
    let audits = TocAudits::default();
    let (mut unread, mut unstated) = (Vec::new(), Vec::new());
    // Read every layer, because an index in the cache proves nothing. The cache may keep the new indexes.
    let reading = Reading::new(session, &source, &meter, Want::Entries).refreshing().audited(&audits);
    let firsts = first_of_blob(&jobs);
    let read_as = |job: &Job| firsts.get(job.layer as usize).map_or(job.layer, |&first| jobs[first].layer);
    reading.run(&jobs, |job, event| match event {
        Event::Entries(entries) => {
            entries.iter().for_each(|listed| stack.entry(job, &listed.entry));
            Ok(())
        }
        Event::End(Known::Read(report, _) | Known::Repeated(report, _)) => {
            let layer = stack.end(job, &report, audits.find(read_as(job)));
            if layer.diff_id.is_none() && job.diff_id.is_some() {
                unread.push(job.number().to_string());
            }
            let is_unstated = layer.diff_id.is_some() && job.diff_id.is_none() && job.promised && !source.is_bare();
            if is_unstated {
                unstated.push(job.number().to_string());
            }
            failures.extend(layer.failures());
            doubts += layer.doubts();
            show(&mut out, &Report::of_layer(&layer, is_unstated), layer.state)
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
    // A diff_id that the configuration does not state cannot be checked.
    doubts += unstated.len() as u64;
    if arguments.strict && doubts > 0 {
        return Err(Error::Doubts { doubts });
    }
    if arguments.no_layers {
        session.ui.note(format_args!(
            "every digest and size of the documents matches ({steps} steps); no layer was downloaded"
        ));
    } else if !source.is_bare() {
        let doubts = match doubts {
            0 => String::new(),
            1 => "; --strict would refuse it because of the doubt above".to_owned(),
            doubts => format!("; --strict would refuse it because of the {doubts} doubts above"),
        };
        let unchecked: String = [("it cannot be read", unread), ("the configuration does not state it", unstated)]
            .iter()
            .filter(|(_, layers)| !layers.is_empty())
            .map(|(why, layers)| format!("; not checked, because {why}: diff_id of layer {}", layers.join(", ")))
            .collect();
        let all = if unchecked.is_empty() {
            "every digest, size and diff_id matches"
        } else {
            "every digest and size matches"
        };
        session.ui.note(format_args!("{all} ({steps} steps){unchecked}{doubts}"));
    }
    Ok(())
}
