//! `cargo xtask package`: packages the libraries and both programs as they would be published.

use crate::{
    Result,
    process::{cargo, output, run as execute},
    workspace::Workspace,
};
use serde_json::Value;

/// Packages what is published. `verify`: each package is also compiled as it is, with the others in place of a registry.
///
/// Without that, what is found is a file that is missing from a package, and a dependency without a version.
pub(crate) fn run(workspace: &Workspace, verify: bool) -> Result {
    let metadata = output(cargo(&workspace.root).args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let mut package = cargo(&workspace.root);
    package.args(["package", "--workspace", "--allow-dirty", "--quiet"]);
    package.args(private(&serde_json::from_str(&metadata)?).iter().flat_map(|name| ["--exclude", name]));
    if !verify {
        package.arg("--no-verify");
    }
    execute(&mut package)
}

/// Packages that are never published, by name.
fn private(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let private = packages.filter(|package| package["publish"].as_array().is_some_and(Vec::is_empty));
    private.filter_map(|package| package["name"].as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_published_nowhere_is_left_out() {
        let metadata = json!({ "packages": [
            { "name": "core", "publish": null },
            { "name": "tests", "publish": [] },
            { "name": "mirror", "publish": ["mirror"] },
        ] });
        assert_eq!(private(&metadata), ["tests"]);
    }
}
