//! The fragment of the page's URL: everything after `#`, which a browser does not send to the host of the page.
//!
//! `#/v1/<reference>?platform=…&view=…&layer=…&path=…&line=…&offset=…&read=1&tab=…&with=…&with-platform=…&ignore=…&base=…&find=…&regex=1&nocase=1
//! &utf16=1&glob=…&name=…&type=…&deleted=1&confidence=…
//! &list=repositories&order=version&names=…&map=…&area=download` — each part optional and percent-encoded, unknown keys kept.

use crate::protocol::{
    MapMeasure, NameList, NameQuery, NameSort, PackageQuery, SearchQuery, ShownConfidence, ViewMode,
};
use porthole_core::digest::hex_digit;
use std::fmt;

/// What the address names. `Default` is the start page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The reference as typed; `None` is the start page.
    pub reference: Option<String>,
    /// Chosen platform, `os/architecture[/variant]`; `None` lets the page choose.
    pub platform: Option<String>,
    /// Which files are listed.
    pub view: ViewMode,
    /// The layer that `upto` and `only` name: its digest, or its number from 1 where two layers share a digest.
    pub layer: Option<String>,
    /// The selected path, escaped as `porthole ls --json` escapes it.
    pub path: Option<String>,
    /// A line of the selected file, from 1.
    pub line: Option<u32>,
    /// Offset from which the selected file is shown in hexadecimal. `None`: its content is shown by its type.
    pub offset: Option<u64>,
    /// The selected file is read over the whole middle pane.
    pub reading: bool,
    /// The open tab.
    pub tab: Tab,
    /// The image to compare with, as typed.
    pub with: Option<String>,
    /// The platform of that image.
    pub with_platform: Option<String>,
    /// What the comparison leaves out, by the names of `porthole diff --ignore`, separated by commas.
    pub ignore: Option<String>,
    /// The possible base image, as typed.
    pub base: Option<String>,
    /// The search of contents.
    pub search: SearchQuery,
    /// Which packages are shown.
    pub packages: PackageQuery,
    /// The lowest confidence of the secrets that are shown.
    pub confidence: ShownConfidence,
    /// The directory that fills the map of files, escaped; `/` is the root. `None`: the files are a tree.
    pub map: Option<String>,
    /// What the areas of that map are proportional to.
    pub measure: MapMeasure,
    /// Which tags or repositories are shown.
    pub names: NameQuery,
    /// Keys of other versions of this page, decoded, in their order.
    pub unknown: Vec<(String, String)>,
}

/// The tabs over the middle pane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// The file tree.
    #[default]
    Files,
    /// The image at a glance.
    Overview,
    /// Lines in the contents of all layers.
    Search,
    /// Packages, and which layer brought each.
    Packages,
    /// Private keys, tokens and passwords.
    Secrets,
    /// The tags of its repository.
    Tags,
    /// Who signed the image, what was attested about it, and what else refers to it.
    Referrers,
    /// Bytes that a container does not see.
    Waste,
    /// The comparison with another image.
    Compare,
    /// The manifest's bytes.
    Manifest,
    /// The configuration, as text.
    Config,
    /// The HTTP exchanges of the look.
    Wire,
}

impl Tab {
    /// Every tab, in the order they are drawn.
    pub const ALL: [Self; 12] = [
        Self::Overview,
        Self::Files,
        Self::Search,
        Self::Packages,
        Self::Secrets,
        Self::Referrers,
        Self::Tags,
        Self::Waste,
        Self::Compare,
        Self::Manifest,
        Self::Config,
        Self::Wire,
    ];

    /// The word in the address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Files => "files",
            Self::Search => "search",
            Self::Packages => "packages",
            Self::Secrets => "secrets",
            Self::Referrers => "referrers",
            Self::Tags => "tags",
            Self::Waste => "waste",
            Self::Compare => "compare",
            Self::Manifest => "manifest",
            Self::Config => "config",
            Self::Wire => "wire",
        }
    }

    /// The word on the tab.
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Files => "Files",
            Self::Search => "Search",
            Self::Packages => "Packages",
            Self::Secrets => "Secrets",
            Self::Referrers => "Referrers",
            Self::Tags => "Tags",
            Self::Waste => "Waste",
            Self::Compare => "Compare",
            Self::Manifest => "Manifest",
            Self::Config => "Config",
            Self::Wire => "Wire",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.name() == word)
    }
}

const PREFIX: &str = "/v1/";

impl Address {
    /// The address of a reference, with defaults for all else.
    pub fn of(reference: impl Into<String>) -> Self {
        Self { reference: Some(reference.into()), ..Self::default() }
    }

