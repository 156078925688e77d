//! Trust decisions: certificates, redirects and token servers. The output shows no secrets.

use crate::images::{self, FOR_EVERYONE, SEVEN_LAYERS};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_tests::{
    Result,
    program::ours,
    servers::{ALWAYS, Access, Authority, Fault, Faulty, Nginx, Password, Registry, Scratch},
};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// Runs porthole in a home directory with credentials for these registries, isolated from this machine's configuration.
fn porthole(home: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Output> {
    let mut command = Command::new(ours("porthole")?);
    command.args(arguments).env_clear().env("HOME", home).envs(environment.iter().copied());
    Ok(command.output()?)
}

fn talk(output: &Output) -> String {
    format!(
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn ends(output: &Output, code: i32, word: &str) {
    assert!(output.status.code() == Some(code) && talk(output).contains(word), "{code}, {word}: {}", talk(output));
}

/// A home directory with a password for these registries.
fn home(hosts: &[&str]) -> Result<Scratch> {
    let home = Scratch::new("home")?;
    fs::create_dir(home.path().join(".docker"))?;
    let auth = STANDARD.encode(format!("{}:{}", Password::USER, Password::PASSWORD));
    let auths: Vec<String> = hosts.iter().map(|host| format!(r#""{host}":{{"auth":"{auth}"}}"#)).collect();
    fs::write(home.path().join(".docker/config.json"), format!(r#"{{"auths":{{{}}}}}"#, auths.join(",")))?;
    Ok(home)
}

#[test]
fn a_private_authority_is_trusted_when_it_is_named() -> Result<()> {
    let (authority, other, password) = (Authority::new()?, Authority::new()?, Password::new()?);
    let registry = Registry::start(images::storage(), &Access::Basic(&password))?;
    let secure = Nginx::secures(registry.port(), &authority)?;
    let host = secure.host().replace("127.0.0.1", "localhost");
    let (home, reference) = (home(&[&host])?, format!("{host}/{SEVEN_LAYERS}"));
    let digest = |options: &[&str]| porthole(home.path(), &[&["digest", &reference], options].concat(), &[]);
    let (ca, wrong) = (authority.certificate().display().to_string(), other.certificate().display().to_string());
    ends(&digest(&["--ca", &ca])?, 0, "sha256:");
    ends(&digest(&["--insecure"])?, 0, "sha256:");
    ends(&digest(&[])?, 8, "pass its certificate with --ca");
    ends(&digest(&["--ca", &wrong])?, 8, "no trusted TLS connection");
    // `--plain-http` without a host does not override TLS: it is tried first.
    ends(&digest(&["--ca", &ca, "--plain-http"])?, 0, "sha256:");
    ends(&digest(&["--ca", &ca, &format!("--plain-http={host}")])?, 9, "400");
    let plain = registry.host().replace("127.0.0.1", "localhost");
    // A registry without TLS on this machine is asked without a password: the stored one is for another port.
    ends(&porthole(home.path(), &["digest", &format!("{plain}/{SEVEN_LAYERS}")], &[])?, 3, "porthole login");
    let missing = digest(&["--ca", "/nowhere/ca.pem"])?;
    ends(&missing, 9, "/nowhere/ca.pem");
    Ok(())
}

#[test]
fn a_password_does_not_follow_a_redirect_elsewhere() -> Result<()> {
    let password = Password::new()?;
    let (registry, open) = (
        Registry::start(images::storage(), &Access::Basic(&password))?,
        Registry::start(images::storage(), &Access::Open)?,
    );
    let (front, storage) = (Faulty::before(registry.port())?, Faulty::before(open.port())?);
    let home = home(&[&front.host()])?;
    let reference = format!("{}/{SEVEN_LAYERS}", front.host());
    let blob = {
        let output = porthole(home.path(), &["inspect", "--json", &reference], &[])?;
        let seen = front.heal();
        let asked = seen.iter().rev().find(|served| served.request.contains("/blobs/")).ok_or_else(|| talk(&output))?;
        asked.request.trim_start_matches("GET ").to_owned()
    };
    front.fault("/blobs/", 1, Fault::Status(307, vec![("location", format!("http://{}{blob}", storage.host()))]));
    ends(&porthole(home.path(), &["config", &reference], &[])?, 0, "{");
    assert!(front.heal().iter().any(|served| served.authorization.is_some()));
    let elsewhere = storage.heal();
    assert!(
        elsewhere.len() == 1 && elsewhere[0].status == 200 && elsewhere[0].authorization.is_none(),
        "{elsewhere:?}"
    );
    // A redirect loop. Redirects out of TLS are covered by the unit tests of `trust`.
    front.fault("/blobs/", ALWAYS, Fault::Status(302, vec![("location", blob)]));
    ends(&porthole(home.path(), &["config", &reference], &[])?, 9, "more than 5 times");
    Ok(())
}

/// Rows of `realm.tsv`, over real sockets.
#[test]
fn a_password_goes_to_no_token_server_elsewhere() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let (front, thief) = (Faulty::before(registry.port())?, Faulty::before(registry.port())?);
    let home = home(&[&front.host()])?;
    let reference = format!("{}/{SEVEN_LAYERS}", front.host());
    let digest = |options: &[&str]| porthole(home.path(), &[&["digest", &reference], options].concat(), &[]);
    for (realm, word) in [
        (format!("http://{}/token", thief.host()), "not the registry's own"),
        ("http://169.254.169.254/latest".to_owned(), "not the registry's own"),
        ("http://localhost:1/token".to_owned(), "not the registry's own"),
        ("file:///etc/passwd".to_owned(), "token realm"),
        ("/token".to_owned(), "token realm"),
    ] {
        front.fault("/manifests/", ALWAYS, challenge(&realm));
        ends(&digest(&[])?, 9, word);
        assert!(front.heal().iter().all(|served| served.authorization.is_none()));
    }
    assert_eq!(thief.heal().len(), 0);
    let realm = format!("http://{}/token", thief.host());
    front.fault("/manifests/", ALWAYS, challenge(&realm));
    thief.fault("/token", ALWAYS, Fault::Answer(200, r#"{"token":"abc"}"#.to_owned()));
    ends(&digest(&["--trust-realm", &thief.host()])?, 3, "");
    assert!(
        thief.heal().iter().all(|served| served.authorization.as_ref().is_some_and(|sent| sent.starts_with("Basic ")))
    );
    Ok(())
}

fn challenge(realm: &str) -> Fault {
    Fault::Status(401, vec![("www-authenticate", format!(r#"Bearer realm="{realm}",service="x""#))])
}

/// No failure shows a password, token or signature, even with `--debug`.
#[test]
fn no_failure_shows_a_secret() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let front = Faulty::before(registry.port())?;
    let home = home(&[&front.host(), "registry.example"])?;
    let encoded = STANDARD.encode(format!("{}:{}", Password::USER, Password::PASSWORD));
    let repeated = |more: &str| {
        let message = format!("you sent {encoded}, which is {}{more}", Password::PASSWORD);
        format!(r#"{{"errors":[{{"code":"DENIED","message":"{message}"}}]}}"#)
    };
    let realm = format!("http://{}/token", front.host());
    let signed = "http://127.0.0.1:1/x?X-Amz-Signature=canary-signature&token=canary";
    let token = || Fault::Answer(200, r#"{"token":"token-of-canary","refresh_token":"refresh-canary"}"#.to_owned());
    let faults: Vec<Vec<(&str, u32, Fault)>> = vec![
        vec![("/v2/", ALWAYS, challenge(&realm)), ("/token", ALWAYS, Fault::Answer(401, repeated("")))],
        vec![("/v2/", ALWAYS, challenge(&realm)), ("/token", ALWAYS, Fault::Answer(200, repeated("")))],
        vec![
            ("/v2/", 1, challenge(&realm)),
            ("/token", ALWAYS, token()),
            ("/v2/", ALWAYS, Fault::Answer(403, repeated(", and token-of-canary"))),
        ],
        vec![
            ("/v2/", 1, Fault::Status(401, vec![("www-authenticate", "Basic realm=x".to_owned())])),
            ("/v2/", ALWAYS, Fault::Answer(400, repeated(""))),
        ],
        vec![("/v2/", 1, challenge(&realm)), ("/token", ALWAYS, token()), ("/v2/", ALWAYS, Fault::EndAt(3))],
        vec![("/v2/", ALWAYS, Fault::Status(307, vec![("location", signed.to_owned())]))],
    ];
    let folder = Scratch::new("secrets")?;
    let reference = format!("{}/{FOR_EVERYONE}", front.host());
    let trace = folder.path().join("trace.har").display().to_string();
    let (store, bad) = (folder.path().join("store").display().to_string(), folder.path().join("bad.json"));
    fs::write(&bad, format!(r#"{{"auths":{{"{}":{{"auth":"{}"}}}}}}"#, front.host(), STANDARD.encode("canary")))?;
    let mut said = String::new();
    let mut run = |arguments: &[&str], environment: &[(&str, &str)]| -> Result<()> {
        let debug = ["--debug", "--trace", &trace, "--stall", "3", "--store", &store];
        let output = porthole(home.path(), &[arguments, &debug].concat(), environment)?;
        assert!(!output.status.success(), "{arguments:?}: {}", talk(&output));
        said += &talk(&output);
        said += &fs::read_to_string(&trace)?;
        Ok(())
    };
    for faults in &faults {
        for verb in ["inspect", "pull", "tags", "verify"] {
            for (part, times, fault) in faults {
                front.fault(part, *times, fault.clone());
            }
            run(&[verb, &reference], &[])?;
            front.heal();
        }
    }
    let refused = format!("{realm}?password=canary");
    front.fault("/v2/", ALWAYS, challenge(&refused));
    front.fault("/token", ALWAYS, Fault::Answer(401, repeated("")));
    run(&["digest", &reference], &[])?;
    front.heal();
    // A file that cannot be used is a warning; the registry refuses access without credentials.
    front.fault("/v2/", ALWAYS, Fault::Status(403, Vec::new()));
    run(&["digest", "--authfile", &bad.display().to_string(), &reference], &[])?;
    front.heal();
    let proxy = [("https_proxy", "http://someone:canary-proxy@127.0.0.1:1")];
    run(&["digest", "registry.example/a/b"], &proxy)?;
    run(&["digest", "registry.example/a/b"], &[("https_proxy", "socks5://someone:canary-proxy@127.0.0.1:1")])?;
    let config = format!(r#"{{"auths":{{"registry.example":{{"auth":"{encoded}"#);
    run(&["digest", "registry.example/a/b"], &[("DOCKER_AUTH_CONFIG", &config)])?;
    for secret in ["canary", Password::PASSWORD, "sesame", &encoded, &STANDARD.encode("canary")] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
    assert!(said.contains("DENIED: you sent ***, which is ***") && said.contains("X-Amz-Signature=***"), "{said}");
    Ok(())
}
