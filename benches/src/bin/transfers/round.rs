//! One run of one program: fresh folders and storage, the measured command, the check of the result.

use crate::{
    containerd::Containerd,
    image::{FILE, Image, file},
    measure::{self, Usage},
    peers::{Call, Peer, Work},
    tree::Tree,
};
use porthole_core::digest::{Algorithm, Digest};
use porthole_tests::{
    Result, http,
    memory::peak,
    program::ours,
    servers::{Access, Registry, Scratch, Storage},
};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// State shared by all runs.
pub(crate) struct Bench<'b> {
    pub(crate) image: &'b Image,
    /// Registry that serves the image.
    pub(crate) from: &'b Registry,
    /// Folder for outputs and for the storage of target registries.
    pub(crate) folder: &'b Path,
    /// The expected tree of `unpack`, if known.
    pub(crate) truth: Option<&'b Tree>,
}

/// Result of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RunResult {
    pub(crate) usage: Usage,
    /// CPU seconds and peak memory (bytes) of the daemon that did the work.
    pub(crate) daemon: Option<(f64, u64)>,
    /// CPU seconds of the registries.
    pub(crate) servers: f64,
    /// Bytes that the registry sent or received.
    pub(crate) moved: Option<u64>,
}

pub(crate) const REPOSITORY: &str = "bench/image";

