//! One run of another program: how long it took, and what it needed.
//!
//! The kernel adds up what all ended children of a process needed, so each run has a parent of its own: this program
//! once more, as `bench-transfers measure SECONDS FILE PROGRAM ARGUMENT…`.

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};
use porthole_tests::{Result, program::find};
use serde_json::{Value, json};
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What one run needed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// CPU seconds of the program and of everything it started and waited for, user and system.
    pub(crate) cpu: f64,
    /// The most memory that any one of these processes had, in bytes.
    pub(crate) peak: u64,
}

/// Longer takes nothing that works.
const PATIENCE: Duration = Duration::from_secs(900);

/// Where a program's stdout goes, in the folder that it runs in.
pub(crate) const OUTPUT: &str = "output";

/// Runs a program with these variables and no others; where it fails, the error carries what it said.
pub(crate) fn run(words: &[String], variables: &[(&str, String)], folder: &Path) -> Result<Usage> {
    let (account, said) = (folder.join("usage.json"), folder.join("said"));
    let status = Command::new(env::current_exe()?)
        .args(["measure", &PATIENCE.as_secs().to_string()])
        .arg(&account)
        .args(words)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(fs::File::create(folder.join(OUTPUT))?)
        .stderr(fs::File::create(&said)?)
        .status()?;
    if !status.success() {
        let said = fs::read_to_string(&said).unwrap_or_default();
        let tail: Vec<&str> = said.lines().rev().take(5).collect();
        return Err(format!("{status}: {}", tail.into_iter().rev().collect::<Vec<_>>().join(" | ")).into());
    }
    let usage: Value = serde_json::from_slice(&fs::read(&account)?)?;
    let number = |name: &str| usage[name].as_f64().ok_or_else(|| format!("an account without {name}"));
    Ok(Usage { wall: number("wall")?, cpu: number("cpu")?, peak: number("peak")? as u64 })
}

/// The other side of [`run`].
pub(crate) fn child(arguments: &[String]) -> Result<()> {
    let [patience, account, program, rest @ ..] = arguments else {
        return Err("expected SECONDS FILE PROGRAM ARGUMENT…".into());
    };
    let (patience, program) = (Duration::from_secs(patience.parse()?), find(program)?);
    let started = Instant::now();
    let mut child = Command::new(program).args(rest).spawn()?;
    let number = child.id();
    thread::spawn(move || {
        thread::sleep(patience);
        Command::new("kill").args(["-KILL", &number.to_string()]).status().ok();
    });
    let status = child.wait()?;
    let wall = started.elapsed().as_secs_f64();
    if !status.success() {
        return Err(status.to_string().into());
    }
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = seconds(used.user_time()) + seconds(used.system_time());
    Ok(fs::write(account, json!({ "wall": wall, "cpu": cpu, "peak": used.max_rss() << 10 }).to_string())?)
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// CPU seconds so far of a process that still runs and of its ended children, in steps of 10 ms: fields 14 to 17 of `stat`.
pub(crate) fn cpu(process: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = text.rsplit_once(')').ok_or("a stat without a name")?.1;
    let ticks: Vec<f64> =
        fields.split_whitespace().skip(11).take(4).map(str::parse).collect::<std::result::Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

/// Bytes that a process has read and written so far, sockets and files alike.
pub(crate) fn traffic(process: u32) -> Result<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{process}/io"))?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Ok((field("rchar:").ok_or("an io without rchar")?, field("wchar:").ok_or("an io without wchar")?))
}
