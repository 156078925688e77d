//! `cargo xtask bench wan [near|lossy|far]… [--rounds N] [--only PROGRAM]`: a registry at the far end of a slow link.
//!
//! What is modelled: delay, rate, random loss and a queue in each direction, with the kernel's own TCP (Reno) at both ends; TLS,
//! a token, redirects. What is not: look-ups of names, jitter, other traffic, servers that are slow themselves.

mod image;
mod link;
mod site;

use self::{
    image::{LARGE, ONE},
    site::REGISTRY,
};
pub(crate) use self::{
    image::{Recipe, THREE, write},
    link::{Shape, child},
    site::{Counts, Site},
};
use crate::{
    image::Image,
    machine,
    measure::{self, Usage},
    round::{verified, words},
};
use porthole_benches::median;
use porthole_tests::{
    Result,
    program::{find, ours},
    servers::Scratch,
};
use std::{env, fs, path::Path};

/// A link, an image, and what is done with it.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) image: &'static Recipe,
    pub(crate) calls: &'static [Call],
}

const SCENES: [Scene; 4] = [
    Scene { name: "near", shape: Shape { round_trip: 50, rate: 100, lost: 0 }, image: &THREE, calls: PULLS },
    Scene { name: "lossy", shape: Shape { round_trip: 50, rate: 100, lost: 10 }, image: &THREE, calls: PULLS },
    Scene { name: "lossy", shape: Shape { round_trip: 50, rate: 100, lost: 10 }, image: &ONE, calls: PULLS },
    Scene { name: "far", shape: Shape { round_trip: 150, rate: 1000, lost: 0 }, image: &LARGE, calls: READS },
];

/// A command line of a program.
pub(crate) struct Call {
    pub(crate) program: &'static str,
    pub(crate) work: Work,
    pub(crate) line: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Documents only.
    Inspect,
    Pull,
    /// As [`Pull`](Self::Pull), after the same user pulled from this registry to another place.
    PullAgain,
    List,
    Verify,
    Unpack,
}

pub(crate) const PULL: &str = "$PORTHOLE --quiet pull $FROM oci:$TARGET:bench";
const OURS: Call = Call { program: "porthole", work: Work::Pull, line: PULL };

/// The first is what the others are compared with.
const PULLS: &[Call] = &[
    OURS,
    Call { program: "porthole", work: Work::PullAgain, line: PULL },
    Call { program: "curl", work: Work::Pull, line: CURL },
    Call { program: "crane", work: Work::Pull, line: "crane pull --format=oci $FROM $TARGET" },
    Call { program: "regctl", work: Work::Pull, line: "regctl image copy $FROM ocidir://$TARGET:bench" },
    Call {
        program: "skopeo",
        work: Work::Pull,
        line: "skopeo --insecure-policy copy --quiet docker://$FROM oci:$TARGET:bench",
    },
];

const READS: &[Call] = &[
    OURS,
    Call { program: "porthole", work: Work::List, line: "$PORTHOLE --quiet --no-cache ls $FROM" },
    Call { program: "porthole", work: Work::Verify, line: "$PORTHOLE --quiet verify $FROM" },
    Call { program: "porthole", work: Work::Unpack, line: "$PORTHOLE --quiet --no-cache unpack $FROM $TARGET" },
    Call { program: "curl", work: Work::Pull, line: CURL },
];

/// A process for the challenge, one for the token, one for the manifest and all blobs, four at once over HTTP/1.1.
pub(crate) const CURL: &str = r#"
mkdir "$TARGET"
curl -s -o /dev/null "https://$HOST/v2/$NAME/manifests/bench"
token=$(curl -sSf "https://auth.wan.test/token?service=$HOST&scope=repository:$NAME:pull" | sed 's/.*"token":"\([^"]*\)".*/\1/')
for blob in $BLOBS; do echo "url = https://$HOST/v2/$NAME/blobs/$blob"; echo "output = $TARGET/$blob"; done > "$SCRATCH/blobs"
curl -sSf --http1.1 -H "Authorization: Bearer $token" -H "Accept: $MEDIA_TYPE" -o "$TARGET/$DIGEST" "https://$HOST/v2/$NAME/manifests/bench" \
    --next -sSfL --http1.1 --parallel --parallel-max 4 -H "Authorization: Bearer $token" --config "$SCRATCH/blobs"
