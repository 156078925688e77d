//! Searches files in temporary directories. The helpers that they name are not installed.

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

const HUB: &str = r#"{"auths": {"https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA=="}}}"#;

/// The places of a user whose home is `home`, with one environment variable set.
fn places(home: &Path, variable: (&str, &str)) -> Places {
    let (name, value) = variable;
    let value = OsString::from(value);
    Places::new(None, |asked| (asked == name).then(|| value.clone()), Some(home))
}

fn find(places: &Places, reference: &str) -> Found {
    places.find(&reference.parse().unwrap()).unwrap()
}

fn home(config: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".docker")).unwrap();
    fs::write(home.path().join(".docker/config.json"), config).unwrap();
    home
}

#[test]
fn a_file_that_cannot_be_used_is_a_warning_that_names_it() {
    for (config, reason) in [
        ("", "the file is empty"),
        (r#"{"auths": null}"#, "`auths` is null"),
        ("{\n\"auths\": [", "expected Docker's config.json, got something else at line 2"),
        (r#"{"auths": {"docker.io": {"auth": "!"}}}"#, "expected base64 of `user:password` in `auth` of `docker.io`"),
    ] {
        let home = home(config);
        let found = find(&places(home.path(), ("", "")), "nginx");
        assert!(found.credentials.is_none() && found.failure.is_none(), "{config}");
        let file = home.path().join(".docker/config.json");
        assert_eq!(found.warnings, [Warning { file, reason: reason.to_owned() }], "{config}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_with_a_warning() {
    let home = home(&format!("\u{feff}{HUB}"));
    let found = find(&places(home.path(), ("", "")), "nginx");
    assert_eq!(found.credentials.unwrap().username, "hub");
    assert_eq!(found.warnings.len(), 1);
}

#[test]
fn files_of_another_user_are_a_warning() {
    let home = home(HUB);
    let file = home.path().join(".docker/config.json");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    // Root can read the file in spite of its mode.
    if fs::read(&file).is_err() {
        let found = find(&places(home.path(), ("", "")), "nginx");
        assert!(found.credentials.is_none());
        assert_eq!(found.warnings[0].file, file);
    }
    // A directory in the file's place is unreadable for everyone.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let found = find(&places(home.path(), ("", "")), "nginx");
    assert!(found.credentials.is_none());
    assert_eq!(found.warnings[0].file, file);
}

#[test]
fn a_later_file_is_read_after_one_that_cannot_be_used() {
    let home = home(HUB);
    fs::create_dir_all(home.path().join(".config/containers")).unwrap();
    fs::write(home.path().join(".config/containers/auth.json"), "no JSON").unwrap();
    let found = find(&places(home.path(), ("DOCKER_AUTH_CONFIG", "{")), "nginx");
    assert_eq!(found.credentials.unwrap().username, "hub");
    assert_eq!(found.place, home.path().join(".docker/config.json"));
    let files: Vec<_> = found.warnings.iter().map(|warning| warning.file.clone()).collect();
    assert_eq!(files, [PathBuf::from("$DOCKER_AUTH_CONFIG"), home.path().join(".config/containers/auth.json")]);
}

#[test]
fn the_file_that_the_user_named_must_be_usable() {
    let home = home("");
    let missing = home.path().join("absent.json");
    let named = Places::new(Some(&missing), |_| None, Some(home.path()));
    let error = named.find(&"nginx".parse().unwrap()).unwrap_err().to_string();
    assert_eq!(error, format!("cannot use credentials: `{}`: no such file", missing.display()));
    let variable = places(home.path(), ("REGISTRY_AUTH_FILE", missing.to_str().unwrap()));
    assert!(find(&variable, "nginx").warnings.is_empty(), "a variable may name a file that a sign-in will create");
}

#[test]
fn a_failing_helper_concerns_its_own_registry_only() {
    let home =
        home(r#"{"auths": {"ghcr.io": {"auth": "YTpi"}}, "credHelpers": {"quay.io": "porthole-test-not-installed"}}"#);
    let places = places(home.path(), ("", ""));
    let found = find(&places, "quay.io/a/b");
    assert!(found.is_own_helper);
    let failure = found.failure.unwrap().to_string();
    assert!(failure.starts_with("cannot run `docker-credential-porthole-test-not-installed`: "), "{failure}");
    let found = find(&places, "ghcr.io/a/b");
    assert_eq!((found.credentials.unwrap().username.as_str(), found.failure.is_none()), ("a", true));
    assert!(find(&places, "nginx").failure.is_none());
}

#[test]
fn a_helper_is_asked_for_the_keys_that_the_file_lists() {
    let path = Path::new("config.json");
    let text = br#"{"auths": {"https://quay.io": {}, "https://index.docker.io/v1/": {}}, "credsStore": "x"}"#;
    let Opened { file, .. } = File::parse(path, text).unwrap();
    assert_eq!(servers(&file, "quay.io"), ["https://quay.io", "quay.io"]);
    assert_eq!(servers(&file, "ghcr.io"), ["ghcr.io"]);
    assert_eq!(servers(&file, "docker.io"), ["https://index.docker.io/v1/"]);
}

#[test]
fn typed_user_names_contain_no_colon() {
    assert_eq!(typed("a:b", "c").unwrap_err().to_string(), "expected a user name without `:`");
    assert_eq!(typed("a", "b:c").unwrap().password, "b:c");
    assert_eq!(typed(TOKEN, "t").unwrap().identity_token.as_deref(), Some("t"));
}

#[test]
fn a_sign_in_goes_to_the_file_that_was_named() {
    let home = home(HUB);
    let places = places(home.path(), ("", ""));
    let kept = places.keep("a.example", &auth::Credentials::basic("u", "p")).unwrap();
    assert_eq!(kept, Kept::File(home.path().join(".docker/config.json")));
    assert_eq!(find(&places, "a.example/x").credentials.unwrap().username, "u");
    assert!(places.forget("a.example").unwrap() && !places.forget("a.example").unwrap());
    assert!(matches!(Places::default().keep("a.example", &auth::Credentials::basic("u", "p")), Err(Error::NoHome)));
}
