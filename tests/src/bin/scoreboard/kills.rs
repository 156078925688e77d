//! Kills at random points. What was complete before must be complete afterwards, and the next run must finish the work.

use crate::{
    Scale,
    attempt::{LIMIT, Row, Verdict, run},
    mean::{Mean, image},
};
use porthole_testkit::registry::{Internet, Site, Socket};
use porthole_tests::{Result, program::ours, servers::Scratch};
use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

pub(crate) fn rows(scale: Scale) -> Result<Vec<Row>> {
    let kills = scale.of(40, 250);
    Ok(vec![pulls(kills)?, pushes(kills)?, unpacks(kills)?, sweeps(kills)?])
}

fn porthole(home: &Path, arguments: &[&str]) -> Result<Command> {
    let mut porthole = Command::new(ours("porthole")?);
    porthole.current_dir(home).env_clear().env("HOME", home).args(["--store", "store", "--quiet"]).args(arguments);
    Ok(porthole)
}

/// Measures how long a command takes when it is not killed.
fn measured(command: &mut Command) -> Result<Duration> {
    let started = Instant::now();
    let ran = run(command, LIMIT)?;
    if ran.code != Some(0) {
        return Err(format!("a command that is not killed fails: {}", ran.said()).into());
    }
    Ok(started.elapsed())
}

/// Runs a command and kills it after a part of the time that it takes.
fn killed(command: &mut Command, takes: Duration, turn: u32, turns: u32) -> Result<()> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    // Spread over the whole run, in an order without a pattern.
    let part = f64::from(turn.wrapping_mul(7919) % turns) / f64::from(turns);
    thread::sleep(takes.mul_f64(part));
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn done(command: &mut Command) -> Result<bool> {
    Ok(run(command, LIMIT)?.code == Some(0))
}

fn pulls(kills: u32) -> Result<Row> {
    let image = image(6 << 20);
    let mean = Mean::start(image.clone(), |_, _, _| None)?;
    let name = format!("{}/a/b:1", mean.authority);
    let mut row = Row::new("pull killed");
    let first = Scratch::new("kills")?;
    let takes = measured(&mut porthole(first.path(), &["pull", &name])?)?;
    for turn in 0..kills {
        let home = Scratch::new("kills")?;
        killed(&mut porthole(home.path(), &["pull", &name])?, takes, turn, kills)?;
        let whole = done(&mut porthole(home.path(), &["store", "check"])?)?;
        let again = done(&mut porthole(home.path(), &["pull", &name])?)?;
        let verified = done(&mut porthole(home.path(), &["verify", &format!("store:{name}")])?)?;
        row.add(&Verdict {
            survived: again,
            lost: !whole || again && !verified,
            note: format!("turn {turn}"),
            ..Verdict::default()
        });
    }
    Ok(row)
}

fn pushes(kills: u32) -> Result<Row> {
    let image = image(3 << 20);
    let digest = image.manifest.digest.clone();
    let home = Scratch::new("kills")?;
    image.into_content("1").write_layout(&home.path().join("layout"))?;
    let mut row = Row::new("push killed");
    let registry = || -> Result<(Internet, Socket)> {
        let internet = Internet::new();
        let socket = Socket::serve(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, &internet)?;
        internet.site(socket.authority(), Site::new());
        Ok((internet, socket))
    };
    let push =
        |socket: &Socket| porthole(home.path(), &["push", "oci:layout:1", &format!("{}/a/b:1", socket.authority())]);
    let takes = measured(&mut push(&registry()?.1)?)?;
    for turn in 0..kills {
        let (internet, socket) = registry()?;
        killed(&mut push(&socket)?, takes, turn, kills)?;
        // A tag must point to an image whose blobs are all in the registry.
        let whole = |site: &Site| {
            site.content("a/b").is_none_or(|content| {
                let named = content.roots.iter().any(|root| root.name.is_some());
                !named || content.blobs.len() >= 3 && content.blobs.contains_key(&digest)
            })
        };
        let kept = internet.look(socket.authority(), whole).unwrap_or(false);
        let again = done(&mut push(&socket)?)?;
        row.add(&Verdict { survived: again, lost: !kept, note: format!("turn {turn}"), ..Verdict::default() });
    }
    Ok(row)
}

fn unpacks(kills: u32) -> Result<Row> {
    let home = Scratch::new("kills")?;
    image(6 << 20).into_content("1").write_layout(&home.path().join("layout"))?;
    let mut row = Row::new("unpack killed");
    let takes = measured(&mut porthole(home.path(), &["unpack", "oci:layout:1", "first"])?)?;
    for turn in 0..kills {
        let name = format!("root{turn}");
        killed(&mut porthole(home.path(), &["unpack", "oci:layout:1", &name])?, takes, turn, kills)?;
        let folder = home.path().join(&name);
        // The directory is complete or does not exist.
        let half = folder.exists() && folder.join("noise").metadata().map_or(0, |file| file.len()) != 6 << 20;
        let again = folder.exists() || done(&mut porthole(home.path(), &["unpack", "oci:layout:1", &name])?)?;
        row.add(&Verdict { survived: again, lost: half, note: format!("turn {turn}"), ..Verdict::default() });
        std::fs::remove_dir_all(&folder).ok();
    }
    Ok(row)
}

fn sweeps(kills: u32) -> Result<Row> {
    let home = Scratch::new("kills")?;
    image(1 << 20).into_content("1").write_layout(&home.path().join("kept"))?;
    image(2 << 20).into_content("1").write_layout(&home.path().join("other"))?;
    let copy =
        |from: &str, to: &str| porthole(home.path(), &["copy", &format!("oci:{from}:1"), &format!("store:{to}")]);
    measured(&mut copy("kept", "kept")?)?;
    let mut row = Row::new("gc killed");
    let mut takes = Duration::from_millis(50);
    for turn in 0..kills {
        measured(&mut copy("other", "other")?)?;
        measured(&mut porthole(home.path(), &["rm", "other"])?)?;
        if turn == 0 {
            takes = measured(&mut porthole(home.path(), &["gc"])?)?;
            continue;
        }
        killed(&mut porthole(home.path(), &["gc"])?, takes, turn, kills)?;
        let whole = done(&mut porthole(home.path(), &["store", "check"])?)?
            && done(&mut porthole(home.path(), &["verify", "store:kept"])?)?;
        let again = done(&mut porthole(home.path(), &["gc"])?)?;
        row.add(&Verdict { survived: again, lost: !whole, note: format!("turn {turn}"), ..Verdict::default() });
    }
    Ok(row)
}
