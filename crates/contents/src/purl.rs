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
