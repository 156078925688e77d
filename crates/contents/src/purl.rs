//! Package URLs: `pkg:type/namespace/name@version?qualifiers` (package-url/purl-spec).

use crate::{
    database::Release,
    package::{Ecosystem, Package},
};
use std::fmt::Write as _;

/// The package URL of a package in an image of that distribution.
pub fn purl(package: &Package, release: Option<&Release>) -> String {
    let Package { ecosystem, name, version, architecture, .. } = package;
    let distribution = release.map(|release| release.id.as_str());
    let (namespace, name) = match ecosystem {
        Ecosystem::Deb => (distribution.unwrap_or("debian").to_owned(), name.to_lowercase()),
        Ecosystem::Apk => (distribution.unwrap_or("alpine").to_owned(), name.to_lowercase()),
        Ecosystem::Rpm => (distribution.unwrap_or_default().to_owned(), name.clone()),
        Ecosystem::Pypi => (String::new(), name.to_lowercase().replace('_', "-")),
        Ecosystem::Npm | Ecosystem::Composer | Ecosystem::Golang => apart(&name.to_lowercase(), '/'),
        Ecosystem::Maven => apart(name, ':'),
        Ecosystem::Gem | Ecosystem::Nuget | Ecosystem::Cargo => (String::new(), name.clone()),
    };
    let mut purl = format!("pkg:{ecosystem}/");
    for part in namespace.split('/').filter(|part| !part.is_empty()) {
        encode(part, &mut purl);
        purl.push('/');
    }
    encode(&name, &mut purl);
    // rpm's epoch is a qualifier.
    let epoch = version.split_once(':').filter(|_| *ecosystem == Ecosystem::Rpm);
    let version = epoch.map_or(version.as_str(), |(_, version)| version);
    if !version.is_empty() {
        purl.push('@');
        encode(version, &mut purl);
    }
    let system = matches!(ecosystem, Ecosystem::Deb | Ecosystem::Apk | Ecosystem::Rpm);
    let distro =
        release.filter(|_| system).and_then(|release| Some(format!("{}-{}", release.id, release.version.as_ref()?)));
    let architecture = architecture.as_deref();
    let (arch, platform) = if *ecosystem == Ecosystem::Gem { (None, architecture) } else { (architecture, None) };
    let qualifiers = [
        ("arch", arch),
        ("distro", distro.as_deref()),
        ("epoch", epoch.map(|(epoch, _)| epoch)),
        ("platform", platform.filter(|platform| *platform != "ruby")),
    ];
    let mut separator = '?';
    for (name, value) in qualifiers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        let _ = write!(purl, "{separator}{name}=");
        encode(value, &mut purl);
        separator = '&';
    }
    purl
}

/// The parts of a package URL that tell packages apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurlParts {
    /// The type, in lower case.
    pub kind: String,
    /// The namespace before the name, without percent-encoding; empty if there is none.
    pub namespace: String,
    /// The name, without percent-encoding.
    pub name: String,
    /// The version. An `epoch` among the qualifiers is part of it.
    pub version: Option<String>,
    /// The path below the package; empty if there is none.
    pub subpath: String,
}

impl PurlParts {
    /// Reads a package URL; `None` if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("pkg:")?.trim_start_matches('/');
        let (rest, subpath) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, rest) = rest.split_once('/')?;
        // The `@` of a scope of npm may be written as it is, at the start of a part.
        let at = rest.rfind('@').filter(|&at| at > 0 && !rest[..at].ends_with('/') && !rest[at..].contains('/'));
        let (path, version) = at.map_or((rest, None), |at| (&rest[..at], Some(decode(&rest[at + 1..]))));
        let path = path.trim_matches('/');
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let epoch = qualifiers.split('&').find_map(|qualifier| qualifier.strip_prefix("epoch="));
        let version = version.map(|version| match epoch.filter(|_| !version.contains(':')) {
            Some(epoch) => format!("{epoch}:{version}"),
            None => version,
        });
        let (namespace, name, subpath) = (decode(namespace), decode(name), decode(subpath.trim_matches('/')));
        (!name.is_empty()).then(|| Self { kind: kind.to_ascii_lowercase(), namespace, name, version, subpath })
    }

    /// The name as [`Package::name`] has it.
    pub fn full_name(&self, ecosystem: Ecosystem) -> String {
        let Self { namespace, name, subpath, .. } = self;
        match ecosystem {
            Ecosystem::Maven if !namespace.is_empty() => format!("{namespace}:{name}"),
            Ecosystem::Npm | Ecosystem::Composer if !namespace.is_empty() => format!("{namespace}/{name}"),
            // Some tools write the end of a module's path as a path below it.
            Ecosystem::Golang => {
                let parts = [namespace, name, subpath].into_iter().filter(|part| !part.is_empty());
                parts.map(String::as_str).collect::<Vec<_>>().join("/")
            }
            _ => name.clone(),
        }
    }
}

