//! Security advisories of the packages in `Cargo.lock`, by a dated copy of RustSec's database: `ci/advisories.txt`.
//!
//! The copy is for machines that cannot reach the database. Advisories that are known, and why they are accepted, are in `deny.toml`.

mod version;

use crate::{
    Result,
    process::{command, output},
    workspace::Workspace,
};
use std::{fs, path::Path};
use version::Version;

/// An advisory: `package`, identifier, kind, and the requirements of versions that it does not affect.
struct Advisory<'a> {
    package: &'a str,
    id: &'a str,
    kind: &'a str,
    harmless: Vec<&'a str>,
}

/// Checks every package in `Cargo.lock` against the copy. Prints the copy's date, and each known advisory with its reason.
///
/// # Errors
///
/// An advisory that is not known affects a package; a known one affects none; or the copy cannot be read.
pub(crate) fn check(workspace: &Workspace) -> Result {
    let read = |name| fs::read_to_string(workspace.root.join(name)).map_err(|error| format!("{name}: {error}"));
    let (copy, lock, deny) = (read(COPY)?, read("Cargo.lock")?, read("deny.toml")?);
    let date = copy.lines().find_map(|line| line.strip_prefix(DATE)).ok_or("the copy of advisories has no date")?;
    let outcome = judge(&copy, &lock, &deny)?;
    eprintln!("advisories: checked against the copy of {date}, since the database is unreachable");
    for line in &outcome.known {
        eprintln!("known: {line}");
    }
    for line in &outcome.complaints {
        eprintln!("{line}");
    }
    if outcome.complaints.is_empty() { Ok(()) } else { Err("advisories that are not listed in deny.toml".into()) }
}

/// Rewrites the copy from a clone of the database. Prints how many advisories it has.
pub(crate) fn copy(workspace: &Workspace, clone: &Path) -> Result {
    let date = output(command("git", clone).args(["log", "-1", "--format=%cs"]))?;
    let files = output(command("git", clone).args(["ls-tree", "-r", "--name-only", "HEAD", "crates/"]))?;
    let objects = files.lines().filter(|file| file.ends_with(".md")).map(|file| format!("HEAD:{file}"));
    let text = output(command("git", clone).arg("show").args(objects))?;
    let mut lines: Vec<String> = text.split("```toml\n").filter_map(line).collect();
    lines.sort();
    let head = format!(
        "# RustSec's advisories, one per line: package, identifier, kind, requirements of versions that are not affected.\n\
         # Written by `cargo xtask advisories CLONE`. Their authors placed them in the public domain (CC0-1.0), those from\n\
         # GitHub's database under CC-BY-4.0.\n{DATE}{}\n",
        date.trim()
    );
    fs::write(workspace.root.join(COPY), head + &lines.join("\n") + "\n")?;
    println!("{} advisories in {COPY}", lines.len());
    Ok(())
}

const COPY: &str = "ci/advisories.txt";
const DATE: &str = "# Date: ";

#[derive(Default)]
struct Outcome {
    known: Vec<String>,
    complaints: Vec<String>,
}

fn judge(copy: &str, lock: &str, deny: &str) -> Result<Outcome> {
    let packages = packages(lock);
    let known = known(deny);
    let mut outcome = Outcome::default();
    let mut found = Vec::new();
    for advisory in copy.lines().filter(|line| !line.starts_with('#')).filter_map(parse) {
        for (_, version) in packages.iter().filter(|(name, _)| *name == advisory.package) {
            if advisory.affects(version)? {
                let Advisory { package, id, kind, .. } = &advisory;
                found.push(*id);
                match known.iter().find(|(known, _)| known == id) {
                    Some((_, reason)) => outcome.known.push(format!("{package} {version}: {id} ({kind}): {reason}")),
                    None => outcome.complaints.push(format!("{package} {version}: {id} ({kind})")),
                }
            }
        }
    }
    let stale = known.iter().filter(|(id, _)| !found.contains(id));
    outcome.complaints.extend(stale.map(|(id, _)| format!("deny.toml: {id} affects no package")));
    if packages.is_empty() || copy.lines().filter_map(parse).next().is_none() {
        return Err("expected packages and advisories, got none".into());
    }
    Ok(outcome)
}

impl Advisory<'_> {
    fn affects(&self, version: &str) -> Result<bool> {
        let version = Version::parse(version)?;
        for requirement in &self.harmless {
            if version.matches(requirement)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn parse(line: &str) -> Option<Advisory<'_>> {
    let mut fields = line.split('\t');
    let (package, id, kind) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Advisory { package, id, kind, harmless: fields.collect() })
}

