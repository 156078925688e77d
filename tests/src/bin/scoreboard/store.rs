//! The store on a full disk, and with sixteen concurrent processes.

use crate::{
    Scale,
    attempt::{LIMIT, Row, Verdict, run},
    mean::{Mean, image},
};
use porthole_tests::{Result, program::ours, servers::Scratch};
use std::{path::Path, process::Command, thread};

pub(crate) fn rows(scale: Scale) -> Result<Vec<Row>> {
    Ok(vec![full_disks(scale)?, few_files(scale)?, crowd(scale)?])
}

fn porthole(home: &Path, store: &Path, arguments: &[&str]) -> Result<Command> {
    let mut porthole = Command::new(ours("porthole")?);
    porthole.current_dir(home).env_clear().env("HOME", home).arg("--store").arg(store).arg("--quiet").args(arguments);
    Ok(porthole)
}

/// A small disk, unmounted on drop.
struct Disk(Scratch);

impl Disk {
    /// Mounts a disk. `None` if this process may not mount.
    fn new(kibibytes: u32) -> Result<Option<Self>> {
        let folder = Scratch::new("disk")?;
        let size = format!("size={kibibytes}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output()?;
        Ok(mounted.status.success().then_some(Self(folder)))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.0.path()).output().ok();
    }
}

/// Pulls to disks of increasing size. Each pull must be complete, or fail with an error.
fn full_disks(scale: Scale) -> Result<Row> {
    let mean = Mean::start(image(1 << 20), |_, _, _| None)?;
    let name = format!("{}/a/b:1", mean.authority);
    let mut row = Row::new("pull onto a full disk");
    let steps = scale.of(24, 144);
    for step in 0..steps {
        let Some(disk) = Disk::new(4 + step * 1400 / steps)? else {
            row.notes.push("not tried: no right to mount a small disk".to_owned());
            return Ok(row);
        };
        let home = Scratch::new("disk-home")?;
        let store = disk.0.path().join("store");
        let ran = run(&mut porthole(home.path(), &store, &["pull", &name])?, LIMIT)?;
        let check = run(&mut porthole(home.path(), &store, &["store", "check"])?, LIMIT)?;
        let verified = run(&mut porthole(home.path(), &store, &["verify", &format!("store:{name}")])?, LIMIT)?;
        let complete = verified.code == Some(0);
        // If the store could not be created, there is nothing to lose.
        let damaged = check.code == Some(7) || ran.code == Some(0) && !complete;
        row.add(&Verdict {
            survived: ran.ended_well(),
            lost: damaged,
            peak: ran.peak,
            note: format!("{} KiB: {}, check {}", 4 + step * 1400 / steps, ran.said(), check.said()),
            ..Verdict::default()
        });
    }
    Ok(row)
}

/// Pulls with a low limit on open files. Each pull must be complete, or fail with an error.
fn few_files(scale: Scale) -> Result<Row> {
    let mean = Mean::start(image(1 << 20), |_, _, _| None)?;
    let name = format!("{}/a/b:1", mean.authority);
    let mut row = Row::new("pull with few open files");
    for files in (8..56).step_by(if scale.long { 1 } else { 4 }) {
        let home = Scratch::new("files")?;
        let store = home.path().join("store");
        let whole = porthole(home.path(), &store, &["pull", &name])?;
        let mut limited = Command::new("sh");
        limited.current_dir(home.path()).env_clear().env("HOME", home.path());
        limited
            .args(["-c", &format!("ulimit -n {files}; exec \"$@\""), "sh"])
            .arg(whole.get_program())
            .args(whole.get_args());
        let ran = run(&mut limited, LIMIT)?;
        let check = run(&mut porthole(home.path(), &store, &["store", "check"])?, LIMIT)?;
        let verified = run(&mut porthole(home.path(), &store, &["verify", &format!("store:{name}")])?, LIMIT)?;
        row.add(&Verdict {
            survived: ran.ended_well(),
            lost: check.code == Some(7) || ran.code == Some(0) && verified.code != Some(0),
            peak: ran.peak,
            note: format!("{files} files: {}", ran.said()),
            ..Verdict::default()
        });
    }
    Ok(row)
}

/// Sixteen processes pull, tag, remove and sweep in one store.
fn crowd(scale: Scale) -> Result<Row> {
    let means: Vec<Mean> = (1..=4).map(|n| Mean::start(image(n * 300_000), |_, _, _| None)).collect::<Result<_>>()?;
    let names: Vec<String> = means.iter().map(|mean| format!("{}/a/b:1", mean.authority)).collect();
    let home = Scratch::new("crowd")?;
    let store = home.path().join("store");
    let rounds = scale.of(4, 20);
    let mut row = Row::new("sixteen processes in one store");
    for _ in 0..rounds {
        let outcomes: Vec<Result<_>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..16_usize)
                .map(|number| {
                    let (name, home, store) = (&names[number % 4], home.path(), &store);
                    scope.spawn(move || {
                        let words: &[&str] = match number / 4 {
                            0 | 1 => &["pull", name],
                            2 => &["images"],
                            _ => &["gc"],
                        };
                        run(&mut porthole(home, store, words)?, LIMIT)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err("a thread panicked".into())))
                .collect()
        });
        let check = run(&mut porthole(home.path(), &store, &["store", "check"])?, LIMIT)?;
        for ran in outcomes {
            let ran = ran?;
            row.add(&Verdict {
                survived: ran.code == Some(0),
                lost: check.code != Some(0),
                peak: ran.peak,
                note: ran.said(),
                ..Verdict::default()
            });
        }
    }
    Ok(row)
}