    /// Reads a fragment, with or without its `#`. Never fails: an unreadable reference gives the start page, other unreadable parts become unknown keys.
    pub fn parse(fragment: &str) -> Self {
        let fragment = fragment.strip_prefix('#').unwrap_or(fragment);
        let Some(rest) = fragment.strip_prefix(PREFIX) else { return Self::default() };
        let (reference, query) = rest.split_once('?').unwrap_or((rest, ""));
        let reference = decode(reference);
        let mut route = Self { reference: (!reference.is_empty()).then_some(reference), ..Self::default() };
        let mut seen = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) = (decode(key), decode(value));
            if !seen.contains(&key) {
                seen.push(key.clone());
                if route.accept(&key, &value) {
                    continue;
                }
            }
            route.unknown.push((key, value));
        }
        route
    }

    /// Takes the first value of a known key; an empty value is an absent one.
    fn accept(&mut self, key: &str, value: &str) -> bool {
        let some = || (!value.is_empty()).then(|| value.to_owned());
        match key {
            "platform" => self.platform = some(),
            "layer" => self.layer = some(),
            "path" => self.path = some(),
            "map" => self.map = some(),
            "area" if value == "download" => self.measure = MapMeasure::Download,
            "with" => self.with = some(),
            "with-platform" => self.with_platform = some(),
            "ignore" => self.ignore = some(),
            "base" => self.base = some(),
            "find" => self.search.pattern = value.to_owned(),
            "glob" => self.search.glob = value.to_owned(),
            "name" => self.packages.name = value.to_owned(),
            "type" => self.packages.kind = value.to_owned(),
            "against" => self.packages.against = value.to_owned(),
            "deleted" if value == "1" => self.packages.deleted = true,
            "regex" if value == "1" => self.search.expression = true,
            "nocase" if value == "1" => self.search.ignore_case = true,
            "utf16" if value == "1" => self.search.utf16 = true,
            "line" => match value.parse().ok().filter(|&line| line > 0) {
                Some(line) => self.line = Some(line),
                None => return false,
            },
            "offset" => match value.parse() {
                Ok(offset) => self.offset = Some(offset),
                Err(_) => return false,
            },
            "names" => self.names.filter = value.to_owned(),
            "list" if value == "repositories" => self.names.list = NameList::Repositories,
            "order" if value == "version" => self.names.sort = NameSort::Version,
            "read" if value == "1" => self.reading = true,
            "confidence" => match ShownConfidence::parse(value) {
                Some(confidence) => self.confidence = confidence,
                None => return false,
            },
            "view" => match ViewMode::parse(value) {
                Some(view) => self.view = view,
                None => return false,
            },
            "tab" => match Tab::parse(value) {
                Some(tab) => self.tab = tab,
                None => return false,
            },
            _ => return false,
        }
        true
    }

    /// The same address with another path selected.
    pub fn at(&self, path: Option<String>) -> Self {
        Self { path, line: None, offset: None, reading: false, ..self.clone() }
    }

    /// The names of what the comparison leaves out.
    pub fn ignored(&self) -> Vec<String> {
        self.ignore
            .iter()
            .flat_map(|names| names.split(','))
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Whether both addresses show the same image: a change from one to the other needs no request.
    pub fn same_image(&self, other: &Self) -> bool {
        self.reference == other.reference && self.platform == other.platform
    }
}

