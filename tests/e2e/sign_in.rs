//! Signing in: to a registry with htpasswd, kept in a file or by a helper, and never shown.

use crate::images::{self, SEVEN_LAYERS};
use porthole_tests::{
    Result,
    program::ours,
    servers::{Access, Password, Registry, Scratch},
};
use std::{
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Runs porthole at home, with a password on stdin.
fn porthole(home: &Path, arguments: &[&str], password: &str) -> Result<Output> {
    let path = format!("{}:{}", home.display(), std::env::var("PATH")?);
    let mut child = Command::new(ours("porthole")?)
        .args(arguments)
        .env_clear()
        .envs([("HOME", home.display().to_string()), ("PATH", path)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().ok_or("no stdin")?.write_all(password.as_bytes())?;
    let output = child.wait_with_output()?;
    for said in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(said).contains(Password::PASSWORD), "a password is never shown");
    }
    Ok(output)
}

fn ends(output: &Output, code: i32, word: &str) {
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{talk}");
    assert!(talk.contains(word), "{word} in:\n{talk}");
}

#[test]
fn a_password_is_tried_kept_used_and_forgotten() -> Result<()> {
    let password = Password::new()?;
    let registry = Registry::start(images::storage(), &Access::Basic(&password))?;
    let (home, host) = (Scratch::new("home")?, registry.host());
    let (home, reference) = (home.path(), format!("{host}/{SEVEN_LAYERS}"));
    let login = ["login", host.as_str(), "--username", Password::USER, "--password-stdin"];
    ends(&porthole(home, &["digest", &reference], "")?, 3, "porthole login");
    ends(&porthole(home, &login, "wrong")?, 3, "check the user name and password");
    assert!(!home.join(".docker").exists(), "what is refused is not kept");

    ends(&porthole(home, &login, &format!("{}\n", Password::PASSWORD))?, 0, "unencrypted");
    let file = home.join(".docker/config.json");
    assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
    ends(&porthole(home, &["digest", &reference], "")?, 0, "");

    let mut others: serde_json::Value = serde_json::from_slice(&fs::read(&file)?)?;
    others["detachKeys"] = "ctrl-q".into();
    fs::write(&file, others.to_string())?;
    ends(&porthole(home, &["logout", &host], "")?, 0, "signed out");
    ends(&porthole(home, &["digest", &reference], "")?, 3, "porthole login");
    assert!(fs::read_to_string(&file)?.contains("ctrl-q"), "what others wrote stays");
    ends(&porthole(home, &["logout", &host], "")?, 0, "nothing was kept");
    Ok(())
}

/// Keeps one answer in a file, as docker-credential-helpers speak.
const HELPER: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
case "$1" in
  store) cat > kept ;;
  get) cat > asked; if [ -f kept ]; then cat kept; else echo "credentials not found in native keychain"; exit 1; fi ;;
  erase) rm kept ;;
esac
"#;

#[test]
fn a_helper_keeps_what_it_is_given() -> Result<()> {
    let password = Password::new()?;
    let registry = Registry::start(images::storage(), &Access::Basic(&password))?;
    let (home, host) = (Scratch::new("home")?, registry.host());
    let (home, reference) = (home.path(), format!("{host}/{SEVEN_LAYERS}"));
    fs::create_dir(home.join(".docker"))?;
    fs::write(home.join(".docker/config.json"), format!(r#"{{"credHelpers":{{"{host}":"porthole-test"}}}}"#))?;
    // Not there: nothing else is asked in its place, and the program is named.
    ends(&porthole(home, &["digest", &reference], "")?, 3, "docker-credential-porthole-test");
    let helper = home.join("docker-credential-porthole-test");
    fs::write(&helper, HELPER)?;
    fs::set_permissions(&helper, Permissions::from_mode(0o755))?;
    ends(&porthole(home, &["digest", &reference], "")?, 3, "porthole login");
    let login = ["login", host.as_str(), "--username", Password::USER, "--password-stdin"];
    ends(&porthole(home, &login, Password::PASSWORD)?, 0, "kept by docker-credential-porthole-test");
    assert!(!fs::read_to_string(home.join(".docker/config.json"))?.contains("auths"), "the helper alone keeps it");
    ends(&porthole(home, &["digest", &reference], "")?, 0, "");
    assert_eq!(fs::read_to_string(home.join("asked"))?, host);
    ends(&porthole(home, &["logout", &host], "")?, 0, "signed out");
    assert!(!home.join("kept").exists());
    Ok(())
}
