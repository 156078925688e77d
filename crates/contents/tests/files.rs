//! What files are, compared with what other programs say of them: readelf, openssl, unzip and Python.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_contents::file::{ArchiveMembers, FactValue, FileFacts, KnownBytes, MemberScan};
use porthole_core::path;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What is read of a file whose first bytes are given, and how many bytes were asked for.
fn facts_of(file: &[u8], first: usize) -> (FileFacts, usize) {
    let mut known = KnownBytes::new(file.len() as u64, file[..first.min(file.len())].to_vec());
    let mut asked = 0;
    loop {
        match FileFacts::read(&known) {
            Ok(facts) => return (facts, asked),
            Err(range) => {
                let bytes = &file[range.start as usize..range.end as usize];
                asked += bytes.len();
                known.give(range.start, bytes);
            }
        }
    }
}

fn facts(path: &Path) -> FileFacts {
    let file = fs::read(path).unwrap();
    let (facts, asked) = facts_of(&file, 4096);
    assert!(asked <= file.len());
    assert_eq!(facts_of(&file, file.len()).0, facts, "the same from all of its bytes");
    facts
}

fn value<'f>(facts: &'f FileFacts, name: &str) -> Option<&'f FactValue> {
    facts.facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value)
}

fn text<'f>(facts: &'f FileFacts, name: &str) -> Option<&'f str> {
    match value(facts, name)? {
        FactValue::Text(text) => Some(text),
        other => panic!("{name}: {other:?}"),
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The rest of the first line that has this text, trimmed.
fn after<'t>(output: &'t str, label: &str) -> Option<&'t str> {
    output.lines().find_map(|line| Some(line.split_once(label)?.1.trim()))
}