/// A name in a form that is the same for every way to write it in that ecosystem.
pub fn comparable_name(ecosystem: Ecosystem, name: &str) -> String {
    match ecosystem {
        // PEP 503: runs of these are one hyphen.
        Ecosystem::Pypi => {
            let lower = name.to_lowercase();
            lower.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
        }
        Ecosystem::Rpm | Ecosystem::Maven | Ecosystem::Gem | Ecosystem::Cargo => name.to_owned(),
        _ => name.to_lowercase(),
    }
}

/// A version in a form that is the same for every way to write it in that ecosystem.
pub fn comparable_version(ecosystem: Ecosystem, version: &str) -> String {
    let version = match ecosystem {
        Ecosystem::Rpm => version.split_once(':').map_or(version, |(_, version)| version),
        Ecosystem::Deb => version.strip_prefix("0:").unwrap_or(version),
        Ecosystem::Golang => {
            let version = version.strip_prefix("go").unwrap_or(version);
            version.strip_prefix('v').unwrap_or(version)
        }
        Ecosystem::Composer => version.strip_prefix('v').unwrap_or(version),
        _ => version,
    };
    version.to_owned()
}

/// Decodes percent-encoding. An invalid sequence stays as it is.
fn decode(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (bytes, mut decoded) = (text.as_bytes(), Vec::with_capacity(text.len()));
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Namespace and name, apart at the last separator.
fn apart(name: &str, separator: char) -> (String, String) {
    let (namespace, name) = name.rsplit_once(separator).unwrap_or(("", name));
    (namespace.to_owned(), name.to_owned())
}

/// Percent-encodes all but letters, digits and `-._~:`.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => out.push(byte.into()),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_url_is_taken_apart() {
        let parts = |text: &str| {
            let parts = PurlParts::parse(text)?;
            Some(format!("{} {} {} {:?} {}", parts.kind, parts.namespace, parts.name, parts.version, parts.subpath))
        };
        for (text, expected) in [
            ("pkg:deb/debian/a%2Bb@1:2-3?arch=amd64", Some(r#"deb debian a+b Some("1:2-3") "#)),
            ("pkg:RPM/a@2?arch=x&epoch=1", Some(r#"rpm  a Some("1:2") "#)),
            ("pkg:npm/@scope/a@1.0", Some(r#"npm @scope a Some("1.0") "#)),
            ("pkg:npm/@scope/a", Some("npm @scope a None ")),
            ("pkg:npm/%40scope/a@1%", Some(r#"npm %scope a Some("1%") "#)),
            ("pkg:golang/g.c/a/b@v1#c/d", Some(r#"golang g.c/a b Some("v1") c/d"#)),
            ("pkg://gem/rake@13", Some(r#"gem  rake Some("13") "#)),
            ("pkg:gem/", None),
            ("pkg:gem", None),
            ("cpe:/a", None),
            ("", None),
        ] {
            assert_eq!(
                parts(text).as_deref(),
                expected.map(|text| text.replace("%scope", "@scope")).as_deref(),
                "{text}"
            );
        }
    }

    #[test]
    fn names_are_in_the_form_of_their_type() {
        let debian = Release { id: "debian".into(), version: Some("12".into()), name: None };
        for (ecosystem, name, version, architecture, expected) in [
            (
                Ecosystem::Deb,
                "libstdc++6",
                "1:12.2.0-14+b1",
                Some("amd64"),
                "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bb1?arch=amd64&distro=debian-12",
            ),
            (
                Ecosystem::Rpm,
                "bash",
                "1:5.2-1",
                Some("x86_64"),
                "pkg:rpm/debian/bash@5.2-1?arch=x86_64&distro=debian-12&epoch=1",
            ),
            (Ecosystem::Npm, "@angular/core", "12.3.1", None, "pkg:npm/%40angular/core@12.3.1"),
            (Ecosystem::Pypi, "PyYAML_x", "6.0", None, "pkg:pypi/pyyaml-x@6.0"),
            (
                Ecosystem::Golang,
                "github.com/Masterminds/semver/v3",
                "v3.2.0",
                None,
                "pkg:golang/github.com/masterminds/semver/v3@v3.2.0",
            ),
            (Ecosystem::Golang, "stdlib", "1.22", None, "pkg:golang/stdlib@1.22"),
            (Ecosystem::Maven, "org.apache:log4j", "2.17", None, "pkg:maven/org.apache/log4j@2.17"),
            (Ecosystem::Gem, "nokogiri", "1.16", Some("x86_64-linux"), "pkg:gem/nokogiri@1.16?platform=x86_64-linux"),
            (Ecosystem::Gem, "rake", "13", Some("ruby"), "pkg:gem/rake@13"),
            (Ecosystem::Composer, "Monolog/monolog", "3.5", None, "pkg:composer/monolog/monolog@3.5"),
            (Ecosystem::Nuget, "Serilog", "3.1", None, "pkg:nuget/Serilog@3.1"),
            (Ecosystem::Cargo, "serde", "1.0", None, "pkg:cargo/serde@1.0"),
        ] {
            let package =
                Package { architecture: architecture.map(str::to_owned), ..Package::new(ecosystem, name, version) };
            assert_eq!(purl(&package, Some(&debian)), expected);
        }
        assert_eq!(purl(&Package::new(Ecosystem::Apk, "musl", "1.2"), None), "pkg:apk/alpine/musl@1.2");
    }
}
