//! How an image was built (SLSA provenance 0.2 and 1; BuildKit's additions to both).

use super::{digests, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// A build, as the author of the statement describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildProvenance {
    /// URI of the builder.
    pub builder: Option<String>,
    /// URI of the kind of build.
    pub build_type: Option<String>,
    /// Where the source came from, such as the URL of a repository.
    pub source: Option<String>,
    /// The commit of the source.
    pub commit: Option<String>,
    /// Start of the build, RFC 3339 as written.
    pub started: Option<String>,
    /// End of the build, RFC 3339 as written.
    pub finished: Option<String>,
    /// URI of this run of the build.
    pub invocation: Option<String>,
    /// The external parameters of the build.
    pub parameters: Value,
    /// The inputs of the build, such as base images.
    pub materials: Vec<Material>,
}

/// An input of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material {
    /// URI of it, often a package URL.
    pub uri: String,
    /// Digests in hexadecimal by algorithm.
    pub digests: BTreeMap<String, String>,
}

/// The fields of a document, a line each: the path of the field, and its value. A field that is null has none.
///
/// ```
/// use porthole_signature::statement::parameter_lines;
/// let parameters = serde_json::json!({"args": {"build-arg:A": "1"}, "list": [true, null, 2]});
/// assert_eq!(parameter_lines(&parameters), ["args.build-arg:A=1", "list.0=true", "list.2=2"]);
/// ```
pub fn parameter_lines(parameters: &Value) -> Vec<String> {
    let mut all = Vec::new();
    flatten(parameters, String::new(), &mut all);
    all
}

fn flatten(value: &Value, path: String, all: &mut Vec<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Null => {}
        Value::Object(fields) => fields.iter().for_each(|(name, value)| flatten(value, below(name), all)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(place, value)| flatten(value, below(&place.to_string()), all));
        }
        Value::String(text) => all.push(format!("{path}={text}")),
        value => all.push(format!("{path}={value}")),
    }
}

impl BuildProvenance {
    pub(super) fn read(predicate: &Value) -> Self {
        let (definition, run) = (&predicate["buildDefinition"], &predicate["runDetails"]);
        match definition.is_object() || run.is_object() {
            true => Self::of_version_1(definition, run),
            false => Self::of_version_0(predicate),
        }
    }

    fn of_version_1(definition: &Value, run: &Value) -> Self {
        let given = &definition["externalParameters"];
        let materials = materials(&definition["resolvedDependencies"]);
        let vcs = &run["metadata"][BUILDKIT]["vcs"];
        let config = &given["configSource"];
        let workflow = &given["workflow"];
        let first =
            [text(&vcs["source"]), text(&workflow["repository"]), text(&given["source"]["uri"]), text(&config["uri"])];
        let commit = || materials.iter().find_map(|material| commit_of(&material.digests));
        Self {
            builder: text(&run["builder"]["id"]),
            build_type: text(&definition["buildType"]),
            source: first.into_iter().flatten().next(),
            commit: text(&vcs["revision"]).or_else(|| commit_of(&digests(&config["digest"]))).or_else(commit),
            started: text(&run["metadata"]["startedOn"]),
            finished: text(&run["metadata"]["finishedOn"]),
            invocation: text(&run["metadata"]["invocationId"]),
            parameters: given.clone(),
            materials,
        }
    }

    fn of_version_0(predicate: &Value) -> Self {
        let metadata = &predicate["metadata"];
        let vcs = &metadata[BUILDKIT]["vcs"];
        let config = &predicate["invocation"]["configSource"];
        let materials = materials(&predicate["materials"]);
        let commit = || materials.iter().find_map(|material| commit_of(&material.digests));
        Self {
            builder: text(&predicate["builder"]["id"]),
            build_type: text(&predicate["buildType"]),
            source: text(&vcs["source"]).or_else(|| text(&config["uri"])),
            commit: text(&vcs["revision"]).or_else(|| commit_of(&digests(&config["digest"]))).or_else(commit),
            started: text(&metadata["buildStartedOn"]),
            finished: text(&metadata["buildFinishedOn"]),
            invocation: text(&metadata["buildInvocationID"]).or_else(|| text(&metadata["buildInvocationId"])),
            parameters: predicate["invocation"]["parameters"].clone(),
            materials,
        }
    }
}

/// BuildKit's part of the metadata.
const BUILDKIT: &str = "https://mobyproject.org/buildkit@v1#metadata";

fn materials(list: &Value) -> Vec<Material> {
    let one = |value: &Value| Material {
        uri: text(&value["uri"]).or_else(|| text(&value["name"])).unwrap_or_default(),
        digests: digests(&value["digest"]),
    };
    list.as_array().map(|list| list.iter().map(one).collect()).unwrap_or_default()
}

/// The digest that git gives to a commit.
fn commit_of(digests: &BTreeMap<String, String>) -> Option<String> {
    digests.get("gitCommit").or_else(|| digests.get("sha1")).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn version_1_of_a_hosted_workflow_names_repository_and_commit() {
        let read = BuildProvenance::read(&json!({
            "buildDefinition": {
                "buildType": "https://actions.github.io/buildtypes/workflow/v1",
                "externalParameters": {"workflow": {"repository": "https://github.com/a/b", "ref": "refs/heads/main"}},
                "resolvedDependencies": [{"uri": "git+https://github.com/a/b", "digest": {"gitCommit": "c0ffee"}}],
            },
            "runDetails": {"builder": {"id": "https://github.com/actions/runner"}, "metadata": {"invocationId": "https://x/1"}},
        }));
        assert_eq!(read.source.as_deref(), Some("https://github.com/a/b"));
        assert_eq!(read.commit.as_deref(), Some("c0ffee"));
        assert_eq!(read.builder.as_deref(), Some("https://github.com/actions/runner"));
        assert_eq!(read.invocation.as_deref(), Some("https://x/1"));
        assert_eq!(read.materials.len(), 1);
    }

    #[test]
    fn version_0_of_buildkit_names_materials_and_the_revision() {
        let read = BuildProvenance::read(&json!({
            "builder": {"id": ""}, "buildType": "https://mobyproject.org/buildkit@v1",
            "materials": [{"uri": "pkg:docker/alpine@3.20?platform=linux%2Famd64", "digest": {"sha256": "ab"}}],
            "invocation": {"parameters": {"frontend": "dockerfile.v0"}},
            "metadata": {"buildStartedOn": "2026-01-02T03:04:05Z",
                "https://mobyproject.org/buildkit@v1#metadata": {"vcs": {"source": "https://example.org/r", "revision": "beef"}}},
        }));
        assert_eq!((read.builder, read.source.as_deref()), (None, Some("https://example.org/r")));
        assert_eq!(read.commit.as_deref(), Some("beef"));
        assert_eq!(read.parameters["frontend"], "dockerfile.v0");
        assert_eq!(read.materials[0].digests["sha256"], "ab");
    }

    #[test]
    fn a_predicate_of_the_wrong_shape_says_nothing() {
        for odd in [json!(null), json!([]), json!({"materials": {"a": 1}}), json!({"buildDefinition": 3})] {
            let read = BuildProvenance::read(&odd);
            assert_eq!((read.builder, read.commit, read.materials), (None, None, Vec::new()), "{odd}");
        }
    }
}