/// The fragment with its `#`; the start page is empty.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(reference) = &self.reference else { return Ok(()) };
        write!(f, "#{PREFIX}{}", Encoded(reference, ""))?;
        let view = (self.view != ViewMode::default()).then(|| self.view.name());
        let tab = (self.tab != Tab::default()).then(|| self.tab.name());
        let confidence = (self.confidence != ShownConfidence::default()).then(|| self.confidence.name());
        let line = self.line.map(|line| line.to_string());
        let offset = self.offset.map(|offset| offset.to_string());
        let packages = &self.packages;
        let texts = [
            &self.search.pattern,
            &self.search.glob,
            &packages.name,
            &packages.kind,
            &packages.against,
            &self.names.filter,
        ];
        let [find, glob, name, kind, against, names] =
            texts.map(|text| Some(text.as_str()).filter(|text| !text.is_empty()));
        let known = [
            ("platform", self.platform.as_deref()),
            ("view", view),
            ("layer", self.layer.as_deref()),
            ("path", self.path.as_deref()),
            ("line", line.as_deref()),
            ("offset", offset.as_deref()),
            ("read", self.reading.then_some("1")),
            ("map", self.map.as_deref()),
            ("area", (self.measure == MapMeasure::Download).then_some("download")),
            ("tab", tab),
            ("with", self.with.as_deref()),
            ("with-platform", self.with_platform.as_deref()),
            ("ignore", self.ignore.as_deref()),
            ("base", self.base.as_deref()),
            ("find", find),
            ("regex", self.search.expression.then_some("1")),
            ("nocase", self.search.ignore_case.then_some("1")),
            ("utf16", self.search.utf16.then_some("1")),
            ("glob", glob),
            ("name", name),
            ("type", kind),
            ("against", against),
            ("deleted", self.packages.deleted.then_some("1")),
            ("confidence", confidence),
            ("list", (self.names.list == NameList::Repositories).then_some("repositories")),
            ("order", (self.names.sort == NameSort::Version).then_some("version")),
            ("names", names),
        ];
        let known = known.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let unknown = self.unknown.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let mut separator = '?';
        for (key, value) in known.chain(unknown) {
            write!(f, "{separator}{}={}", Encoded(key, ""), Encoded(value, "/:,@"))?;
            separator = '&';
        }
        Ok(())
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters and the given ones.
struct Encoded<'t>(&'t str, &'static str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            let character = char::from(byte);
            if byte.is_ascii_alphanumeric()
                || "-._~".contains(character)
                || byte.is_ascii() && self.1.contains(character)
            {
                write!(f, "{character}")?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

/// Percent-decodes; a stray `%` stays as it is, bytes that are not UTF-8 become U+FFFD.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_page() {
        for fragment in ["", "#", "#/", "#/v1", "#/v1/", "#/v2/nginx", "#nginx", "/v1/?tab=config"] {
            assert_eq!(Address::parse(fragment).reference, None, "{fragment}");
        }
        assert_eq!(Address::default().to_string(), "");
    }

    #[test]
    fn written_and_read() {
        let rows = [
            (Address::of("nginx"), "#/v1/nginx"),
            (Address::of("ghcr.io/a/b:1"), "#/v1/ghcr.io%2Fa%2Fb%3A1"),
            (
                Address {
                    platform: Some("linux/arm64/v8".into()),
                    view: ViewMode::Only,
                    layer: Some("sha256:ab".into()),
                    ..Address::of("a@b")
                },
                "#/v1/a%40b?platform=linux/arm64/v8&view=only&layer=sha256:ab",
            ),
            (
                Address { path: Some(r"etc/a b&c=d#\x0a?ü%".into()), tab: Tab::Config, ..Address::of("x") },
                r"#/v1/x?path=etc/a%20b%26c%3Dd%23%5Cx0a%3F%C3%BC%25&tab=config",
            ),
            (
                Address {
                    path: Some("a".into()),
                    line: Some(12),
                    offset: Some(4096),
                    reading: true,
                    search: SearchQuery {
                        pattern: "a=b&c".into(),
                        expression: true,
                        ignore_case: true,
                        utf16: true,
                        glob: "*.conf".into(),
                    },
                    packages: PackageQuery {
                        name: "lib".into(),
                        kind: "deb".into(),
                        deleted: true,
                        against: "sha256:ab".into(),
                    },
                    confidence: ShownConfidence::High,
                    map: Some("/".into()),
                    measure: MapMeasure::Download,
                    names: NameQuery { list: NameList::Repositories, filter: "a/b".into(), sort: NameSort::Version },
                    unknown: vec![("é".into(), String::new())],
                    ..Address::of("x")
                },
                "#/v1/x?path=a&line=12&offset=4096&read=1&map=/&area=download&find=a%3Db%26c&regex=1&nocase=1&utf16=1&glob=%2A.conf&name=lib&type=deb&against=sha256:ab&deleted=1&confidence=high&list=repositories&order=version&names=a/b&%C3%A9=",
            ),
        ];
        for (route, text) in rows {
            assert_eq!(route.to_string(), text);
            assert_eq!(Address::parse(text), route, "{text}");
        }
    }

    #[test]
    fn read_leniently() {
        let raw = Address::parse(
            "#/v1/ghcr.io/a/b:1@sha256:00?view=upto&&path=%zz%f&layer=&view=only&tab=none&line=0&offset=-1",
        );
        assert_eq!(raw.reference.as_deref(), Some("ghcr.io/a/b:1@sha256:00"));
        assert_eq!(raw.view, ViewMode::UpTo);
        assert_eq!(raw.path.as_deref(), Some("%zz%f"));
        assert_eq!(raw.layer, None);
        let kept = [("view", "only"), ("tab", "none"), ("line", "0"), ("offset", "-1")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(raw.unknown, kept);
        assert_eq!(Address::parse("/v1/%ff%E2%82%AC").reference.as_deref(), Some("\u{fffd}€"));
        assert_eq!(Address::parse("#/v1/%").reference.as_deref(), Some("%"));
    }

    #[test]
    fn any_text_survives_a_round_trip() {
        for text in ["", "%", "%%41", "a+b", "\u{202e}\u{0}", "/?#&=", "日本", "\\x00"] {
            let route = Address { path: (!text.is_empty()).then(|| text.to_owned()), ..Address::of("r") };
            assert_eq!(Address::parse(&route.to_string()), route, "{text:?}");
        }
    }
}
