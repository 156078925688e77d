//! `login` and `logout` with htpasswd and tokens: credentials in a file or a helper, never in the output.

use crate::images::{self, FOR_KEEPERS, SEVEN_LAYERS};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_tests::{
    Result,
    program::{free_port, ours, run},
    servers::{Access, Nginx, Password, Registry, Scratch, Tokens},
    terminal::Terminal,
};
use std::{
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Runs porthole in a home directory, with a password on stdin.
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
fn login_checks_and_stores_a_password_and_logout_removes_it() -> Result<()> {
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
    ends(&porthole(home, &["logout", &host], "")?, 0, "no credentials were stored");
    Ok(())
}

/// A token server checks the password; its token is valid for one repository.
#[test]
fn a_token_server_decides() -> Result<()> {
    let port = free_port()?;
    let tokens = Tokens::start(format!("http://127.0.0.1:{port}/token"))?;
    let registry = Registry::start(images::storage(), &Access::Token(&tokens))?;
    let joined = Nginx::joins(port, registry.port(), tokens.port())?;
    let (home, host) = (Scratch::new("home")?, joined.host());
    let (home, reference) = (home.path(), format!("{host}/{FOR_KEEPERS}"));
    let login = ["login", host.as_str(), "--username", Password::USER, "--password-stdin"];
    ends(&porthole(home, &["digest", &reference], "")?, 3, "porthole login");
    ends(&porthole(home, &login, "wrong")?, 3, "check the user name and password");
    ends(&porthole(home, &login, Password::PASSWORD)?, 0, "signed in");
    ends(&porthole(home, &["digest", &reference], "")?, 0, "");
    ends(&porthole(home, &["logout", &format!("https://{host}/v2/")], "")?, 0, "signed out");
    ends(&porthole(home, &["digest", &reference], "")?, 3, "porthole login");
    Ok(())
}

#[test]
fn the_password_prompt_does_not_echo() -> Result<()> {
    let password = Password::new()?;
    let registry = Registry::start(images::storage(), &Access::Basic(&password))?;
    let (home, host) = (Scratch::new("home")?, registry.host());
    let mut terminal = Terminal::runs(&format!("{} login {host}", ours("porthole")?.display()), home.path())?;
    terminal.answers(&format!("User at {host}: "), &format!("{}\n", Password::USER))?;
    terminal.answers(&format!("Password of {}: ", Password::USER), &format!("{}\n", Password::PASSWORD))?;
    let (code, seen) = terminal.ends()?;
    assert!(code == Some(0) && seen.contains("signed in") && !seen.contains("sesame"), "{seen}");
    ends(&porthole(home.path(), &["digest", &format!("{host}/{SEVEN_LAYERS}")], "")?, 0, "");
    Ok(())
}

#[test]
fn a_signal_at_the_password_prompt_restores_echo() -> Result<()> {
    let home = Scratch::new("home")?;
    let number = home.path().join("number");
    // Use a shell that ignores the signal, so that it can report how the program ended.
    let command = format!(
        "trap : INT; sh -c 'echo $$ > {}; exec {} login 127.0.0.1:1 --username keeper'; echo ended with $?; stty --all",
        number.display(),
        ours("porthole")?.display()
    );
    for (typed, signal, status) in [("ope\u{3}", None, 130), ("ope", Some("TERM"), 143)] {
        let mut terminal = Terminal::runs(&command, home.path())?;
        terminal.answers("Password of keeper: ", typed)?;
        if let Some(signal) = signal {
            run("kill", ["-s", signal, fs::read_to_string(&number)?.trim()])?;
        }
        let (_, seen) = terminal.ends()?;
        let ended = seen.contains("interrupted") && seen.contains(&format!("ended with {status}"));
        assert!(ended && seen.contains(" echo ") && seen.contains("-echonl"), "{seen}");
    }
    Ok(())
}

/// A credential helper that stores one entry in a file.
const HELPER: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
case "$1" in
  store) cat > kept ;;
  get) cat > asked; if [ -f kept ]; then cat kept; else echo "credentials not found in native keychain"; exit 1; fi ;;
  erase) rm kept ;;
esac
"#;

