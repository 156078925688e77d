//! Platforms, and the selection of one from an index by containerd's rules.

use std::{fmt, str::FromStr};

use crate::{
    descriptor::Descriptor,
    failure::{Blame, Classify, Failure, FailureClass},
    hint::Hint,
    media_type::Role,
    quote::quote,
};

/// An operating system and an architecture, as `os/architecture[/variant]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    /// The operating system, by Go's `GOOS`.
    pub os: String,
    /// The architecture, by Go's `GOARCH`.
    pub architecture: String,
    /// The variant of the architecture, such as `v7`.
    pub variant: Option<String>,
    /// The version of the operating system, which matters on Windows.
    pub os_version: Option<String>,
    /// `os.features`: operating system features that the image requires.
    pub os_features: Vec<String>,
}

impl Platform {
    /// A normalised platform: `x86_64` is `amd64`, `aarch64` and `arm64/v8` are `arm64`, `arm` is `arm/v7`.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
            os_version: None,
            os_features: Vec::new(),
        }
        .normalized()
    }

    /// Returns the platform with its usual names, as [`new`](Self::new) lists them.
    #[must_use]
    pub fn normalized(&self) -> Self {
        let os = match self.os.to_ascii_lowercase() {
            os if os == "macos" => "darwin".to_owned(),
            os => os,
        };
        let architecture = self.architecture.to_ascii_lowercase();
        let variant = self.variant.as_deref().unwrap_or_default().to_ascii_lowercase();
        let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
            ("i386", _) => ("386", ""),
            ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
            ("x86_64" | "x86-64" | "amd64", other) => ("amd64", other),
            ("aarch64" | "arm64", "8" | "8.0" | "v8" | "v8.0") => ("arm64", ""),
            ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => ("arm64", "v9"),
            ("aarch64" | "arm64", other) => ("arm64", other),
            ("armhf", _) => ("arm", "v7"),
            ("armel", _) => ("arm", "v6"),
            ("arm", "" | "7") => ("arm", "v7"),
            ("arm", "5") => ("arm", "v5"),
            ("arm", "6") => ("arm", "v6"),
            ("arm", "8") => ("arm", "v8"),
            (architecture, variant) => (architecture, variant),
        };
        Self {
            os,
            architecture: architecture.to_owned(),
            variant: (!variant.is_empty()).then(|| variant.to_owned()),
            os_version: self.os_version.clone().filter(|version| !version.is_empty()),
            os_features: self.os_features.clone(),
        }
    }

    /// Whether operating system or architecture is empty or `unknown`, as in the placeholder `unknown/unknown` that BuildKit
    /// writes for attestations.
    pub fn is_unknown(&self) -> bool {
        [&self.os, &self.architecture].into_iter().any(|part| part.is_empty() || part == "unknown")
    }

    /// Whether a machine of this platform runs an image built for `offer`. [`select`] uses the same rule.
    pub fn runs(&self, offer: &Self) -> bool {
        let (wanted, offer) = (self.normalized(), offer.normalized());
        wanted.accepts_system(&offer) && step(&wanted.ladder(), &offer).is_some()
    }

    /// Whether both name the same operating system and architecture.
    pub(crate) fn is_same_machine(&self, other: &Self) -> bool {
        let (one, other) = (self.normalized(), other.normalized());
        (one.os, one.architecture) == (other.os, other.architecture)
    }

    /// Architectures that a machine of this (normalised) platform runs, preferred first.
    fn ladder(&self) -> Vec<(String, Option<String>)> {
        let mut steps = vec![(self.architecture.clone(), self.variant.clone())];
        let variant = self.variant.as_deref().unwrap_or_default();
        match self.architecture.as_str() {
            "amd64" => {
                let level = number(variant).unwrap_or(1);
                steps.extend((2..level).rev().map(|level| ("amd64".to_owned(), Some(format!("v{level}")))));
                if level > 1 {
                    steps.push(("amd64".to_owned(), None));
                }
                steps.push(("386".to_owned(), None));
            }
            "arm" => steps.extend(arm(number(variant).unwrap_or(5))),
            "arm64" => {
                let variant = if variant.is_empty() { "v8" } else { variant };
                let (major, minor) = variant.split_once('.').unwrap_or((variant, "0"));
                if let (Some(major @ (8 | 9)), Some(minor)) = (number(major), number(minor)) {
                    steps.extend(arm64(major, minor));
                }
                steps.push(("arm".to_owned(), Some("v8".to_owned())));
                steps.extend(arm(8));
            }
            _ => {}
        }
        steps
    }

    /// Whether an image for `offer` (normalised) runs on this operating system.
    fn accepts_system(&self, offer: &Self) -> bool {
        if self.os != offer.os {
            return false;
        }
        match (&self.os_version, &offer.os_version) {
            // A Windows container runs only on the build it was made for.
            (Some(wanted), Some(offered)) if self.os == "windows" => build(wanted) == build(offered),
            _ => true,
        }
    }
}