impl Bench<'_> {
    /// Runs a command in a new folder with new storage.
    pub(crate) fn turn(&self, peer: &Peer, work: Work, call: Call) -> Result<RunResult> {
        let scratch = Scratch::within(self.folder, "turn")?;
        let target = scratch.path().join("target");
        let to = match work {
            Work::Push | Work::Copy => Some(Registry::start(&Storage::within(scratch.path())?, &Access::Open)?),
            _ => None,
        };
        let daemon = if peer.has_daemon() { Some(Containerd::start(scratch.path())?) } else { None };
        let variables = self.variables(scratch.path(), &target, to.as_ref(), daemon.as_ref())?;
        let each = |lines: &str| {
            lines
                .lines()
                .try_for_each(|line| measure::run(&words(line, &variables), &variables, scratch.path()).map(|_| ()))
        };
        each(call.before)?;
        let servers: Vec<u32> = [Some(self.from), to.as_ref()].into_iter().flatten().map(Registry::process).collect();
        let counts = |process: &u32| {
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((measure::cpu(*process)?, measure::traffic(*process)?))
        };
        let before = servers.iter().map(counts).collect::<Result<Vec<_>>>()?;
        let daemon_before = daemon.as_ref().map(|daemon| measure::cpu(daemon.process())).transpose()?;
        let usage = measure::run(&words(call.line, &variables), &variables, scratch.path())?;
        let after = servers.iter().map(counts).collect::<Result<Vec<_>>>()?;
        let mut turn = RunResult { usage, ..RunResult::default() };
        if let (Some(daemon), Some(before)) = (&daemon, daemon_before) {
            turn.daemon = Some((measure::cpu(daemon.process())? - before, peak(daemon.process())?));
        }
        turn.servers = after.iter().zip(&before).map(|(after, before)| after.0 - before.0).sum();
        turn.moved = match work {
            // Bytes sent by the source registry, or received by the target.
            Work::Pull | Work::Inspect | Work::List | Work::Cat | Work::CatAgain => Some(after[0].1.1 - before[0].1.1),
            Work::Push | Work::Copy => after.last().zip(before.last()).map(|(after, before)| after.1.0 - before.1.0),
            Work::Manifest | Work::Unpack | Work::Verify => None,
        };
        let checked = self.check(peer, work, scratch.path(), &target, to.as_ref(), daemon.as_ref());
        let ended = each(call.after);
        checked.map_err(|error| format!("wrong result: {error}"))?;
        ended.map(|()| turn)
    }

    fn variables(
        &self,
        scratch: &Path,
        target: &Path,
        to: Option<&Registry>,
        daemon: Option<&Containerd>,
    ) -> Result<Vec<(&'static str, String)>> {
        let (image, home) = (self.image, scratch.join("home"));
        fs::create_dir_all(&home)?;
        let shown = |path: &Path| path.display().to_string();
        let mut variables = vec![
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("HOME", shown(&home)),
            ("TMPDIR", shown(scratch)),
            ("LC_ALL", "C".to_owned()),
            ("PORTHOLE", shown(&ours("porthole")?)),
            ("FROM_HOST", self.from.host()),
            ("FROM", format!("{}/{REPOSITORY}:bench", self.from.host())),
            ("NAME", REPOSITORY.to_owned()),
            ("MEDIA_TYPE", image.media_type.clone()),
            ("DIGEST", image.digest.clone()),
            ("BLOBS", image.blobs.join("\n")),
            ("LAYERS", image.layers.join("\n")),
            ("LAYOUT", shown(&image.layout)),
            ("FILE", FILE.to_owned()),
            ("FILE_LAYER", image.layers.iter().rev().nth(1).cloned().unwrap_or_default()),
            ("TARGET", shown(target)),
            ("SCRATCH", shown(scratch)),
        ];
        if let Some(to) = to {
            variables.extend([("TO_HOST", to.host()), ("TO", format!("{}/{REPOSITORY}:bench", to.host()))]);
        }
        variables.extend(daemon.map(|daemon| ("SOCKET", daemon.socket())));
        Ok(variables)
    }

    /// Whether these bytes are the image's manifest.
    fn is_manifest(&self, bytes: &[u8]) -> Result<()> {
        let got = Digest::of(Algorithm::Sha256, bytes).to_string();
        if got == self.image.digest { Ok(()) } else { Err(format!("expected {}, got {got}", self.image.digest).into()) }
    }

    fn check(
        &self,
        peer: &Peer,
        work: Work,
        scratch: &Path,
        target: &Path,
        to: Option<&Registry>,
        daemon: Option<&Containerd>,
    ) -> Result<()> {
        match work {
            Work::Manifest => self.is_manifest(&fs::read(scratch.join(measure::OUTPUT))?),
            Work::Pull => {
                let found = verified(&daemon.map_or_else(|| target.to_owned(), Containerd::content))?;
                let wanted = self.image.blobs.iter().chain([&self.image.digest]);
                match wanted.into_iter().find(|digest| !found.contains(*digest)) {
                    Some(missing) => Err(format!("{missing} is not there").into()),
                    None => Ok(()),
                }
            }
            Work::Push | Work::Copy => {
                verified(scratch)?;
                let to = to.ok_or("no registry")?;
                let accept = [("accept", self.image.media_type.as_str())];
                let answer =
                    http::request(to.port(), "GET", &format!("/v2/{REPOSITORY}/manifests/bench"), &accept, b"")?;
                self.is_manifest(&answer.body)
            }
            Work::Inspect => {
                let output = fs::read(scratch.join(measure::OUTPUT))?;
                // Of a configuration alone the digest is known; a report names the manifest.
                let is_config = self.image.blobs.contains(&Digest::of(Algorithm::Sha256, &output).to_string());
                let named = String::from_utf8_lossy(&output).contains(&self.image.digest);
                if is_config || named { Ok(()) } else { Err("neither the configuration nor a report of it".into()) }
            }
            Work::List => {
                let output = fs::read(scratch.join(measure::OUTPUT))?;
                let listed = String::from_utf8_lossy(&output).lines().any(|line| line.trim_start_matches("./") == FILE);
                if listed { Ok(()) } else { Err(format!("{FILE} is not listed").into()) }
            }
            Work::Cat | Work::CatAgain => {
                let output = fs::read(scratch.join(measure::OUTPUT))?;
                if output == file().as_bytes() { Ok(()) } else { Err(format!("not the content of {FILE}").into()) }
            }
            // Each program exits with an error at a wrong digest.
            Work::Verify => Ok(()),
            Work::Unpack => {
                let rootfs = target.join("rootfs");
                let root = if rootfs.is_dir() { rootfs.as_path() } else { target };
                match self.truth {
                    Some(truth) if !peer.is_floor() => Tree::read(root)?.compare(truth),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// Splits a command line and substitutes variables. A script becomes an argument of `sh -e`.
pub(crate) fn words(line: &str, variables: &[(&str, String)]) -> Vec<String> {
    if line.contains('\n') {
        return vec!["sh".into(), "-ec".into(), line.into()];
    }
    let put_in = |word: &str| {
        // Longest name first: some names are prefixes of others.
        let mut by_length: Vec<_> = variables.iter().collect();
        by_length.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        by_length.iter().fold(word.to_owned(), |word, (name, value)| word.replace(&format!("${name}"), value))
    };
    line.split_whitespace().map(put_in).collect()
}

/// The digests of all files named by their digest, computed from their content. Digests that a floor wrote to `….sum`
/// files must match too.
pub(crate) fn verified(folder: &Path) -> Result<HashSet<String>> {
    let mut digests = HashSet::new();
    let mut pending: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                pending.push(path);
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = name.strip_prefix("sha256:").unwrap_or(&name);
            let hex = name.strip_suffix(".sum").unwrap_or(name);
            if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                continue;
            }
            let bytes = fs::read(&path)?;
            if name == hex {
                let digest = Digest::of(Algorithm::Sha256, &bytes).to_string();
                if !digest.ends_with(hex) {
                    return Err(format!("{hex} has the bytes of {digest}").into());
                }
                digests.insert(digest);
            } else if !bytes.starts_with(hex.as_bytes()) {
                return Err(format!("{hex} was found to be {}", String::from_utf8_lossy(&bytes)).into());
            }
        }
    }
    Ok(digests)
}
