//! The manifests of `deploy/kustomize`, checked against the schemas of the API of Kubernetes.

use crate::{
    Result,
    process::{command, find, output, run as execute},
    tools::KUBERNETES_VALIDATE,
    workspace::Workspace,
};
use std::{fs, path::PathBuf};

/// Checks each manifest, and where `kubectl` is installed what `kubectl apply -k` would send.
pub(crate) fn check(workspace: &Workspace) -> Result {
    let folder = workspace.root.join("deploy/kustomize");
    let mut manifests = resources(&fs::read_to_string(folder.join("kustomization.yaml"))?);
    for manifest in &mut manifests {
        *manifest = folder.join(&manifest);
    }
    if manifests.is_empty() {
        return Err("kustomization.yaml lists no resources".into());
    }
    if find("kubectl").is_some() {
        let merged = output(command("kubectl", &workspace.root).arg("kustomize").arg(&folder))?;
        let file = workspace.target.join("kustomize.yaml");
        fs::write(&file, merged)?;
        manifests.push(file);
    }
    let programs = KUBERNETES_VALIDATE.ensure()?;
    let modules = programs.parent().ok_or("the tools have no folder")?;
    let mut validate = command(programs.join("kubernetes-validate"), &workspace.root);
    execute(validate.env("PYTHONPATH", modules).args(["--strict", "--quiet"]).args(manifests))
}

/// The files in the list `resources` of a kustomization.
fn resources(kustomization: &str) -> Vec<PathBuf> {
    let after = kustomization.lines().skip_while(|line| *line != "resources:").skip(1);
    after.map_while(|line| line.trim_start().strip_prefix("- ")).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_one_list_of_several() {
        let text = "namespace: a\nresources:\n  - b.yaml\n  - c.yaml\nimages:\n  - name: d\n";
        assert_eq!(resources(text), [PathBuf::from("b.yaml"), PathBuf::from("c.yaml")]);
    }
}
