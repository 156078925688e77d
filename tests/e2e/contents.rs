//! Packages and secrets in the page, compared with the lists of dpkg, `porthole packages` and `porthole secrets`.

use crate::views::axe;
use porthole_tests::{
    Result,
    images::{DEBIAN, layout, truth},
    page::Page,
    program::{fixtures, ours, run},
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// The image of seven layers with another one, which removes the package `less` from the database.
pub(crate) fn without_less(scratch: &Scratch) -> Result<String> {
    let copy = scratch.path().join("packages");
    run("cp", ["-r", &layout(&fixtures(), DEBIAN).display().to_string(), &copy.display().to_string()])?;
    let status = fs::read_to_string(truth(&fixtures(), DEBIAN, "latest").join(STATUS))?;
    let kept: Vec<&str> = status.split("\n\n").filter(|paragraph| !paragraph.starts_with("Package: less\n")).collect();
    let file = scratch.path().join("status");
    fs::write(&file, kept.join("\n\n"))?;
    let image = format!("{}:latest", copy.display());
    run("umoci", ["insert", "--image", &image, &file.display().to_string(), &format!("/{STATUS}")])?;
    Ok(copy.display().to_string())
}

const STATUS: &str = "var/lib/dpkg/status";

/// The output of a verb with `--json` for an image, a value for each line.
pub(crate) fn printed(image: &str, arguments: &[&str]) -> Result<Vec<Value>> {
    let source = format!("oci:{image}:latest");
    let output = Command::new(ours("porthole")?).args(arguments).args(["--json", &source]).output()?;
    Ok(String::from_utf8(output.stdout)?.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?)
}

/// Waits until the page shows these packages. The result of a choice appears some time after it.
fn shows(page: &Page, expected: &BTreeSet<String>, what: &str) -> Result<()> {
    let shown = page.until(what, |page| Ok((packages(page)? == *expected).then_some(())));
    if shown.is_err() {
        assert_eq!(packages(page)?, *expected, "{what}");
    }
    shown
}

/// Name, version, layer and removing layer of each package on the page.
fn packages(page: &Page) -> Result<BTreeSet<String>> {
    page.until("all packages are read", |page| page.browser().attribute("[data-probe=done]", "data-probe"))?;
    let rows = page.browser().run_async(
        "const frame = () => new Promise(requestAnimationFrame);
         const fits = () => document.querySelectorAll('[data-package]').length === Number(document.querySelector('#matches').dataset.count);
         for (let waited = 0; !fits() && waited < 600; waited += 1) { document.querySelector('#more')?.click(); await frame(); }
         return [...document.querySelectorAll('[data-package]')].map(row => {
             const { package: name, version, layer, removedBy, purl } = row.dataset;
             return [name, version, layer, removedBy ?? '', purl].join(' ');
         })",
        json!([]),
    )?;
    Ok(rows.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
}

#[test]
fn packages_are_those_that_dpkg_and_the_command_line_list() -> Result<()> {
    let scratch = Scratch::new("without-less")?;
    let image = without_less(&scratch)?;
    let storage = Storage::new()?;
    storage.push(&[(Path::new(&image), "latest", "porthole/packages:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/porthole/packages:1", registry.host()))?;
    page.verified()?;
    page.browser().click("#tab-packages")?;
    axe(&page, "before packages are read")?;
    page.browser().click("#start-probe")?;

    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |row: &Value| {
        let removed = row.get("removed_by").map(text).unwrap_or_default();
        [text(&row["name"]), text(&row["version"]), text(&row["layer"]), removed, text(&row["purl"])].join(" ")
    };
    let expected = |options: &[&str]| -> Result<BTreeSet<String>> {
        Ok(printed(&image, &[&["packages"], options].concat())?.iter().map(row).collect())
    };
    let shown = expected(&[])?;
    shows(&page, &shown, "what porthole packages prints")?;
    axe(&page, "packages")?;
    let admin = scratch.path().join("admin");
    fs::create_dir_all(admin.join("info"))?;
    fs::copy(scratch.path().join("status"), admin.join("status"))?;
    let root = format!("--admindir={}", admin.display());
    let installed = run("dpkg-query", [root.as_str(), "--show", "--showformat", "${Package} ${Version}\\n"])?;
    let of_dpkg: BTreeSet<&str> = installed.lines().collect();
    let debs = shown.iter().filter(|row| row.contains("pkg:deb/"));
    let names: Vec<String> = debs.map(|row| row.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(names.iter().map(String::as_str).collect::<BTreeSet<_>>(), of_dpkg, "what dpkg-query prints");

    page.browser().click("[data-packages=Removed]")?;
    let removed = expected(&["--deleted"])?;
    assert!(!removed.is_empty(), "a layer removes packages");
    shows(&page, &removed, "the removed packages")?;
    page.browser().click("[data-packages=Installed]")?;
    // A name is searched among the packages of the chosen state.
    page.until("the installed packages are chosen", |page| {
        page.browser().attribute("[data-packages=Installed][aria-pressed=true]", "aria-pressed")
    })?;
    page.browser().write("#package-name", "lib")?;
    let named = expected(&["--name", "lib"])?;
    shows(&page, &named, "the packages with that name")?;

    // The URL has the choice, and opens it. Nothing is fetched before the user starts the search.
    // The page writes the URL shortly after the last change of the selection.
    let address = page.until("the name in the address", |page| {
        Ok(Some(page.browser().url()?).filter(|url| url.contains("name=lib") && !url.contains("deleted=")))
    })?;
    let again = Page::on_screen(&address, 320, 568, "")?;
    again.until("the button", |page| page.browser().attribute("#start-probe:not(:disabled)", "id"))?;
    assert_eq!(again.browser().attribute("[data-probe]", "data-probe")?, None);
    again.browser().click("#start-probe")?;
    shows(&again, &named, "the same packages")?;
    axe(&again, "packages on a small screen")?;
    again.browser().click("[data-package] td button")?;
    again.until("the database", |page| page.browser().attribute(".content", "data-kind"))?;
    Ok(())
}

/// A text in the form of GitHub's tokens.
fn token() -> String {
    ["ghp_16C7e42F292c6912", "E7710c838347Ae178B4a"].concat()
}

/// The image of seven layers with two more: the upper one deletes a key and a token of the lower one.
pub(crate) fn with_secrets(scratch: &Scratch) -> Result<String> {
    let copy = scratch.path().join("secrets");
    run("cp", ["-r", &layout(&fixtures(), DEBIAN).display().to_string(), &copy.display().to_string()])?;
    let token = token();
    let body = "MIIEpAIBAAKCAQEAq7Zt9Xc2wL5rPo8sUvBn3dKf1GhYjTeMxWzCaQ4EbRi6".repeat(3);
    let [key, env] = ["id_rsa", "app.env"].map(|name| scratch.path().join(name));
    let of = |word: &str| format!("-----{word} RSA PRIVATE {}", "KEY-----");
    fs::write(&key, format!("{}\n{body}\n{}\n", of("BEGIN"), of("END")))?;
    fs::write(&env, format!("# settings\nTOKEN={token}\n"))?;
    let image = format!("{}:latest", copy.display());
    run("umoci", ["insert", "--image", &image, &key.display().to_string(), "/root/id_rsa"])?;
    run("umoci", ["insert", "--image", &image, &env.display().to_string(), "/etc/app.env"])?;
    run("umoci", ["insert", "--image", &image, "--whiteout", "/root/id_rsa"])?;
    run("umoci", ["config", "--image", &image, "--config.env", &format!("GITHUB_TOKEN={token}")])?;
    Ok(copy.display().to_string())
}

#[test]
fn secrets_are_those_that_the_command_line_finds() -> Result<()> {
    let scratch = Scratch::new("with-secrets")?;
    let image = with_secrets(&scratch)?;
    let storage = Storage::new()?;
    storage.push(&[(Path::new(&image), "latest", "porthole/secrets:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/porthole/secrets:1", registry.host()))?;
    page.verified()?;
    page.browser().click("#tab-secrets")?;
    axe(&page, "before secrets are looked for")?;
    page.browser().click("#start-probe")?;
    page.until("every layer is searched", |page| page.browser().attribute("[data-probe=done]", "data-probe"))?;
    page.until("what became of the files", |page| {
        Ok(page.browser().attribute("[data-fate=waiting]", "data-fate")?.is_none().then_some(()))
    })?;
    axe(&page, "secrets")?;
    let shown = |page: &Page| {
        page.browser().run(
            "return [...document.querySelectorAll('[data-secret]')].map(row => {
                 const { secret, place, path, line, layer, fate } = row.dataset;
                 return [secret, place ?? `${path}:${line}`, layer ?? '', fate ?? '', row.querySelector('code').textContent].join(' ');
             })",
            json!([]),
        )
    };
    let source = format!("oci:{image}:latest");
    let output = Command::new(ours("porthole")?).args(["secrets", "--json", &source]).output()?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |line: &str| -> Result<String> {
        let row: Value = serde_json::from_str(line)?;
        let place = match (&row["path"], &row["name"], &row["entry"]) {
            (Value::String(path), ..) => format!("{path}:{}", row["line"]),
            (_, Value::String(name), _) => format!("{} {name}", text(&row["place"])),
            (_, _, Value::Number(entry)) => format!("history, entry {entry}"),
            _ => text(&row["place"]),
        };
        let fate = match (&row["visible"], row.get("removed_by")) {
            (Value::Bool(true), _) => "live",
            (Value::Bool(false), Some(_)) => "deleted",
            (Value::Bool(false), None) => "hidden",
            _ => "",
        };
        let layer = row.get("layer").map(text).unwrap_or_default();
        Ok([text(&row["rule"]), place, layer, fate.to_owned(), text(&row["masked"])].join(" "))
    };
    let expected: Vec<String> = String::from_utf8(output.stdout)?.lines().map(row).collect::<Result<_>>()?;
    assert!(expected.len() >= 3, "{expected:?}");
    let same = page.until("all secrets", |page| Ok((shown(page)? == json!(expected)).then_some(())));
    assert_eq!(shown(&page)?, json!(expected), "what porthole secrets prints");
    same?;
    let all = page.browser().run("return document.documentElement.outerHTML", json!([]))?;
    assert!(!text(&all).contains("E7710c838347Ae178B4a"), "a token is on the page");

    page.browser().click("[data-fate=deleted] button")?;
    page.until("the deleted files", |page| page.pressed("deleted"))?;
    page.until("the key", |page| page.browser().attribute("#text", "id"))?;
    Ok(())
}