#[test]
fn a_credential_helper_stores_and_returns_the_password() -> Result<()> {
    let password = Password::new()?;
    let registry = Registry::start(images::storage(), &Access::Basic(&password))?;
    let (home, host) = (Scratch::new("home")?, registry.host());
    let (home, reference) = (home.path(), format!("{host}/{SEVEN_LAYERS}"));
    fs::create_dir(home.join(".docker"))?;
    fs::write(home.join(".docker/config.json"), format!(r#"{{"credHelpers":{{"{host}":"porthole-test"}}}}"#))?;
    // The helper has no entry: no other source is tried, and the error names the helper.
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

    // `login` removes an older entry from the file when a helper is configured, and keeps foreign keys.
    let file = home.join(".docker/config.json");
    fs::write(
        &file,
        format!(
            r#"{{"auths":{{"https://{host}":{{"auth":"b2xkOm9sZA=="}}}},"credsStore":"porthole-test","psFormat":"x"}}"#
        ),
    )?;
    ends(&porthole(home, &login, Password::PASSWORD)?, 0, "kept by docker-credential-porthole-test");
    let left = fs::read_to_string(&file)?;
    assert!(!left.contains("b2xk") && left.contains("psFormat"), "{left}");
    fs::write(&file, format!(r#"{{"auths":{{"https://{host}":{{}}}},"credsStore":"porthole-test"}}"#))?;
    ends(&porthole(home, &["digest", &reference], "")?, 0, "");
    assert_eq!(fs::read_to_string(home.join("asked"))?, format!("https://{host}"));
    ends(&porthole(home, &["login", &host, "--username", "<token>", "--password-stdin"], "identity")?, 3, "");
    fs::write(&helper, "#!/bin/sh\nexit 1\n")?;
    ends(&porthole(home, &["digest", &reference], "")?, 3, "docker-credential-porthole-test");
    fs::write(&file, r#"{"credsStore":"../evil"}"#)?;
    ends(&porthole(home, &["digest", &reference], "")?, 3, "`../evil`");
    Ok(())
}

/// A missing helper must not prevent access to public images.
#[test]
fn a_missing_helper_does_not_prevent_public_access() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let home = Scratch::new("home")?;
    fs::create_dir(home.path().join(".docker"))?;
    fs::write(home.path().join(".docker/config.json"), r#"{"credsStore":"that-nobody-has"}"#)?;
    let reference = format!("{}/{SEVEN_LAYERS}", registry.host());
    ends(&porthole(home.path(), &["digest", &reference], "")?, 0, "cannot run `docker-credential-that-nobody-has`");
    Ok(())
}

/// Credentials in podman's file are used, and `logout` reports that they remain.
#[test]
fn credentials_of_podman_are_used_and_reported() -> Result<()> {
    let password = Password::new()?;
    let registry = Registry::start(images::storage(), &Access::Basic(&password))?;
    let (home, host) = (Scratch::new("home")?, registry.host());
    let (home, reference) = (home.path(), format!("{host}/{SEVEN_LAYERS}"));
    let auth = STANDARD.encode(format!("{}:{}\0\0", Password::USER, Password::PASSWORD));
    for (file, key) in
        [(".config/containers/auth.json", format!("{host}/porthole")), (".dockercfg", format!("https://{host}/v1/"))]
    {
        let entries = format!(r#"{{"{key}":{{"auth":"{auth}"}}}}"#);
        let path = home.join(file);
        fs::create_dir_all(path.parent().ok_or("a file has a folder")?)?;
        fs::write(&path, if file == ".dockercfg" { entries } else { format!(r#"{{"auths":{entries}}}"#) })?;
        ends(&porthole(home, &["digest", &reference], "")?, 0, "");
        fs::remove_file(&path)?;
        ends(&porthole(home, &["digest", &reference], "")?, 3, "porthole login");
    }
    fs::write(home.join(".dockercfg"), format!(r#"{{"{host}":{{"auth":"{auth}"}}}}"#))?;
    let output = porthole(home, &["logout", &host], "")?;
    ends(&output, 0, "no credentials were stored");
    ends(&output, 0, ".dockercfg");
    Ok(())
}
