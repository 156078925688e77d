//! Options from the environment and from a file, by the names of the command line.

use crate::args::Args;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, parser::ValueSource};
use serde_json::Value;
use std::{
    ffi::{OsStr, OsString},
    fs,
    path::Path,
};

/// Arguments of these words, completed by the environment and then by the file that they name.
///
/// # Errors
/// The outer error says what is wrong with the file, the inner one with the words or the environment.
pub(crate) fn read(
    words: Vec<OsString>,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Result<Args, clap::Error>, String> {
    let parse = |words: &[OsString]| Args::command().try_get_matches_from(words);
    let mut words = words;
    let (mut matches, mut place) = match parse(&words) {
        Ok(matches) => (matches, None),
        Err(error) => return Ok(Err(error)),
    };
    let add = |matches: &ArgMatches, words: &mut Vec<OsString>, found: Vec<(String, OsString)>| {
        for (name, value) in found {
            if matches.value_source(&id(&name)) != Some(ValueSource::CommandLine) {
                words.push(argument(&name, &value));
            }
        }
    };
    let variables = names(&Args::command())
        .filter_map(|name| Some((name.clone(), environment(&variable(&name))?)))
        .filter(|(name, value)| takes_value(name) || is_true(value))
        .collect();
    add(&matches, &mut words, variables);
    let args = loop {
        matches = match parse(&words) {
            Ok(matches) => matches,
            Err(error) => return in_file(place, error),
        };
        let args = match Args::from_arg_matches(&matches) {
            Ok(args) => args,
            Err(error) => return in_file(place, error),
        };
        let (Some(path), None) = (&args.config, &place) else { break args };
        let text = fs::read_to_string(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        let lines = parse_file(&text).map_err(|error| format!("`{}`: {error}", path.display()))?;
        add(&matches, &mut words, lines);
        place = Some(path.clone());
    };
    Ok(Ok(args))
}

fn in_file(place: Option<impl AsRef<Path>>, error: clap::Error) -> Result<Result<Args, clap::Error>, String> {
    match place {
        Some(path) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            Err(format!("`{}`: {}", path.as_ref().display(), first.strip_prefix("error: ").unwrap_or(first)))
        }
        None => Ok(Err(error)),
    }
}

/// The lines of a file: `name = value`, where a value is a JSON string, number, boolean or array of strings. Such a file is TOML too.
fn parse_file(text: &str) -> Result<Vec<(String, OsString)>, String> {
    let known: Vec<_> = names(&Args::command()).collect();
    let mut found = Vec::new();
    // Rules in the words of --registry, the last one being read.
    let mut rules: Vec<String> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |reason: String| format!("line {}: {reason}", number + 1);
        if line.starts_with('[') {
            let host = line.strip_prefix("[registry.\"").and_then(|rest| rest.strip_suffix("\"]"));
            let host = host.filter(|host| !host.is_empty() && !host.contains([' ', ',', '"']));
            rules.push(host.ok_or_else(|| wrong("expected `[registry.\"HOST\"]`".to_owned()))?.to_owned());
            continue;
        }
        if let Some(rule) = rules.last_mut() {
            let (name, value) = line.split_once('=').ok_or_else(|| wrong("expected `name = value`".to_owned()))?;
            rule.push_str(&rule_words(name.trim(), value.trim()).map_err(wrong)?);
            continue;
        }
        let (name, value) = line.split_once('=').ok_or_else(|| wrong("expected `name = value`".to_owned()))?;
        let name = name.trim();
        if !known.iter().any(|known| known == name) || matches!(name, "config" | "check") {
            return Err(wrong(format!("there is no option `{name}`")));
        }
        if found.iter().any(|(before, _)| before == name) {
            return Err(wrong(format!("`{name}` is set twice")));
        }
        let value: Value = serde_json::from_str(value.trim()).map_err(|error| wrong(format!("`{name}`: {error}")))?;
        let text = match value {
            Value::Bool(set) if !takes_value(name) => {
                if set {
                    found.push((name.to_owned(), OsString::new()));
                }
                continue;
            }
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Array(items) => items
                .iter()
                .map(Value::as_str)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| wrong(format!("`{name}`: expected a list of strings")))?
                .join(","),
            _ => return Err(wrong(format!("`{name}`: expected a string, a number, a boolean or a list"))),
        };
        if !takes_value(name) {
            return Err(wrong(format!("`{name}`: expected true or false")));
        }
        found.push((name.to_owned(), text.into()));
    }
    if !rules.is_empty() {
        if found.iter().any(|(name, _)| name == "registry") {
            return Err("expected rules for registries either as tables or as a list".to_owned());
        }
        found.push(("registry".to_owned(), rules.join(",").into()));
    }
    Ok(found)
}

