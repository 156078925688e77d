//! Scopes: what a token permits.

use std::{collections::BTreeMap, fmt};

/// A set of scopes, merged and sorted: equal sets print alike and share a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scopes {
    /// Actions by resource (`repository:library/nginx`).
    actions: BTreeMap<String, Vec<String>>,
    /// Scopes that are not of the form `type:name:actions`, as they were given (`aws`).
    literal: Vec<String>,
}

impl Scopes {
    /// Reading of a repository: `repository:<name>:pull`.
    pub fn pull(repository: &str) -> Self {
        Self::parse(&format!("repository:{repository}:pull"))
    }

    /// Reading and writing of a repository: `repository:<name>:pull,push`.
    pub fn push(repository: &str) -> Self {
        Self::parse(&format!("repository:{repository}:pull,push"))
    }

    /// Reading and deleting in a repository: `repository:<name>:delete,pull`.
    pub fn delete(repository: &str) -> Self {
        Self::parse(&format!("repository:{repository}:delete,pull"))
    }

    /// The list of all repositories: `registry:catalog:*`.
    pub fn catalog() -> Self {
        Self::parse("registry:catalog:*")
    }

    /// The scopes of both sets, each with all of its actions.
    pub fn union(&self, other: &Self) -> Self {
        Self::parse(&format!("{self} {other}"))
    }

    /// Whether all of them are of the form `type:name:actions`, whose meaning is known.
    pub fn is_plain(&self) -> bool {
        self.literal.is_empty()
    }

    /// Whether one of them allows writing.
    pub fn writes(&self) -> bool {
        self.actions.values().flatten().any(|action| action == "push" || action == "delete")
    }

    /// Reads scopes as a challenge lists them, separated by spaces.
    pub fn parse(text: &str) -> Self {
        let mut scopes = Self::default();
        for scope in text.split_ascii_whitespace() {
            // A name may hold colons (a host with a port): the actions follow the last one.
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

    /// Returns the scopes one by one, for the `scope` parameters of a token request. Those that permit writing come
    /// first, because some servers read only the first.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        let is_written = |actions: &[String]| actions.iter().any(|action| action == "push");
        let (written, read): (Vec<_>, Vec<_>) = self.actions.iter().partition(|(_, actions)| is_written(actions));
        let resources =
            written.into_iter().chain(read).map(|(resource, actions)| format!("{resource}:{}", actions.join(",")));
        resources.chain(self.literal.iter().cloned())
    }

    /// Whether the set is empty.
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
            ("repository:b:push,pull repository:a:pull repository:b:pull", "repository:b:pull,push repository:a:pull"),
            ("aws", "aws"),
            ("repository:host:5000/a:pull", "repository:host:5000/a:pull"),
            ("registry:catalog:*", "registry:catalog:*"),
            ("  ", ""),
        ] {
            assert_eq!(Scopes::parse(text).to_string(), canonical);
        }
        assert_eq!(Scopes::pull("a/b"), Scopes::parse("repository:a/b:pull"));
        assert_eq!(Scopes::catalog().to_string(), "registry:catalog:*");
        assert_eq!(Scopes::delete("a").to_string(), "repository:a:delete,pull");
        assert!(Scopes::delete("a").writes() && !Scopes::catalog().writes());
        let push = Scopes::push("b").union(&Scopes::pull("a"));
        assert_eq!(push.to_string(), "repository:b:pull,push repository:a:pull");
        assert!(push.writes() && push.is_plain() && !Scopes::pull("a").writes() && !Scopes::parse("aws").is_plain());
    }
}