fn folder() -> PathBuf {
    let name = format!("porthole-files-{}-{:?}", std::process::id(), std::thread::current().id());
    let folder = std::env::temp_dir().join(name.replace(['(', ')'], ""));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn programs_are_as_readelf_says() {
    let own = std::env::current_exe().unwrap();
    let libraries = run("ldconfig", &["-p"]);
    let library = after(&libraries, "libc.so.6 (libc6").and_then(|line| line.split("=> ").nth(1)).unwrap();
    for path in [own.as_path(), Path::new("/usr/bin/env"), Path::new(library)] {
        let (facts, shown) = (facts(path), path.display().to_string());
        let truth = run("readelf", &["-hldnSW", &shown]);
        let bits = if truth.contains("ELF64") { 64 } else { 32 };
        assert_eq!(value(&facts, "bits"), Some(&FactValue::Number(bits)));
        let machine = after(&truth, "Machine:").unwrap();
        assert!(machine.to_lowercase().contains(&text(&facts, "machine").unwrap().to_lowercase()), "{machine}");
        let interpreter = after(&truth, "program interpreter:").map(|line| line.trim_end_matches(']'));
        assert_eq!(text(&facts, "interpreter"), interpreter, "{shown}");
        assert_eq!(text(&facts, "build_id"), after(&truth, "Build ID:"), "{shown}");
        let bracketed = |line: &str| line.split_once('[')?.1.strip_suffix(']').map(str::to_owned);
        let needed: Vec<String> =
            truth.lines().filter(|line| line.contains("(NEEDED)")).filter_map(bracketed).collect();
        let needed = Some(FactValue::List(needed)).filter(|list| *list != FactValue::List(Vec::new()));
        assert_eq!(value(&facts, "needed"), needed.as_ref(), "{shown}");
        let soname = truth.lines().find(|line| line.contains("(SONAME)")).and_then(bracketed);
        assert_eq!(text(&facts, "soname"), soname.as_deref(), "{shown}");
        assert_eq!(value(&facts, "stripped"), Some(&FactValue::Flag(!truth.contains(" SYMTAB "))), "{shown}");
        assert_eq!(value(&facts, "debug_info"), Some(&FactValue::Flag(truth.contains(" .debug_info "))), "{shown}");
        let sections = after(&truth, "Number of section headers:").unwrap().parse().unwrap();
        assert_eq!(value(&facts, "sections"), Some(&FactValue::Number(sections)), "{shown}");
        let now = truth.contains("BIND_NOW") || truth.contains("Flags: NOW");
        let relro = if !truth.contains("GNU_RELRO") {
            "none"
        } else if now {
            "full"
        } else {
            "partial"
        };
        assert_eq!(text(&facts, "relro"), Some(relro), "{shown}");
        let program = truth.contains("program interpreter") && !shown.contains("libc");
        assert_eq!(facts.kind, if program { "ELF program" } else { "ELF library" }, "{shown}");
    }
}

#[test]
fn certificates_are_as_openssl_says() {
    let folder = folder();
    let (key, pem, der) = (folder.join("key"), folder.join("pem"), folder.join("der"));
    let shown = |path: &Path| path.display().to_string();
    for (algorithm, name, size) in [
        (&["rsa:2048"][..], "RSA", ("bits", FactValue::Number(2048))),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "EC", ("curve", FactValue::Text("P-384".into()))),
    ] {
        let subject = "/C=DE/ST=Berlin/O=Käse, Inc/CN=host.example";
        let mut arguments = vec!["req", "-x509", "-utf8", "-nodes", "-days", "400", "-newkey"];
        arguments.extend(algorithm);
        let (key, pem, der) = (shown(&key), shown(&pem), shown(&der));
        arguments.extend(["-keyout", &key, "-out", &pem, "-subj", subject]);
        arguments.extend(["-addext", "subjectAltName=DNS:a.example,IP:192.0.2.1,IP:2001:db8::1"]);
        run("openssl", &arguments);
        run("openssl", &["x509", "-in", &pem, "-outform", "DER", "-out", &der]);
        let line = |option: &str| {
            let printed = run(
                "openssl",
                &[
                    "x509",
                    "-in",
                    &pem,
                    "-noout",
                    option,
                    "-nameopt",
                    "sep_comma_plus_space,utf8",
                    "-dateopt",
                    "iso_8601",
                ],
            );
            printed.trim().split_once('=').unwrap().1.to_owned()
        };
        for path in [&pem, &der] {
            let facts = facts(Path::new(path));
            assert_eq!(facts.kind, "certificate");
            assert_eq!(text(&facts, "subject"), Some(&*line("-subject")));
            assert_eq!(text(&facts, "issuer"), Some(&*line("-issuer")));
            assert_eq!(text(&facts, "not_before").map(|time| time.replace('T', " ")), Some(line("-startdate")));
            assert_eq!(text(&facts, "not_after").map(|time| time.replace('T', " ")), Some(line("-enddate")));
            assert_eq!(text(&facts, "serial"), Some(&*line("-serial").to_lowercase()));
            let digest = run("openssl", &["x509", "-in", &pem, "-noout", "-fingerprint", "-sha256"]);
            let digest = digest.trim().split_once('=').unwrap().1.replace(':', "").to_lowercase();
            assert_eq!(text(&facts, "sha256"), Some(&*digest));
            assert_eq!(text(&facts, "algorithm"), Some(name));
            assert_eq!(value(&facts, size.0), Some(&size.1));
            assert_eq!(value(&facts, "authority"), Some(&FactValue::Flag(true)));
            let names = ["a.example", "192.0.2.1", "2001:db8::1"].map(str::to_owned).to_vec();
            assert_eq!(value(&facts, "names"), Some(&FactValue::List(names)));
        }
        let facts = facts(Path::new(&key));
        assert_eq!((facts.kind, text(&facts, "algorithm")), ("private key", Some(name)));
        assert_eq!(value(&facts, "encrypted"), Some(&FactValue::Flag(false)));
        assert_eq!(value(&facts, size.0), Some(&size.1));
        assert!(!format!("{facts:?}").contains(&fs::read_to_string(&key).unwrap().lines().nth(2).unwrap()[..20]));
    }
    fs::remove_dir_all(folder).unwrap();
}

fn names(members: &ArchiveMembers) -> Vec<(String, u64)> {
    members.listed.iter().map(|member| (path::escape(&member.path).into_owned(), member.size)).collect()
}

/// Makes one archive of each kind, with Python, and prints its members as `name<TAB>size<TAB>seconds`.
const MAKE: &str = r#"
import io, sys, tarfile, time, zipfile
folder = sys.argv[1]
files = [("a/b.txt", b"x" * 5000), ("a/\x1b[31m\u202e.txt", b"y"), ("z", b"")]
with zipfile.ZipFile(folder + "/zip", "w", zipfile.ZIP_DEFLATED) as z:
    for name, data in files:
        z.writestr(zipfile.ZipInfo(name, (2024, 2, 29, 12, 30, 58)), data)
for mode in ["", ":gz"]:
    with tarfile.open(folder + "/tar" + mode.replace(":", "."), "w" + mode) as t:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1709209858
            t.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link"); link.type, link.linkname = tarfile.SYMTYPE, "a/b.txt"
        t.addfile(link)
"#;

