//! Versions and the requirements that advisories use.

use crate::Result;
use std::cmp::Ordering;

/// A version, ordered as Semantic Versioning 2.0.0 §11 says. Build metadata is ignored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Version {
    numbers: [u64; 3],
    pre: Vec<Identifier>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Text(String),
}

impl Version {
    /// Missing numbers are zero.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let unbuilt = text.split('+').next().unwrap_or(text);
        let (numbers, pre) = unbuilt.split_once('-').unwrap_or((unbuilt, ""));
        let mut version = Self { numbers: [0; 3], pre: Vec::new() };
        let mut places = version.numbers.iter_mut();
        for number in numbers.split('.') {
            let place = places.next().ok_or_else(|| format!("expected a version, got `{text}`"))?;
            *place = number.parse().map_err(|_| format!("expected a version, got `{text}`"))?;
        }
        let identifier =
            |part: &str| part.parse().map_or_else(|_| Identifier::Text(part.to_owned()), Identifier::Number);
        version.pre = pre.split('.').filter(|part| !part.is_empty()).map(identifier).collect();
        Ok(version)
    }

    /// Whether all parts of a requirement hold, such as `>= 1.2.0, < 1.4.1`.
    pub(super) fn matches(&self, requirement: &str) -> Result<bool> {
        for part in requirement.split(',').map(str::trim) {
            let start = part.find(|character: char| character.is_ascii_digit()).unwrap_or(part.len());
            let (operator, bound) = part.split_at(start);
            let bound = Self::parse(bound)?;
            let holds = match operator.trim() {
                ">=" => *self >= bound,
                ">" => *self > bound,
                "<" => *self < bound,
                "<=" => *self <= bound,
                "=" => *self == bound,
                "^" | "" => *self >= bound && self.numbers < bound.next_breaking(),
                _ => return Err(format!("expected a requirement, got `{part}`").into()),
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The first version that Cargo takes for incompatible.
    fn next_breaking(&self) -> [u64; 3] {
        match self.numbers {
            [0, 0, patch] => [0, 0, patch + 1],
            [0, minor, _] => [0, minor + 1, 0],
            [major, _, _] => [major + 1, 0, 0],
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // A release follows its pre-releases.
        let release = |version: &Self| version.pre.is_empty();
        self.numbers.cmp(&other.numbers).then(release(self).cmp(&release(other))).then_with(|| self.pre.cmp(&other.pre))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_hold_by_the_order_of_versions() -> Result {
        let rows = [
            ("1.2.3", ">= 1.2.3", true),
            ("1.2.3", "> 1.2.3", false),
            ("1.10.0", "> 1.9.9", true),
            ("1.2.3-rc.1", ">= 1.2.3", false),
            ("1.2.3-rc.10", "> 1.2.3-rc.9", true),
            ("1.2.3+4", "=1.2.3", true),
            ("1.3.9", "< 1.4.0, >=1.3", true),
            ("1.4.0", "< 1.4.0, >= 1.3", false),
            ("0.2.9", "^0.2.3", true),
            ("0.3.0", "^ 0.2.3", false),
            ("1.9.0", "^1.2", true),
            ("2.0.0", "^1.2", false),
        ];
        for (version, requirement, holds) in rows {
            assert_eq!(Version::parse(version)?.matches(requirement)?, holds, "{version} {requirement}");
        }
        assert!(Version::parse("1.0.0")?.matches("whatever").is_err());
        assert!(Version::parse("1.0.0")?.matches("~ 1").is_err());
        Ok(())
    }
}
