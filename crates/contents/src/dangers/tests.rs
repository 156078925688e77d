use super::*;
use crate::{inventory::Inventory, testing::ReadLayers};
use porthole_testkit::image::{Entry, Kind as Special, Layer};

fn found(layers: &[Layer], config: &ImageConfig) -> Vec<Danger> {
    let ReadLayers { tree, collected, certificates, .. } = ReadLayers::of(layers);
    let inventory = Inventory::of(&tree, &collected);
    let name = inventory.release.as_ref().and_then(|release| release.name.as_deref());
    dangers(Some(config), &Ownership::of(&tree, &inventory), &certificates, name)
}

/// Kind and path of each danger.
fn kinds(layers: &[Layer], config: &ImageConfig) -> Vec<(&'static str, String)> {
    let path = |danger: &Danger| danger.path.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    found(layers, config).iter().map(|danger| (danger.kind.name(), path(danger))).collect()
}

/// A system whose package brought a set-uid file, a set-gid file, a device, a shared directory and a certificate.
fn system() -> Layer {
    let leaf = include_bytes!("../../tests/vectors/certificates/leaf.pem");
    let list = "/usr/bin/su\n/usr/bin/wall\n/var/shared\n/etc/ssl/owned.pem\n/usr/bin/ping\n";
    Layer::new("ADD")
        .file("var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\n")
        .file("var/lib/dpkg/info/a.list", list)
        .file("etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n")
        .entry(Entry::file("usr/bin/su", b"su").mode(0o4755))
        .entry(Entry::file("usr/bin/wall", b"wall").mode(0o2755))
        .entry(Entry::file("usr/bin/ping", b"ping").mode(0o755).xattr("security.capability", b"cap"))
        .entry(Entry::dir("var/shared").mode(0o777))
        .entry(Entry::dir("tmp").mode(0o1777))
        .entry(Entry::new("dev/null", Special::Char(1, 3)))
        .file("bin/sh", "#!")
        .file("etc/ssl/owned.pem", leaf)
}

fn made(created: &str) -> ImageConfig {
    ImageConfig { created: Some(created.to_owned()), ..ImageConfig::default() }
}

#[test]
fn what_packages_brought_is_no_danger() {
    assert_eq!(kinds(&[system()], &made("2024-01-01T00:00:00Z")), []);
}

#[test]
fn rights_that_no_package_brought_are_dangers() {
    let later = Layer::new("RUN")
        .entry(Entry::file("opt/su", b"su").mode(0o4755))
        .entry(Entry::file("opt/wall", b"wall").mode(0o2755))
        .entry(Entry::file("opt/ping", b"ping").mode(0o755).xattr("security.capability", b"cap"))
        .entry(Entry::file("opt/open", b"").mode(0o666))
        .entry(Entry::dir("srv/all").mode(0o777))
        .entry(Entry::dir("srv/sticky").mode(0o1777));
    let expected = [
        ("unowned-world-writable", "opt/open"),
        ("unowned-capabilities", "opt/ping"),
        ("unowned-set-uid", "opt/su"),
        ("unowned-set-uid", "opt/wall"),
        ("unowned-world-writable", "srv/all"),
    ];
    let expected = expected.map(|(kind, path)| (kind, path.to_owned()));
    assert_eq!(kinds(&[system(), later.clone()], &ImageConfig::default()), expected);
    // Without a database of the system there is no evidence.
    assert_eq!(kinds(&[later], &ImageConfig::default()), []);
}

#[test]
fn devices_are_dangers_outside_of_dev() {
    let devices = Layer::new("RUN")
        .entry(Entry::new("opt/mem", Special::Char(1, 1)))
        .entry(Entry::new("opt/gone", Special::Char(0, 0)));
    let found = found(&[system(), devices], &ImageConfig::default());
    let texts: Vec<_> = found.iter().map(|danger| (danger.text.as_str(), danger.layer)).collect();
    assert_eq!(texts, [("character device 1,1 outside of /dev: opt/mem", Some(1))]);
}

#[test]
fn certificates_are_compared_with_the_time_of_the_image() {
    let leaf = include_bytes!("../../tests/vectors/certificates/leaf.pem");
    let authority = include_bytes!("../../tests/vectors/certificates/ca.pem");
    let server = Layer::new("COPY")
        .file("etc/server.pem", leaf)
        .file("etc/ca.pem", authority)
        .file("usr/lib/x/tests/server.pem", leaf)
        .file("etc/late.pem", include_bytes!("../../tests/vectors/certificates/late.pem"));
    let layers = [system(), server.clone()];
    let expected = [("expired-certificate", "etc/server.pem".to_owned())];
    assert_eq!(kinds(&layers, &made("2021-02-03T04:05:07.5Z")), expected);
    assert_eq!(kinds(&layers, &made("2021-02-03T03:35:07-00:30")), expected);
    let soon = [("expiring-certificate", "etc/server.pem".to_owned())];
    for made_at in ["2021-02-03T04:05:06Z", "2021-01-04T23:00:00Z", "2021-02-03T06:05:06.9+02:00"] {
        assert_eq!(kinds(&layers, &made(made_at)), soon, "{made_at}");
    }
    let text = &found(&layers, &made("2021-01-31T00:00:00Z"))[0].text;
    assert_eq!(text, "certificate that expires on 2021-02-03, 3 days after the image was made: etc/server.pem");
    assert_eq!(kinds(&layers, &made("2021-01-03T00:00:00Z")), []);
    assert_eq!(kinds(&layers, &made("0001-01-01T00:00:00Z")), []);
    assert_eq!(kinds(&layers, &made("0000-01-01T00:00:00+01:00")), []);
    assert_eq!(kinds(&layers, &made("yesterday")), []);
    // One that a later layer replaced is of no effect.
    let renewed =
        Layer::new("COPY").file("etc/server.pem", include_bytes!("../../tests/vectors/certificates/late.pem"));
    assert_eq!(kinds(&[system(), server, renewed], &made("2022-01-01T00:00:00Z")), []);
}

#[test]
fn a_shell_is_a_danger_only_where_the_image_says_it_has_none() {
    let distroless = Layer::new("COPY").file("etc/os-release", "ID=debian\nPRETTY_NAME=\"Distroless\"\n");
    let shell = Layer::new("COPY").entry(Entry::file("busybox/sh", b"sh").mode(0o755)).file("opt/sh", "no program");
    assert_eq!(
        kinds(&[distroless.clone(), shell.clone()], &ImageConfig::default()),
        [("shell", "busybox/sh".to_owned())]
    );
    assert_eq!(kinds(&[distroless], &ImageConfig::default()), []);
    assert_eq!(kinds(&[system(), shell], &ImageConfig::default()), []);
}

#[test]
fn days_are_counted_over_the_ends_of_months_and_leap_years() {
    for (from, to, days) in [
        ("20240228000000", "20240301000000", 2),
        ("20230228000000", "20230301000000", 1),
        ("19991231235959", "20000101000000", 1),
        ("19000228000000", "19000301000000", 1),
        ("20231231000000", "20241231000000", 366),
    ] {
        assert_eq!(day_number(to) - day_number(from), days, "{from} {to}");
    }
}
