//! Benchmarks what the command line moves and reads, next to floors and to other programs.
//!
//! `cargo xtask bench manifest pull push copy unpack inspect list cat cat-again verify [--image small|medium|large]…
//! [--rounds N] [--json] [--folder DIR]`: in each round every program runs once against registries on this machine, with new folders and empty storage,
//! and every result is checked. Ratios compare runs of the same round. Input files are in the page cache. `resume`
//! counts the bytes of interrupted transfers, and `growth entries|bytes|layers|delay [SIZE]...` how figures grow; `wan` has options of its own. `relay` compares the
//! relay with nginx.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod containerd;
mod growth;
mod image;
mod machine;
mod measure;
mod peers;
mod plot;
mod relay;
mod resume;
mod round;
mod table;
mod tree;
mod wan;

use crate::{
    image::{Image, RECIPES, Recipe, SINGLE},
    peers::{PEERS, Peer, Work},
    round::{Bench, REPOSITORY},
    table::{Row, Table},
    tree::Tree,
};
use porthole_tests::{
    Result,
    images::unpack,
    program::{find, ours, run},
    servers::{Access, Registry, Scratch, Storage},
};
use serde_json::{Value, json};
use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

struct Options {
    works: Vec<Work>,
    resume: bool,
    images: Vec<&'static Recipe>,
    rounds: usize,
    json: bool,
    /// Folder for outputs.
    folder: Option<PathBuf>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options =
            Self { works: Vec::new(), resume: false, images: Vec::new(), rounds: 5, json: false, folder: None };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("expected a value after `{argument}`"));
            match argument.as_str() {
                "--image" => options.images.push(recipe(value()?)?),
                "--rounds" => options.rounds = value()?.parse()?,
                "--folder" => options.folder = Some(std::path::absolute(value()?)?),
                "--json" => options.json = true,
                "resume" => options.resume = true,
                other => {
                    options.works.push(Work::ALL.into_iter().find(|work| work.name() == other).ok_or_else(|| {
                        let names = Work::ALL.map(Work::name).join(", ");
                        format!("expected {names}, resume or an option, got `{other}`")
                    })?)
                }
            }
        }
        if options.images.is_empty() && !options.works.is_empty() {
            options.images = vec![recipe("small")?, recipe("medium")?];
        }
        if options.rounds == 0 { Err("expected at least one round".into()) } else { Ok(options) }
    }
}

