use super::*;
use crate::testing::ReadLayers;
use porthole_testkit::image::Layer;

/// Paths without an owner, and those that were modified, each with its package.
fn judged(layers: &[Layer]) -> (Vec<String>, Vec<String>) {
    let ReadLayers { tree, collected, digests, .. } = ReadLayers::of(layers);
    let inventory = Inventory::of(&tree, &collected);
    let ownership = Ownership::of(&tree, &inventory);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let unowned = ownership.unowned().map(|row| text(&row.path)).collect();
    let modified = ownership.modified(&digests);
    let modified = modified.iter().map(|file| format!("{} {}", file.installed.package.name, text(&file.row.path)));
    (unowned, modified.collect())
}

/// `md5sum` of `one` and of nothing.
const ONE: &str = "f97c5d29941bfb1b2fdab0874906ab82";
const NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

fn debian() -> Layer {
    let package =
        |name: &str, more: &str| format!("Package: {name}\nStatus: install ok installed\nVersion: 1\n{more}\n");
    Layer::new("ADD")
        .symlink("bin", "usr/bin")
        .file("usr/bin/one", "one")
        .file("usr/bin/empty", "")
        .file("etc/conf", "one")
        .symlink("usr/bin/link", "one")
        .file(
            "var/lib/dpkg/status",
            [package("a", &format!("Conffiles:\n /etc/conf {ONE}\n")), package("b", "")].concat(),
        )
        .file(
            "var/lib/dpkg/info/a.list",
            "/.\n/bin\n/bin/one\n/usr/bin/empty\n/usr/bin/link\n/etc\n/etc/conf\n/usr/share/missing\n",
        )
        .file(
            "var/lib/dpkg/info/a.md5sums",
            format!("{ONE}  bin/one\n{NOTHING}  usr/bin/empty\n{ONE}  usr/share/missing\n"),
        )
        .file("var/lib/dpkg/info/b.list", "/.\n/usr/bin/tool\n")
        .file("var/lib/dpkg/info/b.md5sums", format!("{ONE}  usr/bin/tool\n"))
}

const DATABASE: [&str; 5] = [
    "var/lib/dpkg/info/a.list",
    "var/lib/dpkg/info/a.md5sums",
    "var/lib/dpkg/info/b.list",
    "var/lib/dpkg/info/b.md5sums",
    "var/lib/dpkg/status",
];

fn but_the_database(unowned: Vec<String>) -> Vec<String> {
    unowned.into_iter().filter(|path| !DATABASE.contains(&path.as_str())).collect()
}

#[test]
fn files_are_owned_through_links_to_their_directories() {
    let (unowned, modified) =
        judged(&[debian().file("usr/bin/tool", "one"), Layer::new("COPY").file("app/x", "x").dir("app/d")]);
    assert_eq!(but_the_database(unowned), ["app/x"]);
    assert_eq!(modified, Vec::<String>::new());
}

#[test]
fn what_a_later_layer_changed_is_modified() {
    let later = Layer::new("RUN").file("usr/bin/one", "two").file("usr/bin/empty", "x").file("etc/conf", "two");
    let (_, modified) = judged(&[debian().file("usr/bin/tool", "one"), later]);
    assert_eq!(modified, ["a etc/conf", "a usr/bin/one", "a usr/bin/empty"]);
    // Removed files are not modified, and a link may lead to the same content.
    let later =
        Layer::new("RUN").whiteout("usr/bin/one").symlink("usr/bin/tool", "../../opt/tool").file("opt/tool", "one");
    let (unowned, modified) = judged(&[debian(), later]);
    assert_eq!((but_the_database(unowned), modified), (vec!["opt/tool".to_owned()], Vec::new()));
    for target in ["nowhere", "empty"] {
        let (_, modified) = judged(&[debian(), Layer::new("RUN").symlink("usr/bin/tool", target)]);
        assert_eq!(modified, ["b usr/bin/tool"]);
    }
}

#[test]
fn a_hard_link_has_the_content_of_its_target() {
    let (_, modified) = judged(&[debian().hardlink("usr/bin/tool", "usr/bin/one")]);
    assert_eq!(modified, Vec::<String>::new());
    let (_, modified) = judged(&[debian().hardlink("usr/bin/tool", "usr/bin/empty")]);
    assert_eq!(modified, ["b usr/bin/tool"]);
}

#[test]
fn a_diverted_file_is_where_dpkg_moved_it() {
    let diversions = "/usr/bin/tool\n/usr/bin/tool.distrib\na\n";
    let layer = debian().file("usr/bin/tool.distrib", "one").file("usr/bin/tool", "of a");
    let (unowned, modified) = judged(&[layer.file("var/lib/dpkg/diversions", diversions)]);
    assert_eq!(but_the_database(unowned), ["usr/bin/tool", "var/lib/dpkg/diversions"]);
    assert_eq!(modified, Vec::<String>::new());
}