fn arm(version: u32) -> impl Iterator<Item = (String, Option<String>)> {
    (5..version.min(MAX_VERSION)).rev().map(|version| ("arm".to_owned(), Some(format!("v{version}"))))
}

/// Versions at or below `v<major>.<minor>`. Arm v9.0 extends v8.5, so 9.x runs 8.(x + 5).
fn arm64(major: u32, minor: u32) -> impl Iterator<Item = (String, Option<String>)> {
    let minor = minor.min(MAX_VERSION);
    let (nine, eight) = if major == 9 { (minor, minor + 6) } else { (0, minor) };
    let nines = (0..nine).rev().map(|minor| (9, minor));
    let eights = (0..eight).rev().map(|minor| (8, minor));
    nines.chain(eights).map(|(major, minor)| {
        let variant = match (major, minor) {
            (8, 0) => None,
            (major, 0) => Some(format!("v{major}")),
            (major, minor) => Some(format!("v{major}.{minor}")),
        };
        ("arm64".to_owned(), variant)
    })
}

/// Upper bound for version numbers: no processor has more, and a larger number would only make the list long.
const MAX_VERSION: u32 = 32;

fn number(text: &str) -> Option<u32> {
    text.strip_prefix('v').unwrap_or(text).parse().ok().map(|number: u32| number.min(MAX_VERSION))
}

/// `major.minor.build` of a Windows version, without its revision.
fn build(version: &str) -> &str {
    version.match_indices('.').nth(2).map_or(version, |(at, _)| &version[..at])
}

/// `os/architecture[/variant]`, with the operating system version if there is one: `windows(10.0.17763.1)/amd64`.
impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.os)?;
        if let Some(version) = &self.os_version {
            write!(f, "({version})")?;
        }
        write!(f, "/{}", self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// `[os/]architecture[/variant][:os.version]`, or as [`Display`](fmt::Display) writes it. An architecture alone stands for
/// Linux, as it does in containerd: `arm64`, `arm/v7`.
impl FromStr for Platform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let error = || Error(quote(text.as_bytes()));
        let is_name =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        let (names, version) = match text.split_once(':') {
            Some((names, version)) => (names, Some(version)),
            None => (text, None),
        };
        let mut parts: Vec<_> = names.split('/').collect();
        if parts.first().is_some_and(|first| ARCHITECTURES.contains(first)) {
            parts.insert(0, "linux");
        }
        let (os, architecture, variant) = match parts[..] {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant)),
            _ => return Err(error()),
        };
        let (os, version) = match (os.strip_suffix(')').and_then(|os| os.split_once('(')), version) {
            (Some((os, version)), None) => (os, Some(version)),
            (None, version) => (os, version),
            (Some(_), Some(_)) => return Err(error()),
        };
        if ![Some(os), Some(architecture), variant, version].into_iter().flatten().all(is_name) {
            return Err(error());
        }
        Ok(Self { os_version: version.map(str::to_owned), ..Self::new(os, architecture, variant) })
    }
}

/// Architectures that a platform may name without an operating system, under every name that images use for them.
const ARCHITECTURES: [&str; 20] = [
    "386", "aarch64", "amd64", "arm", "arm64", "armel", "armhf", "i386", "loong64", "mips", "mips64", "mips64le",
    "mipsle", "ppc64", "ppc64le", "riscv64", "s390x", "wasm", "x86-64", "x86_64",
];

