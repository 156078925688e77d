//! Runs another program and measures time, CPU and memory.
//!
//! The kernel sums up the usage of all ended children of a process, so each run gets its own parent: this program
//! again, as `bench-transfers measure SECONDS FILE PROGRAM ARGUMENT…`.

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

/// Resources that a run used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Wall time in seconds.
    pub(crate) wall: f64,
    /// CPU seconds, user and system, of the program and all its waited-for descendants.
    pub(crate) cpu: f64,
    /// Largest peak memory of any one of these processes in bytes.
    pub(crate) peak: u64,
}

/// Time limit for a run.
const PATIENCE: Duration = Duration::from_secs(900);

/// Name of the file that receives stdout, in the working directory.
pub(crate) const OUTPUT: &str = "output";

/// Runs a program with exactly these environment variables. An error includes its stderr.
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

/// The child side of [`run`].
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

/// CPU seconds of a running process and its ended children, in steps of 10 ms: fields 14 to 17 of `stat`.
pub(crate) fn cpu(process: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = text.rsplit_once(')').ok_or("a stat without a name")?.1;
    let ticks: Vec<f64> =
        fields.split_whitespace().skip(11).take(4).map(str::parse).collect::<std::result::Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

/// Bytes that a process has read and written, sockets and files combined.
pub(crate) fn traffic(process: u32) -> Result<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{process}/io"))?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Ok((field("rchar:").ok_or("an io without rchar")?, field("wchar:").ok_or("an io without wchar")?))
}
