//! Rules for single registries: whether they are served, where their users sign in, and how often they are asked.

use crate::{credit::Credit, route};
use std::{
    collections::HashMap,
    str::FromStr,
    sync::{Mutex, PoisonError},
};

/// What the operator says of one registry: `HOST [allow|deny] [realm=HOST]… [rate=N]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    /// As requests name it: `docker.io`.
    pub(crate) registry: String,
    /// It is served (or not), whatever other options say.
    pub(crate) allow: Option<bool>,
    /// Hosts that its users may sign in at, beside those of its own domain.
    pub(crate) realms: Vec<String>,
    /// Requests a second, with bursts of five seconds' worth.
    pub(crate) rate: Option<u32>,
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let host = |text: &str| {
            let canonical = route::is_canonical(text).then(|| text.to_owned());
            canonical.ok_or_else(|| format!("expected a lower-case host[:port], got `{text}`"))
        };
        let mut words = text.split_whitespace();
        let mut rule = Self { registry: host(words.next().unwrap_or_default())?, ..Self::default() };
        for word in words {
            match word.split_once('=') {
                None if matches!(word, "allow" | "deny") && rule.allow.is_none() => rule.allow = Some(word == "allow"),
                Some(("realm", realm)) => rule.realms.push(host(realm)?),
                Some(("rate", rate)) if rule.rate.is_none() => {
                    let rate = rate.parse().ok().filter(|rate| *rate > 0);
                    rule.rate = Some(rate.ok_or_else(|| format!("expected requests a second, got `{word}`"))?);
                }
                _ => return Err(format!("expected allow or deny, realm=HOST or rate=NUMBER, got `{word}`")),
            }
        }
        Ok(rule)
    }
}

/// The rules of all registries that have some, and how many requests each may get now.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    rules: HashMap<String, Rule>,
    credits: Mutex<HashMap<String, Credit>>,
}

impl Rules {
    /// # Errors
    /// Two rules are for one registry.
    pub(crate) fn new(rules: Vec<Rule>) -> Result<Self, String> {
        let mut table = HashMap::new();
        for rule in rules {
            let registry = rule.registry.clone();
            if table.insert(registry.clone(), rule).is_some() {
                return Err(format!("two rules for {registry}"));
            }
        }
        Ok(Self { rules: table, credits: Mutex::default() })
    }

    /// Registries that are served because their rule says so.
    pub(crate) fn allowed(&self) -> impl Iterator<Item = &str> {
        self.rules.values().filter(|rule| rule.allow == Some(true)).map(|rule| rule.registry.as_str())
    }

    pub(crate) fn denies(&self, registry: &str) -> bool {
        self.rules.get(registry).is_some_and(|rule| rule.allow == Some(false))
    }

    pub(crate) fn realms(&self, registry: &str) -> &[String] {
        self.rules.get(registry).map_or(&[], |rule| &rule.realms)
    }

    /// Whether this registry may be asked now.
    pub(crate) fn may_ask(&self, registry: &str) -> bool {
        let Some(rate) = self.rules.get(registry).and_then(|rule| rule.rate) else { return true };
        let mut credits = self.credits.lock().unwrap_or_else(PoisonError::into_inner);
        credits.entry(registry.to_owned()).or_insert_with(|| Credit::full(rate)).take(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_words() {
        let rule: Rule = "docker.io allow realm=auth.docker.io realm=login.example:8443 rate=20".parse().unwrap();
        let realms = vec!["auth.docker.io".to_owned(), "login.example:8443".to_owned()];
        assert_eq!(rule, Rule { registry: "docker.io".into(), allow: Some(true), realms, rate: Some(20) });
        for wrong in [
            "",
            "Docker.io",
            "a.example maybe",
            "a.example rate=0",
            "a.example rate=x",
            "a.example realm=A",
            "a.example allow deny",
            "a.example rate=1 rate=2",
        ] {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
        let twice = || "a.example deny".parse::<Rule>().unwrap();
        assert!(Rules::new(vec![twice(), twice()]).is_err());
    }

    #[test]
    fn a_rate_is_for_one_registry() {
        let rules = Rules::new(vec!["a.example rate=1".parse().unwrap()]).unwrap();
        let asked: Vec<_> = (0..7).map(|_| rules.may_ask("a.example")).collect();
        assert_eq!(asked.iter().filter(|may| **may).count(), 5);
        assert!((0..100).all(|_| rules.may_ask("b.example")));
    }
}
