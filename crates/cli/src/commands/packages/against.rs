//! `porthole packages --against`: compares a bill of materials with the packages of the image.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read, Write},
    path::Path,
};

use porthole_contents::{
    bill::{BillAgreement, BillComparison, BillOfMaterials, BillRow},
    inventory::Inventory,
    report::BillRowReport,
};
use porthole_core::{
    digest::Digest,
    failure::{Blame, Failure, FailureClass},
    hint::Hint,
    layer::{BlobDigests, LayerNumber},
};
use porthole_signature::{
    evidence::Evidence,
    gather::{Gathered, WantedEvidence, gather},
};

use super::Arguments;
use crate::{
    error::{Error, Told},
    output::print_json,
    session::Session,
    source::Source,
    ui::{Style, safe},
};

/// A bill of materials, and its name in the output: the path of its file, or the digest of its blob.
pub(super) struct NamedBill {
    name: String,
    bill: BillOfMaterials,
}

/// Reads the bills that the argument names. `attached` names all bills that refer to the image.
pub(super) fn bills(named: &OsStr, source: &Source, session: &Session<'_>) -> Result<Vec<NamedBill>, Error> {
    let digest = named.to_str().and_then(|text| text.parse::<Digest>().ok());
    if named != ATTACHED && digest.is_none() {
        return Ok(vec![of_file(Path::new(named))?]);
    }
    if source.is_bare() {
        return Err(Error::usage("nothing is attached to a layer that belongs to no image"));
    }
    let resolved = source.image(session, &mut |_| {})?;
    let gathered = source.wait(gather(&source.origin, &resolved, WantedEvidence::All))?;
    for (found, error) in gathered.iter().filter_map(|found| Some((found, found.evidence.as_ref().err()?))) {
        session.ui.note(format_args!("{} is not compared: {error}", found.layer.digest));
    }
    let bills: Vec<_> = gathered.iter().filter_map(attached).collect();
    let bills: Vec<_> = match digest {
        Some(digest) => bills.into_iter().filter(|bill: &NamedBill| bill.name == digest.to_string()).collect(),
        None => bills,
    };
    match bills.is_empty() {
        true => Err(not_attached(&resolved.image.manifest.raw.digest().to_string())),
        false => Ok(bills),
    }
}

const ATTACHED: &str = "attached";

fn of_file(path: &Path) -> Result<NamedBill, Error> {
    let named = |source| Error::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(named)?.take(Evidence::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(named)?;
    if bytes.len() as u64 > Evidence::MAX_BYTES {
        let limit = Evidence::MAX_BYTES;
        return Err(Error::usage(format!("expected at most {limit} bytes, got more: `{}`", path.display())));
    }
    // Some generators write a byte order mark, which JSON does not permit.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let bill = serde_json::from_slice(text).ok().and_then(|document| BillOfMaterials::of_document(&document));
    let bill = bill.ok_or_else(|| Error::usage(format!("expected SPDX or CycloneDX as JSON: `{}`", path.display())))?;
    Ok(NamedBill { name: path.display().to_string(), bill })
}

fn attached(found: &Gathered) -> Option<NamedBill> {
    let bill = found.evidence.as_ref().ok()?.bill_of_materials()?;
    Some(NamedBill { name: found.layer.digest.to_string(), bill })
}

fn not_attached(image: &str) -> Error {
    let hint = "`porthole referrers --tree` shows what is attached; `--against FILE` compares with a file";
    let failure = Failure::new(FailureClass::NotFound, Blame::Image).hint(Hint::Text(hint.to_owned()));
    Told { message: format!("no bill of materials is attached to {image}"), failure }.into()
}

/// Prints the differences and, with `--json`, also the packages that agree.
///
/// # Errors
///
/// [`Error::Differ`] if a bill and the image have different packages.
pub(super) fn compare(
    bills: &[NamedBill],
    arguments: &Arguments,
    session: &Session<'_>,
    inventory: &Inventory,
    layers: &BlobDigests,
) -> Result<(), Error> {
    let mut out = session.ui.out();
    let mut agree = true;
    for NamedBill { name, bill } in bills {
        let mut comparison = BillComparison::of(bill, inventory);
        comparison.rows.retain(|row| is_wanted(arguments, row));
        if session.ui.json {
            for row in &comparison.rows {
                print_json(&mut out, &BillRowReport::of(row, inventory, layers, name))?;
            }
        } else {
            writeln!(out, "{}", session.ui.paint(Style::Faint, &format!("{} {}", safe(name), safe(&bill.format))))?;
            for row in comparison.rows.iter().filter(|row| row.agreement != BillAgreement::Same) {
                writeln!(out, "{}", line(row))?;
            }
        }
        session.ui.flush(&mut out)?;
        session.ui.note(summary(&comparison));
        agree &= comparison.agrees();
    }
    if agree { Ok(()) } else { Err(Error::Differ) }
}

fn is_wanted(arguments: &Arguments, row: &BillRow<'_>) -> bool {
    let fits = |name: &str| arguments.name.as_ref().is_none_or(|text| name.contains(text));
    (arguments.types.is_empty() || row.ecosystem.is_some_and(|ecosystem| arguments.types.contains(&ecosystem)))
        && (fits(row.name()) || row.listed.is_some_and(|listed| fits(&listed.name)))
}

/// Formats a row, such as `- deb       gcc  12.2  removed by layer 4`, `+ npm       left-pad  1.3.0  layer 3` or
/// `~ deb       curl  7.88-9 -> 7.88-10`.
fn line(row: &BillRow<'_>) -> String {
    let listed = row.listed.map(|listed| safe(&listed.version()).into_owned());
    let installed = row.installed.map(|installed| safe(&installed.package.version).into_owned());
    let gone = row.installed.and_then(|installed| installed.removed_by);
    let (mark, versions) = match (row.agreement, listed, installed) {
        (BillAgreement::OnlyBill, Some(listed), _) => {
            let gone = gone.map(|by| format!("  removed by layer {}", LayerNumber::of_index(by))).unwrap_or_default();
            ('-', format!("{listed}{gone}"))
        }
        (BillAgreement::OnlyImage, _, Some(installed)) => {
            let from =
                row.installed.map(|installed| LayerNumber::of_index(installed.layer).to_string()).unwrap_or_default();
            ('+', format!("{installed}  layer {from}"))
        }
        (_, listed, installed) => ('~', format!("{} -> {}", listed.unwrap_or_default(), installed.unwrap_or_default())),
    };
    let kind = row.ecosystem.map_or("-", |ecosystem| ecosystem.name());
    format!("{mark} {kind:<8}  {}  {versions}", safe(row.name()))
}

/// The line of totals:
/// `bill of materials: 405 packages agree, 3 differ in version, 2 only in the bill, 1 only in the image`
fn summary(comparison: &BillComparison<'_>) -> String {
    let count = |agreement| comparison.count(agreement);
    let others = match comparison.others {
        0 => String::new(),
        others => format!("; {others} entries of the bill are no packages that are read here"),
    };
    format!(
        "{} packages agree, {} differ in version, {} only in the bill, {} only in the image{others}",
        count(BillAgreement::Same),
        count(BillAgreement::Version),
        count(BillAgreement::OnlyBill),
        count(BillAgreement::OnlyImage),
    )
}
