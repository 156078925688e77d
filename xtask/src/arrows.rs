//! Checks that dependencies between crates point down only, and that pure crates reach no runtime.

use crate::{
    Result,
    process::{cargo, output},
    workspace::Workspace,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The dependencies allowed to each crate of the workspace, outside its tests.
const ALLOWED: &[(&str, &[&str])] = &[
    ("porthole-core", &[]),
    ("porthole-source", &["porthole-core"]),
    ("porthole-registry", &["porthole-source", "porthole-core"]),
    ("porthole-native", &["porthole-registry", "porthole-core"]),
    ("porthole-store", &["porthole-source", "porthole-core"]),
    ("porthole-credentials", &["porthole-registry", "porthole-core"]),
    ("porthole-inspect", &["porthole-source", "porthole-registry", "porthole-core"]),
    ("porthole-contents", &["porthole-core"]),
    (
        "porthole-signature",
        &["porthole-contents", "porthole-inspect", "porthole-source", "porthole-registry", "porthole-core"],
    ),
    ("porthole-unpack", &["porthole-core"]),
    (
        "porthole-transfer",
        &[
            "porthole-inspect",
            "porthole-native",
            "porthole-store",
            "porthole-source",
            "porthole-registry",
            "porthole-core",
        ],
    ),
    (
        "porthole-viewer",
        &["porthole-contents", "porthole-inspect", "porthole-source", "porthole-registry", "porthole-core"],
    ),
    ("porthole-web", &["porthole-viewer", "porthole-inspect", "porthole-source", "porthole-registry", "porthole-core"]),
    ("porthole-web-signature", &["porthole-viewer", "porthole-signature", "porthole-contents", "porthole-core"]),
    (
        "porthole-cli",
        &[
            "porthole-viewer",
            "porthole-transfer",
            "porthole-unpack",
            "porthole-contents",
            "porthole-signature",
            "porthole-inspect",
            "porthole-native",
            "porthole-store",
            "porthole-credentials",
            "porthole-source",
            "porthole-registry",
            "porthole-core",
        ],
    ),
    (
        "porthole-relay",
        &[
            "porthole-transfer",
            "porthole-native",
            "porthole-store",
            "porthole-source",
            "porthole-registry",
            "porthole-core",
        ],
    ),
    ("porthole-testkit", &["porthole-source", "porthole-registry", "porthole-core"]),
    ("porthole-tests", &["porthole-testkit", "porthole-registry", "porthole-core"]),
    ("porthole-benches", &["porthole-tests", "porthole-testkit", "porthole-viewer", "porthole-core"]),
    (
        "porthole-fuzz",
        &[
            "porthole-relay",
            "porthole-signature",
            "porthole-contents",
            "porthole-inspect",
            "porthole-registry",
            "porthole-core",
        ],
    ),
    ("xtask", &[]),
    ("porthole-bindgen", &[]),
];

/// Crates of ours that run anywhere, in a tab too.
const PURE: &[&str] = &[
    "porthole-core",
    "porthole-source",
    "porthole-registry",
    "porthole-contents",
    "porthole-inspect",
    "porthole-viewer",
];

/// Crates that the pure ones must not reach on any path: runtimes, sockets, clocks, terminals, browsers.
const NOT_PURE: &[&str] = &[
    "async-std",
    "chrono",
    "futures-executor",
    "gloo-net",
    "hyper",
    "js-sys",
    "log",
    "mio",
    "rand",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "time",
    "tokio",
    "tracing",
    "ureq",
    "wasm-bindgen",
    "web-sys",
];

/// Returns the complaints, each with the path that breaks the rule.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let metadata = output(cargo(&workspace.root).args(["metadata", "--format-version", "1", "--all-features"]))?;
    Ok(Graph::read(&serde_json::from_str(&metadata)?)?.complaints())
}

/// The dependency graph: for each package, what it uses outside its tests and build scripts.
struct Graph {
    members: BTreeSet<String>,
    uses: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn read(metadata: &Value) -> Result<Self> {
        let list = |value: &Value| value.as_array().cloned().ok_or("unexpected output of cargo metadata");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let names: BTreeMap<String, String> =
            list(&metadata["packages"])?.iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let name = |id: &Value| names.get(id.as_str().unwrap_or_default()).cloned().unwrap_or_default();
        let mut uses = BTreeMap::<String, BTreeSet<String>>::new();
        for node in list(&metadata["resolve"]["nodes"])? {
            let used = uses.entry(name(&node["id"])).or_default();
            for dependency in list(&node["deps"])? {
                if list(&dependency["dep_kinds"])?.iter().any(|kind| kind["kind"].is_null()) {
                    used.insert(name(&dependency["pkg"]));
                }
            }
        }
        Ok(Self { members: list(&metadata["workspace_members"])?.iter().map(name).collect(), uses })
    }

    fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for member in &self.members {
            let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| name == member) else {
                complaints.push(format!("{member}: crate missing from ALLOWED in xtask/src/arrows.rs"));
                continue;
            };
            let ours = self.uses[member].iter().filter(|used| self.members.contains(*used));
            for used in ours.filter(|used| !allowed.contains(&used.as_str())) {
                complaints.push(format!("{member} → {used}: this dependency is not allowed"));
            }
        }
        for pure in PURE.iter().copied().filter(|pure| self.members.contains(*pure)) {
            for runtime in NOT_PURE {
                if let Some(path) = self.path(pure, runtime) {
                    complaints.push(format!("{}: {pure} must stay pure", path.join(" → ")));
                }
            }
        }
        complaints
    }

    /// The shortest dependency path from one package to another.
    fn path(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut queue = VecDeque::from([vec![from.to_owned()]]);
        let mut seen = BTreeSet::new();
        while let Some(path) = queue.pop_front() {
            let last = path.last()?;
            if last == to {
                return Some(path);
            }
            for next in self.uses.get(last).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    queue.push_back(path.iter().chain([next]).cloned().collect());
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let mut uses = BTreeMap::<String, BTreeSet<String>>::new();
        for (from, to) in edges {
            uses.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            uses.entry((*to).to_owned()).or_default();
        }
        let members = uses.keys().filter(|name| name.starts_with("porthole-")).cloned().collect();
        Graph { members, uses }
    }

    #[test]
    fn an_arrow_up_is_named() {
        let complaints = graph(&[("porthole-core", "porthole-registry")]).complaints();
        assert_eq!(complaints, ["porthole-core → porthole-registry: this dependency is not allowed"]);
        assert!(graph(&[("porthole-registry", "porthole-core")]).complaints().is_empty());
    }

    #[test]
    fn a_runtime_below_a_pure_crate_is_named_with_its_path() {
        let complaints = graph(&[("porthole-core", "flate2"), ("flate2", "tokio")]).complaints();
        assert_eq!(complaints, ["porthole-core → flate2 → tokio: porthole-core must stay pure"]);
    }

    #[test]
    fn an_unknown_crate_has_to_be_placed_first() {
        assert_eq!(graph(&[("porthole-extra", "http")]).complaints().len(), 1);
    }
}