#[test]
fn members_of_archives_are_as_other_programs_list_them() {
    let folder = folder();
    run("python3", &["-c", MAKE, &folder.display().to_string()]);
    run(
        "zstd",
        &["-q", &folder.join("tar").display().to_string(), "-o", &folder.join("tar.zst").display().to_string()],
    );
    let escaped = r"a/\x1b[31m\xe2\x80\xae.txt";
    let expected = [("a/b.txt".to_owned(), 5000), (escaped.to_owned(), 1), ("z".to_owned(), 0)];

    let zip = facts(&folder.join("zip"));
    assert_eq!(zip.kind, "zip archive");
    let members = zip.members.unwrap();
    assert_eq!((names(&members), members.count, members.problem.as_deref()), (expected.to_vec(), 3, None));
    let listed = run("unzip", &["-lv", &folder.join("zip").display().to_string()]);
    let line = listed.lines().find(|line| line.ends_with("a/b.txt")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(members.listed[0].packed, words[2].parse().ok());
    assert_eq!(members.listed[0].written().unwrap(), "2024-02-29 12:30:58");
    assert!(words.contains(&"2024-02-29") && words.contains(&"12:30"), "{line}");

    for name in ["tar", "tar.gz", "tar.zst"] {
        let file = fs::read(folder.join(name)).unwrap();
        let mut scan = MemberScan::new(&file[..512.min(file.len())]).unwrap();
        for part in file.chunks(700) {
            scan.push(part);
        }
        let members = scan.finish().unwrap();
        assert_eq!(names(&members)[..3], expected, "{name}");
        assert_eq!((members.count, members.problem.as_deref()), (4, None), "{name}");
        assert_eq!(members.listed[0].written().unwrap(), "2024-02-29 12:30:58");
        assert_eq!((&*members.listed[3].path, &*members.listed[3].link), (&b"link"[..], &b"a/b.txt"[..]));
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn pictures_scripts_and_modules_say_what_they_are() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06\0\0\0";
    let (facts, _) = facts_of(png, 10);
    assert_eq!(facts.kind, "PNG picture");
    assert_eq!(value(&facts, "width"), Some(&FactValue::Number(640)));
    assert_eq!(value(&facts, "height"), Some(&FactValue::Number(480)));

    let (facts, _) = facts_of(b"#!/usr/bin/env  python3 -u\nprint()\n", 100);
    assert_eq!(
        (facts.kind, text(&facts, "interpreter"), text(&facts, "argument")),
        ("script", Some("/usr/bin/env"), Some("python3 -u"))
    );

    // A module with one import and one export, and a section with a name.
    let wasm = [
        &b"\0asm\x01\0\0\0"[..],
        b"\x01\x04\x01\x60\0\0",
        b"\x02\x07\x01\x01a\x01b\0\0",
        b"\x07\x05\x01\x01c\0\0",
        b"\0\x05\x04name",
    ]
    .concat();
    let (facts, _) = facts_of(&wasm, 8);
    assert_eq!(facts.kind, "WebAssembly module");
    assert_eq!(value(&facts, "imports"), Some(&FactValue::Number(1)));
    assert_eq!(value(&facts, "exports"), Some(&FactValue::Number(1)));
    assert_eq!(value(&facts, "custom_sections"), Some(&FactValue::List(vec!["name".into()])));

    for (text, kind) in [
        (&b"{\"a\": 1}"[..], "JSON text"),
        (b"<?xml version='1.0'?><a/>", "XML text"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG picture"),
        (b"[section]\nkey=1\n", "text"),
        ("Grüße".as_bytes(), "text"),
        (b"\xff\xfe\0\x01", "data"),
        (b"", "empty file"),
    ] {
        assert_eq!(facts_of(text, 4096).0.kind, kind, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_damaged_file_is_read_without_panic_and_within_limits() {
    let own = fs::read("/usr/bin/env").unwrap();
    let folder = folder();
    run("python3", &["-c", MAKE, &folder.display().to_string()]);
    let zip = fs::read(folder.join("zip")).unwrap();
    fs::remove_dir_all(folder).unwrap();
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for file in [own, zip] {
        for _ in 0..300 {
            let mut damaged = file.clone();
            let near = if next(2) == 0 { damaged.len().min(600) } else { damaged.len() };
            for _ in 0..4 {
                let at = next(near);
                damaged[at] = next(256) as u8;
            }
            damaged.truncate(near + next(file.len() - near + 1));
            let (_, asked) = facts_of(&damaged, 4096);
            assert!(asked <= 9 << 20, "{asked}");
        }
    }
}