/// Names and versions of a `Cargo.lock`.
fn packages(lock: &str) -> Vec<(&str, &str)> {
    let value = |block: &'static str| move |text| quoted(text, block);
    lock.split("[[package]]")
        .filter_map(|block| Some((value("name = ")(block)?, value("version = ")(block)?)))
        .collect()
}

/// Identifiers and reasons of the known advisories in `deny.toml`.
fn known(deny: &str) -> Vec<(&str, &str)> {
    deny.lines().filter_map(|line| Some((quoted(line, "{ id = ")?, quoted(line, " reason = ")?))).collect()
}

/// The string between the quotes that follow `key`.
fn quoted<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split_once(key)?.1.strip_prefix('"')?.split('"').next()
}

/// The line of an advisory in the copy. `None` if it is withdrawn.
fn line(advisory: &str) -> Option<String> {
    let toml = advisory.split("```").next()?;
    let value = |key: &str| toml.lines().find_map(|line| quoted(line, key).filter(|_| line.starts_with(key)));
    if toml.lines().any(|line| line.starts_with("withdrawn")) {
        return None;
    }
    let mut line =
        [value("package = ")?, value("id = ")?, value("informational = ").unwrap_or("vulnerability")].join("\t");
    let versions = toml.split_once("[versions]").map_or("", |(_, rest)| rest.split("\n[").next().unwrap_or(rest));
    for key in ["patched", "unaffected"] {
        let list = versions.split_once(key).and_then(|(_, rest)| rest.split_once('[')?.1.split(']').next());
        for requirement in list.unwrap_or("").split('"').skip(1).step_by(2) {
            line.push('\t');
            line.push_str(requirement);
        }
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str =
        "[[package]]\nname = \"old\"\nversion = \"1.2.3\"\n\n[[package]]\nname = \"new\"\nversion = \"2.0.0\"\n";
    const ONE: &str = "# Date: 2026-01-01\nold\tR-1\tunsound\t>= 1.2.4\t< 1.0.0\nnew\tR-2\tvulnerability\t>= 2.0.0\n";

    #[test]
    fn an_unknown_advisory_is_a_complaint_and_a_known_one_is_printed() -> Result {
        assert_eq!(judge(ONE, LOCK, "")?.complaints, ["old 1.2.3: R-1 (unsound)"]);
        let outcome = judge(ONE, LOCK, "    { id = \"R-1\", reason = \"not called\" },\n")?;
        assert_eq!((outcome.known, outcome.complaints), (vec!["old 1.2.3: R-1 (unsound): not called".into()], vec![]));
        Ok(())
    }

    #[test]
    fn a_known_advisory_that_affects_nothing_is_a_complaint() -> Result {
        let deny = "{ id = \"R-1\", reason = \"not called\" }\n{ id = \"R-2\", reason = \"not called\" }";
        assert_eq!(judge(ONE, LOCK, deny)?.complaints, ["deny.toml: R-2 affects no package"]);
        Ok(())
    }

    #[test]
    fn every_package_of_this_workspace_is_checked_against_the_copy() -> Result {
        let [copy, lock, deny] = [
            include_str!("../../ci/advisories.txt"),
            include_str!("../../Cargo.lock"),
            include_str!("../../deny.toml"),
        ];
        let outcome = judge(copy, lock, deny)?;
        assert_eq!(outcome.complaints, Vec::<String>::new());
        assert_eq!(outcome.known.len(), known(deny).len());
        Ok(())
    }

    #[test]
    fn an_empty_copy_or_lock_passes_nothing() {
        assert!(judge("# Date: 2026-01-01\n", LOCK, "").is_err());
        assert!(judge(ONE, "", "").is_err());
        assert!(judge("old\tR-1\tunsound\twhatever\n", LOCK, "").is_err());
    }

    #[test]
    fn lines_have_the_versions_that_are_not_affected() {
        let advisory = "[advisory]\nid = \"R-1\"\npackage = \"old\"\n\n[affected.functions]\n\"old::f\" = [\"< 9\"]\n\n\
            [versions]\npatched = [\n  \">= 2.0.0\",\n  \"^1.3\"\n]\nunaffected = [\"< 1\"]\n\n[other]\nlist = [\"= 7\"]\n```\n# \"Title\"\n";
        assert_eq!(line(advisory).as_deref(), Some("old\tR-1\tvulnerability\t>= 2.0.0\t^1.3\t< 1"));
        assert_eq!(line(&format!("withdrawn = \"2026-01-01\"\n{advisory}")), None);
    }
}
