//! The page of a quick build, without Trunk: to build Trunk takes longer than to build the page.

use super::Build;
use crate::{
    Result,
    process::{cargo, run},
    workspace::Workspace,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Builds the page into its folder.
pub(super) fn page(workspace: &Workspace) -> Result {
    let (build, target) = (Build::Quick, "wasm32-unknown-unknown");
    let index = fs::read_to_string(workspace.root.join("index.html"))?;
    let script = script(&fs::read_to_string(workspace.root.join("Trunk.toml"))?)?;
    let page = read(&index, &script)?;
    let mut programs = cargo(&workspace.root);
    build.adapt(&mut programs, workspace);
    programs.args(["build", "--profile", "web", "--target", target, "--bins"]);
    run(programs.args(["--package", "porthole-web", "--package", "porthole-web-signature"]))?;
    let dist = build.dist(workspace);
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    fs::create_dir_all(&dist)?;
    let folder = build.target(workspace).join(target).join("web");
    let mut bindgen = cargo(&workspace.root);
    build.adapt(&mut bindgen, workspace);
    bindgen.args(["run", "--quiet", "--release", "--package", "porthole-bindgen", "--"]).arg(&dist);
    run(bindgen.args(page.programs.iter().map(|name| folder.join(name).with_extension("wasm"))))?;
    for name in page.programs.iter().skip(1) {
        let loader =
            format!("importScripts(\"./{name}.js\");wasm_bindgen({{ module_or_path: \"./{name}_bg.wasm\" }});");
        fs::write(dist.join(format!("{name}_loader.js")), loader)?;
    }
    for file in &page.files {
        fs::copy(workspace.root.join(file), dist.join(name(file)))?;
    }
    // Last: its time is that of the build.
    Ok(fs::write(dist.join("index.html"), page.index)?)
}

/// What `index.html` asks of Trunk.
#[derive(Debug, PartialEq)]
struct Page {
    /// The document without those requests.
    index: String,
    /// Files that are copied.
    files: Vec<PathBuf>,
    /// Programs: that of the page first, then its workers.
    programs: Vec<String>,
}

/// Reads `index.html`, which has each request on a line of its own. `script` starts the page's program.
fn read(index: &str, script: &str) -> Result<Page> {
    let mut page = Page { index: String::new(), files: Vec::new(), programs: Vec::new() };
    for line in index.lines() {
        if !line.starts_with("<link data-trunk ") {
            page.index.push_str(line);
            page.index.push('\n');
            continue;
        }
        let expect = |name: &str| attribute(line, name).ok_or_else(|| format!("expected `{name}` in `{line}`"));
        let file = || expect("href").map(PathBuf::from);
        match expect("rel")? {
            "rust" => {
                let program = expect("data-bin")?;
                if expect("data-type")? == "main" {
                    page.programs.insert(0, program.to_owned());
                    let names = [
                        ("{base}", "./"),
                        ("{js}", &format!("{program}.js")),
                        ("{wasm}", &format!("{program}_bg.wasm")),
                    ];
                    let script = names.iter().fold(script.to_owned(), |script, (from, to)| script.replace(from, to));
                    page.index.push_str(&format!("{script}\n"));
                } else {
                    page.programs.push(program.to_owned());
                }
            }
            "copy-file" => page.files.push(file()?),
            rel @ ("icon" | "css") => {
                let (file, rel) = (file()?, if rel == "css" { "stylesheet" } else { rel });
                page.index.push_str(&format!("<link rel=\"{rel}\" href=\"./{}\">\n", name(&file)));
                page.files.push(file);
            }
            other => return Err(format!("expected rust, copy-file, icon or css, got `{other}` in `{line}`").into()),
        }
    }
    Ok(page)
}

/// The line of Trunk's settings that starts the page's program.
fn script(settings: &str) -> Result<String> {
    let line = settings.lines().find_map(|line| line.strip_prefix("pattern_script = '")?.strip_suffix('\''));
    Ok(line.ok_or("expected `pattern_script = '…'` in Trunk.toml")?.to_owned())
}

fn attribute<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    line.split_once(&format!(" {name}=\""))?.1.split_once('"').map(|(value, _)| value)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_own_index_is_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let script = script(&fs::read_to_string(root.join("Trunk.toml")).expect("its settings")).expect("a script");
        let page =
            read(&fs::read_to_string(root.join("index.html")).expect("the page"), &script).expect("known requests");
        assert_eq!(page.programs, ["app", "session", "layer", "contents", "signature"]);
        assert!(page.files.iter().all(|file| root.join(file).is_file()), "{:?}", page.files);
        assert!(
            !page.index.contains("data-trunk") && page.index.contains("data-wasm=\"./app_bg.wasm\""),
            "{}",
            page.index
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(read("<link data-trunk rel=\"sass\" href=\"a.scss\">", "").is_err());
        assert!(read("<link data-trunk rel=\"css\">", "").is_err());
        assert!(script("[build]").is_err());
    }
}
