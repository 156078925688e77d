//! `porthole help`

use std::io::Write;

use clap::{Args, Command};

use crate::{error::Error, limits, quantity::QUANTITIES, session::Session};

/// Print help: of a verb, or on one of the topics below
#[derive(Args)]
#[command(after_help = "\
Topics:
  options     the global options
  limits      the limits that --limit sets
  exit-codes  the exit codes
  json        what --json prints, as JSON Schema; `json VERB` prints that of one verb

Examples:
  porthole help ls
  porthole help options
  porthole help json ls")]
pub(crate) struct Arguments {
    /// Verb or topic
    #[arg(value_name = "VERB|TOPIC")]
    topic: Option<String>,
    /// With the topic `json`: the verb
    #[arg(value_name = "VERB")]
    verb: Option<String>,
}

/// Prints a topic. `short` is the command line for the help of verbs, `whole` the one that describes the global options.
pub(super) fn run(arguments: &Arguments, whole: Command, short: Command, session: &Session<'_>) -> Result<(), Error> {
    let text = match (arguments.topic.as_deref(), arguments.verb.as_deref()) {
        (None, _) => help_of(short, None)?,
        (Some("options"), None) => options(whole),
        (Some("limits"), None) => limits::list(),
        (Some("exit-codes"), None) => EXIT_CODES.to_owned(),
        (Some("json"), None) => schemas(),
        (Some("json"), Some(verb)) => return schema(verb, session),
        (Some(verb), None) => help_of(short, Some(verb))?,
        (Some(topic), Some(_)) => {
            return Err(Error::usage(format!(
                "expected one word after `help`, unless it is `json`: got `{topic}` and more"
            )));
        }
    };
    let mut out = session.ui.out();
    writeln!(out, "{}", text.trim_end())?;
    Ok(out.flush()?)
}

/// The long help of the program, or of a verb.
fn help_of(mut program: Command, verb: Option<&str>) -> Result<String, Error> {
    program.build();
    let Some(verb) = verb else { return Ok(program.render_long_help().to_string()) };
    let names: Vec<_> = program.get_subcommands().map(|known| known.get_name().to_owned()).collect();
    match program.find_subcommand_mut(verb) {
        Some(verb) => Ok(verb.render_long_help().to_string()),
        None => Err(Error::usage(format!(
            "no such verb or topic: `{verb}`; the topics are options, limits, exit-codes and json, the verbs {}",
            names.join(", ")
        ))),
    }
}

/// The description of every global option.
fn options(program: Command) -> String {
    let globals = program.get_arguments().filter(|argument| argument.is_global_set()).cloned();
    let command = Command::new("porthole")
        .args(globals)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .max_term_width(100)
        .styles(program.get_styles().clone())
        .help_template("{options}");
    format!("Options of every verb:\n{}\n\n{QUANTITIES}\n", { command }.render_long_help().to_string().trim_end())
}

fn schemas() -> String {
    let mut text = "Verbs with --json, and what they print: one document, or one object a line.\n\n".to_owned();
    for (verb, schema) in SCHEMAS {
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap_or_default();
        let about = schema["description"].as_str().unwrap_or_default();
        text += &format!("  {verb:<10} {about}\n");
    }
    text + "\n`porthole help json VERB` prints the JSON Schema of a verb.\n\n" + LAYERS + "\n" + ERRORS
}

fn schema(verb: &str, session: &Session<'_>) -> Result<(), Error> {
    let Some((_, schema)) = SCHEMAS.iter().find(|(name, _)| *name == verb) else {
        let names: Vec<_> = SCHEMAS.iter().map(|(name, _)| *name).collect();
        return Err(Error::usage(format!("no JSON of `{verb}`: expected one of {}", names.join(", "))));
    };
    let mut out = session.ui.out();
    write!(out, "{schema}")?;
    Ok(out.flush()?)
}

const LAYERS: &str = "\
A layer is named by its number, counted from 1 at the bottom, with the digest of its blob beside it: NAME_digest beside NAME,
  as in `layer` and `layer_digest`, `removed_by` and `removed_by_digest`; NAME_digests beside a list, in its order.
  An object that describes a layer has its digest as `digest`. A layer that belongs to no image has no digest.
";

const ERRORS: &str = "\
A command with --json that fails prints an object as the last line of stderr: {\"error\": {...}}, with
  message    what went wrong
  kind       input, authentication, not-found, platform, rate-limit, malformed, network, limit, protocol or other
  blame      who can put it right: input, image, registry, relay, proxy, network, machine or porthole
  layer      the number of the layer, counted from 1, if the error is about one
  layer_digest  the digest of the layer's blob
  hints      what helps, best first
  exit_code  the exit code; `porthole help exit-codes` lists them
";

const EXIT_CODES: &str = "\
Exit codes:
  0 done                        5 no such platform
  1 the answer is no            6 rate-limited
  2 usage or bad reference      7 verification failed, or malformed image
  3 authentication              8 network
  4 not found                   9 a limit, or any other failure
                              130 interrupted (128 and the number of the signal)";

macro_rules! schemas {
    ($($verb:literal),* $(,)?) => { &[$(($verb, include_str!(concat!("../../schema/", $verb, ".json")))),*] };
}

/// The JSON Schema of each verb's output.
const SCHEMAS: &[(&str, &str)] = schemas![
    "ref",
    "inspect",
    "digest",
    "tags",
    "catalog",
    "referrers",
    "delete",
    "doctor",
    "trace",
    "ls",
    "diff",
    "file",
    "analyze",
    "attestation",
    "packages",
    "secrets",
    "report",
    "search",
    "verify",
    "unpack",
    "pull",
    "push",
    "copy",
    "images",
    "gc",
    "store",
    "watch",
    "history",
    "rollback",
];