/// A line of a table `[registry."HOST"]` in the words of `--registry`.
fn rule_words(name: &str, value: &str) -> Result<String, String> {
    let value: Value = serde_json::from_str(value).map_err(|error| format!("`{name}`: {error}"))?;
    match (name, value) {
        ("allow", Value::Bool(allow)) => Ok(if allow { " allow" } else { " deny" }.to_owned()),
        ("rate", Value::Number(rate)) => Ok(format!(" rate={rate}")),
        ("realms", Value::Array(realms)) => {
            let words: Option<Vec<_>> =
                realms.iter().map(|realm| Some(format!(" realm={}", realm.as_str()?))).collect();
            words.map(|words| words.concat()).ok_or_else(|| "`realms`: expected a list of strings".to_owned())
        }
        ("allow" | "rate" | "realms", _) => Err(format!("`{name}`: expected another type of value")),
        _ => Err(format!("a registry has no `{name}`: expected allow, realms or rate")),
    }
}

/// The long names of all options.
fn names(command: &Command) -> impl Iterator<Item = String> {
    command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect::<Vec<_>>().into_iter()
}

fn takes_value(name: &str) -> bool {
    let command = Args::command();
    command.get_arguments().any(|arg| arg.get_long() == Some(name) && arg.get_action().takes_values())
}

fn argument(name: &str, value: &OsStr) -> OsString {
    let mut argument = OsString::from(format!("--{name}"));
    if takes_value(name) {
        argument.push("=");
        argument.push(value);
    }
    argument
}

fn id(name: &str) -> String {
    name.replace('-', "_")
}

fn variable(name: &str) -> String {
    format!("PORTHOLE_RELAY_{}", id(name).to_ascii_uppercase())
}

