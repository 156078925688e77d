//! Describes the machine.

use porthole_tests::{Result, program::run};
use std::{fs, path::Path, thread};

/// Processor, memory, operating system and load.
pub(crate) fn describe() -> Result<String> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let model = value(&processors, "model name", ':').unwrap_or("unknown processor");
    let memory = value(&fs::read_to_string("/proc/meminfo")?, "MemTotal", ':').and_then(kibibytes).unwrap_or_default();
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = value(&release, "PRETTY_NAME", '=').unwrap_or("Linux").trim_matches('"').to_owned();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let kernel: String = kernel.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(format!(
        "{} x {model}, {} GiB, {system}, Linux {kernel}, load {}",
        thread::available_parallelism()?,
        (memory + (1 << 29)) >> 30,
        load.split(' ').next().unwrap_or_default(),
    ))
}

/// Free bytes and type of a folder's file system.
pub(crate) fn file_system(folder: &Path) -> Result<(u64, String)> {
    let said = run("df", ["--block-size=1", "--output=avail,fstype", &folder.display().to_string()])?;
    let mut words = said.lines().nth(1).unwrap_or_default().split_whitespace();
    Ok((words.next().ok_or("df says nothing")?.parse()?, words.next().unwrap_or_default().to_owned()))
}

/// Whether a tmpfs has room for `bytes`, with as much again left for the programs.
pub(crate) fn has_room(folder: &Path, bytes: u64) -> Result<bool> {
    let free =
        value(&fs::read_to_string("/proc/meminfo")?, "MemAvailable", ':').and_then(kibibytes).unwrap_or_default();
    Ok(folder.is_dir() && file_system(folder)?.0 > bytes && free > bytes * 2)
}

fn value<'t>(text: &'t str, name: &str, separator: char) -> Option<&'t str> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start().strip_prefix(separator)?.trim()))
}

/// Parses a number of kibibytes with its unit. Returns bytes.
fn kibibytes(text: &str) -> Option<u64> {
    Some(text.strip_suffix(" kB")?.trim().parse::<u64>().ok()? << 10)
}