#[test]
fn links_in_a_circle_have_an_end() {
    let circle = Layer::new("ADD").symlink("bin", "bin").symlink("a", "b").symlink("b", "a/x");
    let list = "/bin/one\n/a/one\n/b/../one\n";
    let status = "Package: a\nStatus: install ok installed\nVersion: 1\n";
    let circle = circle.file("var/lib/dpkg/status", status).file("var/lib/dpkg/info/a.list", list);
    let (unowned, _) = judged(&[circle]);
    assert_eq!(but_the_database(unowned), ["a", "b", "bin"]);
}

#[test]
fn apk_records_the_text_of_a_link() {
    // SHA-1 of `ld-musl-x86_64.so.1`, which Alpine's musl has; that of `one`; and the start of its SHA-256.
    let database = "P:musl\nV:1\nF:lib\nR:libc.musl-x86_64.so.1\nZ:Q17yJ3JFNypA4mxhJJr0ou6CzsJVI=\nR:hard\n\
        Z:Q17yJ3JFNypA4mxhJJr0ou6CzsJVI=\nR:ld-musl-x86_64.so.1\nZ:Q1/gW83NxJKAEngaXxoqd8u1OY4QY=\n\n\
        P:three\nV:1\nf:S\nF:opt\nR:link\nZ:Q1dpLDrTVAu4A8Ags67mbNiIcSMjQ=\nR:file\nZ:Q1dpLDrTVAu4A8Ags67mbNiIcSMjQ=\n";
    let alpine = || {
        Layer::new("ADD")
            .file("lib/apk/db/installed", database)
            .file("lib/ld-musl-x86_64.so.1", "one")
            .symlink("lib/libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1")
            .hardlink("lib/hard", "lib/libc.musl-x86_64.so.1")
            .symlink("opt/link", "one")
            .file("opt/file", "one")
    };
    assert_eq!(judged(&[alpine()]).1, Vec::<String>::new());
    let later = Layer::new("RUN")
        .symlink("lib/libc.musl-x86_64.so.1", "other")
        .symlink("opt/link", "file")
        .file("opt/file", "two");
    let (_, modified) = judged(&[alpine(), later]);
    assert_eq!(modified, ["musl lib/libc.musl-x86_64.so.1", "three opt/link", "three opt/file"]);
}

#[test]
fn a_file_that_another_package_replaced_is_not_modified() {
    // dpkg takes the path out of the list of `b`; its digest stays in `b.md5sums`.
    let later = Layer::new("RUN").file("usr/bin/tool", "two").file("var/lib/dpkg/info/b.list", "/.\n/usr\n/usr/bin\n");
    let (_, modified) = judged(&[debian().file("usr/bin/tool", "one"), later]);
    assert_eq!(modified, Vec::<String>::new());
}

#[test]
fn a_configuration_file_is_modified_once() {
    let sums = format!("{ONE}  etc/conf\n{ONE}  bin/one\n");
    let later = Layer::new("RUN").file("var/lib/dpkg/info/a.md5sums", sums).file("etc/conf", "two");
    let (_, modified) = judged(&[debian().file("usr/bin/tool", "one"), later]);
    assert_eq!(modified, ["a etc/conf"]);
}

#[test]
fn packages_of_languages_own_their_directories_programs_and_archives() {
    let gemspec = "s.name = \"rack\"\ns.version = \"3.0\"\n";
    let composer = r#"[{"name":"a/b","version":"1"}]"#;
    let deps = r#"{"libraries": {"S/1": {"type": "package"}},
        "targets": {"x": {"S/1": {"runtime": {"lib/net8.0/S.dll": {}}}}}}"#;
    let layer = debian()
        .file("app/node_modules/a/package.json", r#"{"name":"a","version":"1"}"#)
        .file("app/node_modules/a/lib/x.js", "x")
        .file("app/node_modules/ab/x.js", "x")
        .symlink("app/node_modules/.bin/a", "../a/lib/x.js")
        .symlink("app/node_modules/.bin/other", "../ab/x.js")
        .file("gems/specifications/rack-3.0.gemspec", gemspec)
        .file("gems/gems/rack-3.0/lib/rack.rb", "x")
        .file("gems/extensions/x86_64-linux/3.1.0/rack-3.0/rack.so", "x")
        .file("gems/gems/rack-3.0.1/lib/rack.rb", "x")
        .file("app/vendor/composer/installed.json", composer)
        .file("app/vendor/a/b/src/b.php", "x")
        .file("srv/app.deps.json", deps)
        .file("srv/S.dll", "x")
        .file("srv/app.dll", "x");
    let (unowned, _) = judged(&[layer]);
    let expected = [
        "app/node_modules/.bin/other",
        "app/node_modules/ab/x.js",
        "app/vendor/composer/installed.json",
        "gems/gems/rack-3.0.1/lib/rack.rb",
        "srv/app.dll",
    ];
    assert_eq!(but_the_database(unowned), expected);
}
