//! What a token is good for.

use std::{collections::BTreeMap, fmt};

/// A set of scopes, merged and sorted: equal sets print alike and share a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scopes {
    /// Actions by resource (`repository:library/nginx`).
    actions: BTreeMap<String, Vec<String>>,
    /// Scopes that are no `type:name:actions`, as they were given (`aws`).
    literal: Vec<String>,
}

impl Scopes {
    /// Reading of a repository: `repository:<name>:pull`.
    pub fn pull(repository: &str) -> Self {
        Self::parse(&format!("repository:{repository}:pull"))
    }

    /// Reads scopes as a challenge lists them, separated by spaces.
    pub fn parse(text: &str) -> Self {
        let mut scopes = Self::default();
        for scope in text.split_ascii_whitespace() {
            // A name may hold colons (a host with a port): the actions are behind the last.
            match scope.rsplit_once(':') {
                Some((resource, actions)) if resource.contains(':') => {
                    let merged = scopes.actions.entry(resource.to_owned()).or_default();
                    merged.extend(actions.split(',').filter(|action| !action.is_empty()).map(str::to_owned));
                    merged.sort();
                    merged.dedup();
                }
                _ => scopes.literal.push(scope.to_owned()),
            }
        }
        scopes.literal.sort();
        scopes.literal.dedup();
        scopes
    }

    /// One by one, as the `scope` parameters of a token request.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        let resources = self.actions.iter().map(|(resource, actions)| format!("{resource}:{}", actions.join(",")));
        resources.chain(self.literal.iter().cloned())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.literal.is_empty()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_merge_and_sort() {
        for (text, canonical) in [
            ("repository:a/b:pull", "repository:a/b:pull"),
            ("repository:b:push,pull repository:a:pull repository:b:pull", "repository:a:pull repository:b:pull,push"),
            ("aws", "aws"),
            ("repository:host:5000/a:pull", "repository:host:5000/a:pull"),
            ("registry:catalog:*", "registry:catalog:*"),
            ("  ", ""),
        ] {
            assert_eq!(Scopes::parse(text).to_string(), canonical);
        }
        assert_eq!(Scopes::pull("a/b"), Scopes::parse("repository:a/b:pull"));
    }
}