/// Text that is not a platform, escaped and truncated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid platform: expected [os/]architecture[/variant][:os.version], got `{0}`")]
pub struct Error(pub String);

/// Selects the best entry of an index for a platform.
///
/// An exact match wins, then an image that the same machine also runs (`arm/v6` on `arm/v7`, `386` on `amd64`), then an
/// entry without a platform; among equals the first in the index. Attestations are never selected. If nothing else matches,
/// a manifest of Docker's schema 1 is selected: reading it fails with the reason.
///
/// # Errors
///
/// [`NoMatch`], which lists the available platforms.
pub fn select<'i>(manifests: &'i [Descriptor], wanted: &Platform) -> Result<&'i Descriptor, NoMatch> {
    let wanted = wanted.normalized();
    let ladder = wanted.ladder();
    let fit = |platform: &Platform| {
        let offer = platform.normalized();
        if wanted.accepts_system(&offer) { step(&ladder, &offer) } else { None }
    };
    manifests
        .iter()
        .filter(|entry| is_image(entry))
        .filter_map(|entry| Some((fit(entry.platform.as_ref()?)?, entry)))
        .min_by_key(|(step, _)| *step)
        .map(|(_, entry)| entry)
        .or_else(|| undeclared(manifests).next())
        .or_else(|| {
            let fits = |entry: &&Descriptor| entry.platform.as_ref().is_none_or(|platform| fit(platform).is_some());
            manifests.iter().filter(|entry| entry.media_type.is_schema_1()).find(fits)
        })
        .ok_or_else(|| NoMatch { wanted, available: available(manifests) })
}

/// The images of an index whose entries name no platform, in document order. Only their configurations have their platforms.
pub fn undeclared(manifests: &[Descriptor]) -> impl Iterator<Item = &Descriptor> {
    let is_artifact = |entry: &Descriptor| entry.artifact_type.as_ref().is_some_and(|kind| kind.role() != Role::Config);
    manifests.iter().filter(move |entry| entry.platform.is_none() && is_image(entry) && !is_artifact(entry))
}

/// Position of an offer in the list of [`Platform::ladder`].
fn step(ladder: &[(String, Option<String>)], offer: &Platform) -> Option<usize> {
    ladder.iter().position(|(architecture, variant)| *architecture == offer.architecture && *variant == offer.variant)
}

/// The platforms of an index, each once, in document order. Attestations are left out.
pub fn available(manifests: &[Descriptor]) -> Vec<Platform> {
    let mut platforms = Vec::new();
    for platform in manifests.iter().filter(|entry| is_image(entry)).filter_map(|entry| entry.platform.as_ref()) {
        let platform = platform.normalized();
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    platforms
}

/// Whether an index entry is an image or a nested index: not an attestation, not an unknown media type.
fn is_image(entry: &Descriptor) -> bool {
    matches!(entry.media_type.role(), Role::Manifest | Role::Index)
        && !entry.annotations.contains_key(ATTESTATION)
        && !entry.platform.as_ref().is_some_and(Platform::is_unknown)
}

/// Annotation by which BuildKit marks an entry that refers to another entry.
const ATTESTATION: &str = "vnd.docker.reference.type";

/// No entry of an index matches the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoMatch {
    /// The requested platform.
    pub wanted: Platform,
    /// Platforms in the index.
    pub available: Vec<Platform>,
}

impl std::error::Error for NoMatch {}

impl Classify for NoMatch {
    fn failure(&self) -> Failure {
        let available = self.available.iter().map(ToString::to_string).collect();
        Failure::new(FailureClass::Platform, Blame::Input).hint(Hint::ChoosePlatform { available })
    }
}

impl fmt::Display for NoMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no image for platform {}", quote(self.wanted.to_string().as_bytes()))?;
        for (position, platform) in self.available.iter().enumerate() {
            f.write_str(if position == 0 { "; available: " } else { ", " })?;
            f.write_str(&quote(platform.to_string().as_bytes()))?;
        }
        Ok(())
    }
}
