//! Reading a layer takes little memory, even if it unpacks to many bytes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const MIB: u64 = 1 << 20;
const ZEROS: u64 = 512 * MIB;
const BLOCK: u32 = 128 << 10;

/// An archive with one file of zeros, as two zstd frames: the header in a raw block, the zeros in blocks of a repeated byte.
fn zeros() -> Vec<u8> {
    let mut header = [0; 512];
    header[..4].copy_from_slice(b"file");
    header[124..135].copy_from_slice(format!("{ZEROS:011o}").as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let start = [0x28, 0xb5, 0x2f, 0xfd, 0, 0x38];
    let mut bytes = [&start, &(512u32 << 3 | 1).to_le_bytes()[..3], &header].concat();
    bytes.extend_from_slice(&start);
    let blocks = ZEROS / u64::from(BLOCK);
    for number in 1..=blocks {
        bytes.extend_from_slice(&(BLOCK << 3 | 1 << 1 | u32::from(number == blocks)).to_le_bytes()[..3]);
        bytes.push(0);
    }
    bytes
}

/// Returns the maximum resident memory of a process in bytes. Polls until the process ends.
fn peak(child: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak = line.and_then(|number| number.parse::<u64>().ok()).map_or(peak, |kibibytes| kibibytes << 10);
        thread::sleep(Duration::from_millis(5));
    }
    peak
}

#[test]
fn verifying_half_a_gibibyte_of_zeros_takes_few_mebibytes() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("layer"), zeros()).unwrap();
    for (arguments, code) in [
        (&["verify", "--no-cache", "layer:layer"][..], 0),
        (&["verify", "--no-cache", "--limit", "expansion_grace=64MiB", "layer:layer"][..], 9),
    ] {
        let mut porthole = Command::new(env!("CARGO_BIN_EXE_porthole"));
        porthole.args(arguments).current_dir(place.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = porthole.spawn().unwrap();
        let peak = peak(&mut child);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{arguments:?}");
        assert!(peak < 64 * MIB, "{arguments:?} took {} MiB", peak / MIB);
    }
}
