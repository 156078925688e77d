//! Specifications of installed Ruby gems, as RubyGems writes them (`Gem::Specification#to_ruby`).

use super::{Record, Unreadable, all_of};
use crate::package::{Ecosystem, Package};

/// The gem. The file is Ruby code; only its plain assignments are read.
pub(super) fn specification(bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let text = String::from_utf8_lossy(bytes);
    let (mut name, mut version, mut platform, mut licence) = (None, None, None, None);
    for line in text.lines() {
        let Some((field, value)) = line.trim().strip_prefix("s.").and_then(|line| line.split_once(" = ")) else {
            continue;
        };
        match field.trim_end() {
            "name" => name = name.or_else(|| strings(value).next()),
            "version" => version = version.or_else(|| strings(value).next()),
            "platform" => platform = platform.or_else(|| strings(value).next()),
            "license" | "licenses" => licence = licence.or_else(|| all_of(strings(value))),
            _ => {}
        }
    }
    let (name, version) =
        name.zip(version).ok_or_else(|| Unreadable::malformed("a gem specification with name and version"))?;
    Ok(vec![Record::Package(Package {
        licence,
        architecture: platform,
        ..Package::new(Ecosystem::Gem, name, version)
    })])
}

/// The string literals of an expression, which RubyGems writes without escapes for names and versions.
fn strings(expression: &str) -> impl Iterator<Item = String> {
    expression.split('"').skip(1).step_by(2).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_of_a_specification_are_read() {
        let text = br#"# -*- encoding: utf-8 -*-
Gem::Specification.new do |s|
  s.name = "nokogiri".freeze
  s.version = "1.16.0"
  s.platform = "x86_64-linux".freeze
  s.licenses = ["MIT".freeze, "Ruby".freeze]
  s.summary = "s.name = \"other\""
  s.add_dependency("racc", ["~> 1.4"])
end
"#;
        let records = specification(text).unwrap();
        let [Record::Package(package)] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((package.name.as_str(), package.version.as_str()), ("nokogiri", "1.16.0"));
        assert_eq!(
            (package.architecture.as_deref(), package.licence.as_deref()),
            (Some("x86_64-linux"), Some("MIT AND Ruby"))
        );
        assert!(specification(b"s.name = \"a\"\n").is_err());
    }
}