fn recipe(name: &str) -> Result<&'static Recipe> {
    let known = || RECIPES.iter().map(|recipe| recipe.name).collect::<Vec<_>>().join(", ");
    Ok(RECIPES
        .iter()
        .find(|recipe| recipe.name == name)
        .ok_or_else(|| format!("expected one of {}, got `{name}`", known()))?)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == "measure" => measure::child(rest),
        Some((first, rest)) if first == "growth" => home().and_then(|home| growth::run(rest, &home)),
        Some((first, rest)) if first == "link" => wan::child(rest),
        Some((first, rest)) if first == "wan" => wan::run(rest),
        Some((first, rest)) if first == "relay" => relay::run(rest),
        _ => Options::parse(&arguments).and_then(|options| bench(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Where images are kept.
fn home() -> Result<PathBuf> {
    let home = PathBuf::from(env::var_os("PORTHOLE_BENCH").ok_or("`cargo xtask bench` says where images are kept")?);
    std::fs::create_dir_all(&home)?;
    Ok(home)
}

fn bench(options: &Options) -> Result<()> {
    let home = home()?;
    if options.works.contains(&Work::Unpack) && run("id", ["-u"])?.trim() != "0" {
        return Err("`unpack` takes root, because owners are compared".into());
    }
    let (machine, versions) = (machine::describe()?, versions());
    if !options.json {
        println!("{machine}");
        versions.iter().for_each(|(name, version)| println!("  {name}: {version}"));
        let missing: Vec<_> = PEERS.iter().filter_map(Peer::missing).collect();
        println!("  not on PATH: {}", if missing.is_empty() { "none".to_owned() } else { missing.join(", ") });
    }
    let (mut tables, mut failed) = (Vec::new(), false);
    for recipe in &options.images {
        eprintln!("image {}", recipe.name);
        let image = recipe.image(&home)?;
        let (from, place) = serve(&image, &home)?;
        for &work in &options.works {
            let table = measure(options, &image, &from, work, place.path())?;
            failed |= table.ours_failed();
            if options.json { tables.push(table.json()) } else { table.print() }
        }
    }
    if options.resume {
        eprintln!("resume");
        let image = recipe(SINGLE)?.image(&home)?;
        let (from, place) = serve(&image, &home)?;
        let rows = resume::measure(&image, &from, place.path())?;
        if options.json { tables.push(resume::json(&image, &rows)) } else { resume::print(&image, &rows) }
    }
    if options.json {
        let versions: Value = versions.into_iter().map(|(name, version)| (name, Value::from(version))).collect();
        println!("{:#}", json!({ "machine": machine, "versions": versions, "tables": tables }));
    }
    if failed { Err("porthole failed, or its results are wrong".into()) } else { Ok(()) }
}

/// A registry that serves the image, and a scratch folder.
fn serve(image: &Image, home: &Path) -> Result<(Registry, Scratch)> {
    let place = Scratch::within(home, "bench")?;
    let storage = Storage::within(place.path())?;
    storage.push(&[(&image.layout, "bench", &format!("{REPOSITORY}:bench"))])?;
    Ok((Registry::start(&storage, &Access::Open)?, place))
}

/// Runs all rounds of one kind of work.
fn measure(options: &Options, image: &Image, from: &Registry, work: Work, place: &Path) -> Result<Table> {
    let memory = Path::new("/dev/shm");
    let folder = match &options.folder {
        Some(folder) => folder.as_path(),
        // On a disk, creating 20,000 files varies by more than the difference between programs.
        None if work == Work::Unpack && machine::has_room(memory, image.unpacked * 3)? => memory,
        None => place,
    };
    let truth = if work == Work::Unpack && find("umoci").is_ok() { Some(truth(image, folder)?) } else { None };
    let bench = Bench { image, from, folder, truth: truth.as_ref() };
    let mut rows: Vec<Row> = PEERS
        .iter()
        .filter(|peer| peer.missing().is_none())
        .filter_map(|peer| Some(Row::new(peer, peer.call(work)?)))
        .collect();
    // One run that does not count, to fill the page cache.
    if let Some(row) = rows.first() {
        bench.turn(row.peer, work, row.call)?;
    }
    for round in 0..options.rounds {
        eprintln!("{} {}: round {} of {}", work.name(), image.name, round + 1, options.rounds);
        for row in &mut rows {
            if row.failure.is_none() {
                match bench.turn(row.peer, work, row.call) {
                    Ok(turn) => row.turns.push(turn),
                    Err(error) => row.failure = Some(error.to_string()),
                }
            }
        }
    }
    let compared = truth.map_or(0, |tree| tree.len());
    Ok(Table {
        work,
        image: image.name,
        about: image.describe(),
        file_system: machine::file_system(folder)?.1,
        compared,
        rows,
    })
}

/// The tree that umoci unpacks, as reference.
fn truth(image: &Image, folder: &Path) -> Result<Tree> {
    let scratch = Scratch::within(folder, "truth")?;
    let bundle = scratch.path().join("bundle");
    unpack(&image.layout, "bench", &bundle)?;
    Tree::read(&bundle.join("rootfs"))
}

fn versions() -> Vec<(&'static str, String)> {
    let ours = ours("porthole").ok().and_then(|program| run(&program.display().to_string(), ["--version"]).ok());
    let others = PEERS.iter().filter(|peer| peer.missing().is_none());
    std::iter::once(("porthole", ours.unwrap_or_default().trim().to_owned()))
        .chain(others.filter_map(|peer| Some((peer.name, peer.version()?))))
        .chain(run("docker-registry", ["--version"]).ok().map(|version| ("docker-registry", version.trim().to_owned())))
        .collect()
}
