//! The scoreboard of `cargo xtask scoreboard`: a table of the attacks on `porthole` and `relay`, with their results.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints its table")]

mod answers;
mod attempt;
mod hostile;
mod kills;
mod mean;
mod sockets;
mod store;
mod text;

use attempt::Row;
use porthole_tests::Result;
use std::{env, fs, process::ExitCode, time::Instant};

/// The number of attempts.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) long: bool,
}

impl Scale {
    pub(crate) fn of(self, short: u32, long: u32) -> u32 {
        if self.long { long } else { short }
    }
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let scale = Scale { long: arguments.iter().any(|argument| argument == "--long") };
    let wanted = arguments.iter().find(|argument| !argument.starts_with("--"));
    type Part = (&'static str, fn(Scale) -> Result<Vec<Row>>);
    let parts: [Part; 6] = [
        ("hostile", hostile::rows),
        ("sockets", sockets::rows),
        ("kills", kills::rows),
        ("store", store::rows),
        ("text", text::rows),
        ("replay", replay),
    ];
    let mut rows = Vec::new();
    for (name, part) in parts {
        if wanted.is_none_or(|wanted| wanted == name) {
            let started = Instant::now();
            rows.extend(part(scale)?);
            eprintln!("{name}: {} s", started.elapsed().as_secs());
        }
    }
    let table = attempt::table(&rows);
    print!("{table}");
    for row in &rows {
        row.notes.iter().for_each(|note| println!("{}: {note}", row.name));
    }
    if let Some(path) = env::var_os("PORTHOLE_SCOREBOARD") {
        fs::write(path, table)?;
    }
    Ok(if rows.iter().all(Row::is_clean) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The row for the fuzzing corpora, from the result of `corpus replay`, which ran before this program.
fn replay(_: Scale) -> Result<Vec<Row>> {
    let said = env::var("PORTHOLE_REPLAYED").unwrap_or_default();
    let Some((tried, failed)) = said.split_once(' ') else { return Ok(Vec::new()) };
    let (tried, failed) = (tried.trim().parse()?, failed.trim().parse::<u32>()?);
    Ok(vec![Row { tried, survived: tried - failed, ..Row::new("replay of fuzz inputs") }])
}