"#;

/// All runs of one command line.
struct Row<'c> {
    call: &'c Call,
    turns: Vec<(Usage, Counts)>,
    failure: Option<String>,
}

/// Runs the scenes that are named, or all of them.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (mut names, mut rounds, mut only) = (Vec::new(), 3_usize, Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("expected a value after `{argument}`"));
        match argument.as_str() {
            "--rounds" => rounds = value()?.parse()?,
            "--only" => only.push(value()?.as_str()),
            name if SCENES.iter().any(|scene| scene.name == name) => names.push(name),
            other => return Err(format!("expected near, lossy, far, --rounds or --only, got `{other}`").into()),
        }
    }
    let home = env::var_os("PORTHOLE_BENCH").ok_or("`cargo xtask bench` says where images are kept")?;
    let home = Path::new(&home);
    fs::create_dir_all(home)?;
    println!("{}; TCP Reno at both ends", machine::describe()?);
    let is_there = |program: &str| program == "porthole" || find(program).is_ok();
    let missing: Vec<_> = PULLS.iter().map(|call| call.program).filter(|program| !is_there(program)).collect();
    println!("  not on PATH: {}", if missing.is_empty() { "none".to_owned() } else { missing.join(", ") });
    let mut failed = false;
    for scene in SCENES.iter().filter(|scene| names.is_empty() || names.contains(&scene.name)) {
        let scratch = Scratch::within(home, "wan-image")?;
        let image = scene.image.make(&scratch.path().join("layout"))?;
        let mut site = Site::new(home, &image)?;
        site.shape(scene.shape)?;
        let wanted = |call: &&Call| is_there(call.program) && (only.is_empty() || only.contains(&call.program));
        let mut rows: Vec<Row<'_>> =
            scene.calls.iter().filter(wanted).map(|call| Row { call, turns: Vec::new(), failure: None }).collect();
        // One run that does not count: addresses of the link's ends become known, files are in memory.
        turn(&site, scene, &OURS, &image, home)?;
        for round in 0..rounds {
            for row in &mut rows {
                eprintln!(
                    "{} {}: round {} of {rounds}, {} {:?}",
                    scene.name,
                    image.name,
                    round + 1,
                    row.call.program,
                    row.call.work
                );
                // Loss falls at random; each run starts with the same dice.
                site.shape(scene.shape)?;
                match turn(&site, scene, row.call, &image, home) {
                    Ok(turn) => row.turns.push(turn),
                    Err(error) => row.failure = Some(error.to_string()),
                }
            }
        }
        print(scene, &image, &rows);
        failed |= rows.iter().any(|row| row.call.program == "porthole" && row.failure.is_some());
    }
    if failed { Err("porthole failed, or its results are wrong".into()) } else { Ok(()) }
}

/// Runs a command line once, and checks its result.
pub(crate) fn turn(site: &Site, scene: &Scene, call: &Call, image: &Image, home: &Path) -> Result<(Usage, Counts)> {
    let scratch = Scratch::within(home, "turn")?;
    let (target, user) = (scratch.path().join("target"), scratch.path().join("home"));
    fs::create_dir_all(&user)?;
    let shown = |path: &Path| path.display().to_string();
    let variables = [
        ("PATH", env::var("PATH").unwrap_or_default()),
        ("HOME", shown(&user)),
        ("TMPDIR", shown(scratch.path())),
        ("LC_ALL", "C".to_owned()),
        ("SSL_CERT_FILE", shown(&site.authority())),
        ("PORTHOLE", shown(&ours("porthole")?)),
        ("HOST", REGISTRY.to_owned()),
        ("FROM", format!("{REGISTRY}/wan/image:bench")),
        ("NAME", "wan/image".to_owned()),
        ("MEDIA_TYPE", image.media_type.clone()),
        ("DIGEST", image.digest.clone()),
        ("BLOBS", image.blobs.join("\n")),
        ("TARGET", shown(&target)),
        ("SCRATCH", shown(scratch.path())),
    ];
    if call.work == Work::PullAgain {
        let first = call.line.replace("$TARGET", "$SCRATCH/first");
        measure::run(&site.near(words(&first, &variables)), &variables, scratch.path())?;
        fs::remove_dir_all(scratch.path().join("first"))?;
    }
    let before = site.counts()?;
    let usage = measure::run(&site.near(words(call.line, &variables)), &variables, scratch.path())?;
    let after = site.counts()?;
    check(scene, call.work, image, scratch.path(), &target).map_err(|error| format!("wrong result: {error}"))?;
    let counts = Counts {
        connections: after.connections - before.connections,
        received: after.received - before.received,
        requests: after.requests - before.requests,
    };
    Ok((usage, counts))
}

