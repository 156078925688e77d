//! Peak memory of processes, from `/proc`.

use crate::Result;
use std::{collections::BTreeMap, fs};

/// Peak memory of a process in bytes.
pub fn peak(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Ok(kibibytes.ok_or("the process has no VmHWM")? << 10)
}

/// Peak memory in bytes of the largest renderer process below a WebDriver process.
pub fn renderer_peak(driver: u32) -> Result<u64> {
    let peaks = renderers(driver)?.into_iter().filter_map(|process| peak(process).ok());
    peaks.max().ok_or_else(|| "the browser has no renderer".into())
}

/// The renderer processes below a WebDriver process.
pub fn renderers(driver: u32) -> Result<Vec<u32>> {
    let parents = parents()?;
    let below = |process: u32| {
        std::iter::successors(Some(process), |child| parents.get(child).copied())
            .take(64)
            .any(|ancestor| ancestor == driver)
    };
    let renders = |process: u32| {
        fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| contains(&line, b"--type=renderer"))
    };
    Ok(parents.keys().copied().filter(|&process| below(process) && renders(process)).collect())
}

fn parents() -> Result<BTreeMap<u32, u32>> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end while the list is read.
        let Ok(status) = fs::read_to_string(format!("/proc/{process}/status")) else { continue };
        if let Some(parent) = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok()) {
            parents.insert(process, parent);
        }
    }
    Ok(parents)
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_memory() {
        assert!(peak(std::process::id()).unwrap() > 100_000);
    }
}