fn is_true(value: &OsStr) -> bool {
    value == "1" || value == "true"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn args(words: &[&str], environment: &[(&str, &str)], file: Option<&str>) -> Result<Args, String> {
        let folder = tempfile::tempdir().unwrap();
        let mut words: Vec<OsString> = ["relay"].iter().chain(words).map(OsString::from).collect();
        if let Some(text) = file {
            let path = folder.path().join("relay.toml");
            fs::write(&path, text).unwrap();
            words.push(argument("config", path.as_os_str()));
        }
        let variable =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        read(words, &variable)?.map_err(|error| error.to_string())
    }

    #[test]
    fn an_option_has_one_meaning_in_all_three_places() {
        let file = "# a comment\nlisten = \"0.0.0.0:1\"\nallow = [\"ghcr.io\", \"docker.io\"]\nmax-connections = 7\n\
            grace = \"5m\"\nlog-targets = true\n";
        let variables = [
            ("PORTHOLE_RELAY_LISTEN", "0.0.0.0:1"),
            ("PORTHOLE_RELAY_ALLOW", "ghcr.io,docker.io"),
            ("PORTHOLE_RELAY_MAX_CONNECTIONS", "7"),
            ("PORTHOLE_RELAY_GRACE", "5m"),
            ("PORTHOLE_RELAY_LOG_TARGETS", "1"),
        ];
        let words = [
            "--listen=0.0.0.0:1",
            "--allow=ghcr.io",
            "--allow=docker.io",
            "--max-connections=7",
            "--grace=5m",
            "--log-targets",
        ];
        for args in [args(&[], &[], Some(file)), args(&[], &variables, None), args(&words, &[], None)] {
            let args = args.unwrap();
            assert_eq!(args.listen, "0.0.0.0:1".parse().unwrap());
            assert_eq!(args.allow, ["ghcr.io", "docker.io"]);
            assert_eq!((args.limits.max_connections, args.limits.grace), (7, Duration::from_secs(300)));
            assert!(args.log_targets);
        }
    }

    #[test]
    fn a_registry_has_a_table_of_its_own() {
        let file = "grace = 1\n[registry.\"docker.io\"]\nallow = true\nrealms = [\"login.example\"]\nrate = 5\n\
            [registry.\"ghcr.io\"]\nallow = false\n";
        let rules = |args: Args| args.registry;
        let expected = ["docker.io allow realm=login.example rate=5", "ghcr.io deny"];
        let expected: Vec<crate::registries::Rule> = expected.iter().map(|rule| rule.parse().unwrap()).collect();
        assert_eq!(rules(args(&[], &[], Some(file)).unwrap()), expected);
        let variable = [("PORTHOLE_RELAY_REGISTRY", "docker.io allow realm=login.example rate=5,ghcr.io deny")];
        assert_eq!(rules(args(&[], &variable, None).unwrap()), expected);
    }

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
        let file = Some("max-connections = 1\nlookups = 1\ngrace = 1\nallow = [\"a.example\"]\n");
        let variables = [("PORTHOLE_RELAY_MAX_CONNECTIONS", "2"), ("PORTHOLE_RELAY_LOOKUPS", "2")];
        let args = args(&["--max-connections=3", "--allow=b.example"], &variables, file).unwrap();
        let Args { limits, allow, .. } = args;
        assert_eq!((limits.max_connections, limits.lookups, limits.grace), (3, 2, Duration::from_secs(1)));
        assert_eq!(allow, ["b.example"]);
    }

    #[test]
    fn the_examples_of_configurations_are_valid() {
        for file in [include_str!("../../../deploy/relay.toml"), include_str!("../../../deploy/kustomize/relay.toml")] {
            let args = args(&[], &[], Some(file)).unwrap();
            assert_eq!(args.public_url.as_deref(), Some("https://relay.example.com"));
            assert!(!args.allow.is_empty() && !args.limits.drain.is_zero());
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named_with_its_line() {
        for (file, expected) in [
            ("listen", "line 1: expected `name = value`"),
            ("\nlisten = x", "line 2: `listen`: "),
            ("nothing = 1", "line 1: there is no option `nothing`"),
            ("config = \"x\"", "line 1: there is no option `config`"),
            ("allow = [1]", "line 1: `allow`: expected a list of strings"),
            ("grace = 1\ngrace = 2", "line 2: `grace` is set twice"),
            ("[registry]", "line 1: expected `[registry.\"HOST\"]`"),
            ("[registry.\"a.example\"]\ngrace = 1", "line 2: a registry has no `grace`"),
            ("[registry.\"a.example\"]\nrate = true", "line 2: `rate`: expected another type"),
            ("[registry.\"a.example\"]\nrate = 0", "expected requests a second"),
            ("log-targets = 1", "line 1: `log-targets`: expected true or false"),
            ("listen = \"here\"", "invalid value 'here' for '--listen <ADDRESS>'"),
        ] {
            let error = args(&[], &[], Some(file)).unwrap_err();
            assert!(error.contains("relay.toml`: ") && error.contains(expected), "{file}: {error}");
        }
        assert!(args(&["--config=/nonexistent"], &[], None).unwrap_err().contains("cannot read `/nonexistent`"));
        assert!(args(&[], &[("PORTHOLE_RELAY_GRACE", "soon")], None).unwrap_err().contains("--grace"));
    }
}
