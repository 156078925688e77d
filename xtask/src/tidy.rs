//! `cargo xtask tidy`: the rules of this repository. Each complaint names the place that breaks a rule.

mod circles;
mod docs;
mod module;
mod names;
mod options;
mod source;
mod words;

use crate::{
    Result, arrows,
    process::{command, output},
    workspace::Workspace,
};
use circles::Crate;
use std::{fs, path::Path};

/// Maximum number of lines in a source file.
const LINES: usize = 600;
/// Module names that do not describe their content.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "types", "manager"];
/// Sources that must not know which machine they run on.
const PURE: &[&str] =
    &["crates/core/src/", "crates/source/src/", "crates/registry/src/", "crates/inspect/src/", "crates/viewer/src/"];
/// Texts that must not be committed, in two halves so that this list does not find itself.
const UNFINISHED: &[(&str, &str)] =
    &[("todo", "!("), ("unimplemented", "!("), ("dbg", "!("), ("#[ign", "ore"), ("FIX", "ME"), ("XX", "X")];
/// Misspelt terms of the specifications, split in two likewise.
const SPELLING: &[(&str, &str)] =
    &[("diff", "ID"), ("diff", "Id"), ("Diff", "ID"), ("white", "-out"), ("Media", "-Type:")];

pub(crate) fn run(workspace: &Workspace) -> Result {
    let mut complaints = arrows::check(workspace)?;
    let files =
        output(command("git", &workspace.root).args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    let mut sources = Vec::new();
    let verbs = options::verbs(files.lines());
    for file in files.lines() {
        complaints.extend(name(file));
        if let Some(text) = read(workspace, file) {
            complaints.extend(content(file, &text));
            complaints.extend(words::check(file, &text));
            complaints.extend(docs::check(file, &text));
            complaints.extend(options::check(file, &text, &verbs));
            sources.push((file.to_owned(), text));
        }
    }
    let crates = Crate::all(&sources);
    complaints.extend(circles::check(&crates));
    complaints.extend(names::check(&crates));
    if complaints.is_empty() {
        return Ok(());
    }
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    Err(format!("{} violations of the rules of this repository", complaints.len()).into())
}

fn read(workspace: &Workspace, file: &str) -> Option<String> {
    let written_here = [".rs", ".toml", ".md", ".css", ".html", ".js"].iter().any(|ending| file.ends_with(ending));
    if written_here { fs::read_to_string(workspace.root.join(file)).ok() } else { None }
}

fn name(file: &str) -> Option<String> {
    let path = Path::new(file);
    let empty =
        path.iter().filter_map(|part| Path::new(part).file_stem()?.to_str()).find(|stem| EMPTY_NAMES.contains(stem))?;
    file.ends_with(".rs").then(|| format!("{file}: the name `{empty}` does not describe the content"))
}

fn content(file: &str, text: &str) -> Vec<String> {
    let rust = file.ends_with(".rs");
    let mut complaints = Vec::new();
    let length = text.lines().count();
    if rust && length > LINES {
        complaints.push(format!("{file}: {length} lines, expected at most {LINES}"));
    }
    for (index, line) in text.lines().enumerate() {
        let mut complain = |what: String| complaints.push(format!("{file}:{}: {what}", index + 1));
        if PURE.iter().any(|folder| file.starts_with(folder)) && line.contains("cfg") && line.contains("target_") {
            complain("no `cfg(target_*)` in this crate".to_owned());
        }
        let found = |(first, second): &&(&str, &str)| line.contains(&format!("{first}{second}"));
        if rust && let Some((first, second)) = UNFINISHED.iter().find(found) {
            complain(format!("`{first}{second}` must not be committed"));
        }
        if let Some((first, second)) = SPELLING.iter().find(found) {
            complain(format!("`{first}{second}` is not the specification's spelling"));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_names_its_place() {
        assert!(name("crates/core/src/utils.rs").is_some());
        assert_eq!(name("crates/core/src/digest.rs"), None);
        let long = "\n".repeat(LINES + 1);
        assert_eq!(content("a.rs", &long), ["a.rs: 601 lines, expected at most 600"]);
        let unfinished = format!("fn f() {{\n    {}{})\n}}", "todo", "!(");
        assert_eq!(content("a.rs", &unfinished), [format!("a.rs:2: `{}{}` must not be committed", "todo", "!(")]);
        assert_eq!(content("crates/core/src/a.rs", "#[cfg(target_os = \"linux\")]").len(), 1);
        assert_eq!(content("crates/native/src/a.rs", "#[cfg(target_os = \"linux\")]").len(), 0);
    }
}