fn check(scene: &Scene, work: Work, image: &Image, scratch: &Path, target: &Path) -> Result<()> {
    let files = || (0..scene.image.layers.len()).map(Recipe::file);
    match work {
        Work::Inspect => {
            let shown = fs::read_to_string(scratch.join(measure::OUTPUT))?;
            if shown.contains(&image.digest) { Ok(()) } else { Err(format!("{} is not shown", image.digest).into()) }
        }
        Work::Pull | Work::PullAgain => {
            let found = verified(target)?;
            match image.blobs.iter().chain([&image.digest]).find(|digest| !found.contains(*digest)) {
                Some(missing) => Err(format!("{missing} is not there").into()),
                None => Ok(()),
            }
        }
        Work::List => {
            let listed = fs::read_to_string(scratch.join(measure::OUTPUT))?;
            match files().find(|file| !listed.lines().any(|line| line.trim_start_matches('/') == file)) {
                Some(missing) => Err(format!("{missing} is not listed").into()),
                None => Ok(()),
            }
        }
        // It exits with an error at a wrong digest.
        Work::Verify => Ok(()),
        Work::Unpack => {
            for (file, &size) in files().zip(scene.image.layers) {
                let got = fs::metadata(target.join(&file))?.len();
                if got != size as u64 {
                    return Err(format!("expected {size} bytes of {file}, got {got}").into());
                }
            }
            Ok(())
        }
    }
}

fn print(scene: &Scene, image: &Image, rows: &[Row<'_>]) {
    let Shape { round_trip, rate, lost } = scene.shape;
    println!(
        "\n{}: {}; round trip {round_trip} ms, {rate} Mbit/s, {} % of packets lost each way",
        scene.name,
        image.name,
        lost as f64 / 10.0
    );
    println!(
        "  {:<17} {:>8} {:<17} {:>7} {:>7} {:>8} {:>12} {:>9} {:>8}",
        "", "wall s", "(min-max)", "x wall", "CPU s", "peak MB", "connections", "requests", "x bytes"
    );
    let walls = |row: &Row<'_>| row.turns.iter().map(|(usage, _)| usage.wall).collect::<Vec<_>>();
    let first = rows.first().map(walls).unwrap_or_default();
    for row in rows {
        let name = match row.call.work {
            Work::Inspect => format!("{} inspect", row.call.program),
            Work::Pull => row.call.program.to_owned(),
            Work::PullAgain => format!("{} again", row.call.program),
            Work::List => format!("{} ls", row.call.program),
            Work::Verify => format!("{} verify", row.call.program),
            Work::Unpack => format!("{} unpack", row.call.program),
        };
        if let Some(failure) = &row.failure {
            println!("  {name:<17} failed: {failure}");
        }
        if row.turns.is_empty() {
            continue;
        }
        let own = walls(row);
        let ratio = median(own.iter().zip(&first).map(|(own, first)| own / first).collect());
        let (low, high) = own.iter().fold((f64::MAX, 0.0_f64), |(low, high), &wall| (low.min(wall), high.max(wall)));
        let most = |figure: fn(&(Usage, Counts)) -> u64| row.turns.iter().map(figure).max().unwrap_or_default();
        println!(
            "  {name:<17} {:>8.2} {:<17} {ratio:>7.2} {:>7.2} {:>8} {:>12} {:>9} {:>8.3}",
            median(own),
            format!("({low:.2}-{high:.2})"),
            median(row.turns.iter().map(|(usage, _)| usage.cpu).collect()),
            most(|(usage, _)| usage.peak) / 1_000_000,
            most(|(_, counts)| counts.connections),
            most(|(_, counts)| counts.requests),
            most(|(_, counts)| counts.received) as f64 / image.packed as f64,
        );
    }
}
