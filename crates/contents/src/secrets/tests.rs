use super::*;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use proptest::prelude::*;

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &[u8] = b"0123456789abcdef";
const NO_DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A value of our own making, the same each time, so that no real form of a secret is in this file.
fn made(alphabet: &[u8], length: usize) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(alphabet[(state >> 33) as usize % alphabet.len()])
    };
    (0..length).map(|_| next()).collect()
}

fn pem(kind: &str, head: &str) -> String {
    let body: Vec<String> = (0..6).map(|_| made(LETTERS, 64)).collect();
    format!("-----BEGIN {kind}PRIVATE KEY-----\n{head}{}\n-----END {kind}PRIVATE KEY-----\n", body.join("\n"))
}

fn jwt(header: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(header), part(r#"{"sub":"1234","admin":true}"#), made(LETTERS, 43))
}

fn found(text: &str, path: &str) -> Vec<(&'static str, Confidence)> {
    let all = scan(text.as_bytes(), TextOrigin::File(path.as_bytes()));
    all.iter().map(|found| (found.rule.name, found.confidence)).collect()
}

/// A text for each rule that it must find: rule, path, text.
fn seeded() -> Vec<(&'static str, &'static str, String)> {
    let service = format!(
        r#"{{"type": "service_account", "project_id": "p", "private_key": "{}"}}"#,
        pem("", "").replace('\n', "\\n")
    );
    let auth = STANDARD.encode(format!("bob:{}", made(LETTERS, 12)));
    vec![
        ("private-key", "root/.ssh/id_rsa", pem("OPENSSH ", "")),
        ("private-key", "etc/ssl/private/key.pem", pem("RSA ", "")),
        ("private-key", "etc/key.pem", pem("RSA ", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n")),
        ("gcp-service-account", "app/gcp.json", service),
        ("kubeconfig-key", "root/.kube/config", format!("    client-key-data: {}\n", STANDARD.encode(pem("RSA ", "")))),
        ("aws-access-key-id", "app/a.py", format!("id = 'AKIA{}'", made(BASE32, 16))),
        ("aws-secret-access-key", "root/.aws/credentials", format!("aws_secret_access_key = {}\n", made(LETTERS, 40))),
        ("gcp-api-key", "app/a.js", format!("key: \"AIza{}\"", made(LETTERS, 35))),
        ("azure-storage-key", "app/c", format!("AccountName=x;AccountKey={}==;", made(LETTERS, 86))),
        ("github-token", "app/a", format!("GH=ghp_{}", made(LETTERS, 36))),
        ("github-token", "app/a", format!("github_pat_{}", made(LETTERS, 82))),
        ("gitlab-token", "app/a", format!("glpat-{}", made(LETTERS, 20))),
        ("npm-token", "app/a", format!("npm_{}", made(LETTERS, 36))),
        ("pypi-token", "app/a", format!("pypi-AgEIcHlwaS5vcmc{}", made(LETTERS, 60))),
        ("docker-hub-token", "app/a", format!("dckr_pat_{}", made(LETTERS, 27))),
        ("slack-token", "app/a", format!("xoxb-{}-{}", made(b"1357902468", 12), made(LETTERS, 24))),
        ("slack-webhook", "app/a", format!("https://hooks.slack.com/services/T0AB/B0CD/{}", made(LETTERS, 24))),
        ("stripe-key", "app/a", format!("sk_live_{}", made(LETTERS, 24))),
        ("sendgrid-key", "app/a", format!("SG.{}.{}", made(LETTERS, 22), made(LETTERS, 43))),
        ("digitalocean-token", "app/a", format!("dop_v1_{}", made(HEX, 64))),
        ("vault-token", "app/a", format!("hvs.{}", made(LETTERS, 95))),
        ("anthropic-key", "app/a", format!("sk-ant-api03-{}", made(LETTERS, 90))),
        ("openai-key", "app/a", format!("sk-{}T3BlbkFJ{}", made(LETTERS, 20), made(LETTERS, 20))),
        ("huggingface-token", "app/a", format!("hf_{}", made(NO_DIGITS, 34))),
        ("jwt", "app/a", jwt(r#"{"alg":"HS256","typ":"JWT"}"#)),
        ("docker-auth", "root/.docker/config.json", format!(r#"{{"auths": {{"r.example": {{"auth": "{auth}"}}}}}}"#)),
        (
            "registry-token",
            "root/.docker/config.json",
            format!(r#"{{"auths": {{"r.example": {{"identitytoken": "{}"}}}}}}"#, made(LETTERS, 40)),
        ),
        (
            "kubeconfig-password",
            "root/.kube/config",
            format!("kind: Config\nusers:\n- user:\n    password: {}\n", made(LETTERS, 12)),
        ),
        ("npmrc-auth", "root/.npmrc", format!("//npm.example/:_authToken={}", made(HEX, 36))),
        ("netrc-password", "root/.netrc", format!("machine github.com login bob password {}", made(LETTERS, 12))),
        ("pypirc-password", "root/.pypirc", format!("[pypi]\nusername = bob\npassword = {}\n", made(LETTERS, 12))),
        (
            "kubeconfig-token",
            "root/.kube/config",
            format!("current-context: a\nusers:\n- user:\n    token: {}\n", made(LETTERS, 40)),
        ),
        ("url-password", "root/.git-credentials", format!("https://bob:{}@git.corp.net\n", made(LETTERS, 12))),
        ("password-hash", "etc/shadow", format!("root:$6${}$x:19000:0:99999:7:::\n", made(LETTERS, 20))),
        ("assigned-secret", "app/.env", format!("DB_PASSWORD={}\n", made(LETTERS, 12))),
        ("encoded-private-key", "app/secret.yaml", format!("tls.key: {}\n", STANDARD.encode(pem("", "")))),
        (
            "putty-private-key",
            "root/a.ppk",
            format!(
                "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 1\n{}\nPrivate-MAC: ab\n",
                made(LETTERS, 64)
            ),
        ),
        ("age-secret-key", "root/key.txt", format!("AGE-SECRET-KEY-1{}\n", made(BASE32, 58))),
        (
            "wireguard-key",
            "etc/wireguard/wg0.conf",
            format!("[Interface]\nPrivateKey = {}\n", STANDARD.encode(made(LETTERS, 32))),
        ),
        ("google-oauth-secret", "app/a", format!("GOCSPX-{}", made(LETTERS, 28))),
        ("azure-client-secret", "app/a", format!("abc8Q~{}", made(LETTERS, 34))),
        ("azure-sas", "app/a", format!("https://x.blob.core.windows.net/c?sv=2022-11-02&sig={}%3D", made(LETTERS, 43))),
        (
            "discord-webhook",
            "app/a",
            format!("https://discord.com/api/webhooks/{}/{}", made(b"1357902468", 18), made(LETTERS, 68)),
        ),
        ("telegram-token", "app/a", format!("{}:AA{}", made(b"1357902468", 9), made(LETTERS, 33))),
        (
            "terraform-token",
            "root/.terraformrc",
            format!("token = \"{}.atlasv1.{}\"", made(LETTERS, 14), made(LETTERS, 67)),
        ),
        ("new-relic-key", "app/a", format!("NRAK-{}", made(BASE32, 27))),
        ("shopify-token", "app/a", format!("shpat_{}", made(HEX, 32))),
        ("square-token", "app/a", format!("sq0atp-{}", made(LETTERS, 22))),
        ("linear-key", "app/a", format!("lin_api_{}", made(LETTERS, 40))),
        ("atlassian-token", "app/a", format!("ATATT3{}", made(LETTERS, 180))),
        ("databricks-token", "app/a", format!("dapi{}", made(HEX, 32))),
        ("grafana-token", "app/a", format!("glsa_{}_{}", made(LETTERS, 32), made(HEX, 8))),
        ("rubygems-key", "root/.gem/credentials", format!(":rubygems_api_key: rubygems_{}", made(HEX, 48))),
        ("nuget-key", "app/a", format!("oy2{}", made(b"abcdefghijklmnopqrstuvwxyz234567", 43))),
        ("sentry-token", "app/a", format!("sntryu_{}", made(HEX, 64))),
        ("postman-key", "app/a", format!("PMAK-{}-{}", made(HEX, 24), made(HEX, 34))),
        ("doppler-token", "app/a", format!("dp.pt.{}", made(LETTERS, 43))),
        ("planetscale-token", "app/a", format!("pscale_tkn_{}", made(LETTERS, 43))),
        ("heroku-key", "app/a", format!("HRKU-AA{}", made(LETTERS, 58))),
        ("pgpass-password", "root/.pgpass", format!("db.corp.net:5432:*:app:{}\n", made(LETTERS, 12))),
        ("setting-secret", "app/prod.tfvars", format!("db_password = \"{}\"\n", made(LETTERS, 12))),
    ]
}

#[test]
fn every_rule_finds_its_secrets() {
    let mut rules: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
    for (rule, path, text) in seeded() {
        let names: Vec<_> = found(&text, path).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [rule], "in {path}");
        rules.retain(|name| *name != rule);
    }
    let instructions = [
        (
            "authorization-header",
            format!(
                "RUN curl -H 'Authorization: Basic {}' x",
                STANDARD.encode(made(LETTERS, 5) + ":" + &made(LETTERS, 12))
            ),
        ),
        ("command-password", format!("RUN curl -u bob:{} https://x", made(LETTERS, 12))),
    ];
    for (rule, text) in instructions {
        let names: Vec<_> = scan(text.as_bytes(), TextOrigin::Config).iter().map(|found| found.rule.name).collect();
        assert_eq!(names, [rule], "{text}");
        rules.retain(|name| *name != rule);
    }
    // `binary` has their tests.
    assert_eq!(rules, ["der-private-key", "pkcs12-private-key", "java-key-store"], "rules without a text");
}

#[test]
fn what_only_resembles_a_secret_is_not_found() {
    let letters = |length| made(LETTERS, length);
    for (path, text) in [
        ("a.c", "if (!strncmp(line, \"-----BEGIN PRIVATE KEY-----\", 27)) return;".to_owned()),
        ("a.pem", "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----\n".to_owned()),
        ("a.pem", pem("", "").replace("PRIVATE KEY", "CERTIFICATE")),
        ("a.json", r#"{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\n…"}"#.to_owned()),
        ("a", "AKIAIOSFODNN7EXAMPLE".to_owned()),
        ("a", format!("xAKIA{}", made(BASE32, 16))),
        ("a", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
        ("a", "aws_secret_access_key: must be a string of forty characters or more".to_owned()),
        ("a", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".to_owned()),
        ("a", format!("ghp_{}", letters(37))),
        ("a", format!("mynpm_{}", letters(36))),
        ("a", "npm_config_registry_of_the_whole_world_1".to_owned()),
        ("a", "hf_this_is_the_name_of_a_function_that".to_owned()),
        ("a", jwt(r#"{"alg":"none"}"#)),
        ("a", "eyJ.eyJ.x".to_owned()),
        ("a.json", r#"{"auth": "Ym9iOnNlY3JldA=="}"#.to_owned()),
        ("a.json", r#"{"auths": {}, "auth": "not base64!"}"#.to_owned()),
        ("a.json", format!(r#"{{"identitytoken": "{}"}}"#, letters(40))),
        ("root/.docker/config.json", r#"{"auths": {"r": {"identitytoken": "your-identity-token-here-1"}}}"#.to_owned()),
        ("a.yaml", format!("users:\n- password: {}\n", letters(12))),
        ("root/.kube/config", "kind: Config\nusers:\n- user:\n    password: <password>\n".to_owned()),
        ("root/.kube/config", format!("kind: Config\nusers: []\nmy-token: {}\n", letters(40))),
        ("root/.npmrc", "//npm.example/:_authToken=${NPM_TOKEN}".to_owned()),
        ("README", "set _authToken=abcdefghijkl in your .npmrc".to_owned()),
        ("root/.netrc", "machine x login y password ${PASSWORD}".to_owned()),
        ("a", "machine x password hunter2hunter2".to_owned()),
        ("a", "https://user:password@host/".to_owned()),
        ("a", "https://example.org/a:b@c".to_owned()),
        ("a", "git://x@y:z".to_owned()),
        ("etc/shadow", "root:*:19000:0:99999:7:::\nbin:!:1:\n".to_owned()),
        ("etc/passwd", "root:$6$abc$defghijklmnop:0:0".to_owned()),
        (
            "app/.env",
            "PASSWORD_FILE=/run/secrets/db\nTOKEN_URL=https://x.net/token1\nTOKEN=${TOKEN}\nSECRET=changeme\n"
                .to_owned(),
        ),
        ("a.py", format!("password={}", letters(12))),
        (
            "app/docker-compose.yml",
            "POSTGRES_PASSWORD: ${DB}\npassword_file: /run/secrets/db\ntoken: your-token\n".to_owned(),
        ),
        ("root/.pgpass", "# hostname:port:database:username:password\n*:5432:*:app:password\n".to_owned()),
        ("a.yaml", format!("tls.crt: {}", STANDARD.encode(pem("", "").replace("PRIVATE KEY", "CERTIFICATE")))),
        ("a", format!("Authorization: Basic {}", STANDARD.encode("Aladdin:opensesame"))),
        ("a", format!("[Peer]\nPublicKey = {}", STANDARD.encode(letters(32)))),
        ("a", format!("dapi{}", made(HEX, 33))),
        ("a.ppk", "PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 1\n…\nPrivate-MAC: ab\n".to_owned()),
    ] {
        assert_eq!(found(&text, path), [], "{text} in {path}");
    }
}

#[test]
fn keys_of_examples_and_tests_are_less_certain() {
    let key = pem("RSA ", "");
    assert_eq!(found(&key, "etc/key.pem"), [("private-key", Confidence::High)]);
    assert_eq!(found(&key, "usr/lib/python3/test/key.pem"), [("private-key", Confidence::Medium)]);
    let tests = ["src/tls/example_test.go", "a/test_tls.py", "a/tls.test.js", "a/tls.spec.ts", "a/tests/tls.key"];
    for path in tests {
        assert_eq!(found(&key, path), [("private-key", Confidence::Medium)], "{path}");
    }
    for path in ["srv/latest.go", "srv/x_test.key", "srv/contest.py", "srv/test_server.key", "srv/_test.go"] {
        assert_eq!(found(&key, path), [("private-key", Confidence::High)], "{path}");
    }
    assert_eq!(found(&key, "usr/share/doc/x/examples/key.pem"), [("private-key", Confidence::Medium)]);
    let url = format!("postgres://app:{}@db.corp.net/x", made(LETTERS, 12));
    assert_eq!(found(&url, "app/c.py"), [("url-password", Confidence::Medium)]);
    assert_eq!(found(&url.replace("db.corp.net", "localhost"), "app/c.py"), [("url-password", Confidence::Low)]);
}

#[test]
fn a_value_is_not_shown_unless_it_is_revealed() {
    let token = format!("ghp_{}", made(LETTERS, 36));
    let text = format!("first line\nexport GH_TOKEN={token}\n");
    let [found] = scan(text.as_bytes(), TextOrigin::Config).try_into().unwrap_or_else(|all| panic!("{all:?}"));
    assert_eq!((found.line, found.rule.name), (2, "github-token"));
    assert_eq!(found.value.reveal(), token.as_bytes());
    assert_eq!(found.value.to_string(), "ghp_******** (40 bytes)");
    assert!(!format!("{found:?}").contains(&token[4..]));
    assert_eq!(SecretValue::new(b"hunter2").to_string(), "******** (7 bytes)");
}

#[test]
fn configurations_are_searched_and_redacted() {
    use porthole_core::config::{Execution, History, ImageConfig};
    let secret = made(LETTERS, 16);
    let instruction = format!("|1 API_TOKEN={secret} /bin/sh -c make");
    let config = ImageConfig {
        execution: Execution {
            env: vec!["PATH=/usr/bin".into(), format!("DB_PASSWORD={secret}")],
            labels: [("api_key".to_owned(), secret.clone())].into(),
            ..Execution::default()
        },
        history: vec![History::default(), History { created_by: Some(instruction.clone()), ..History::default() }],
        ..ImageConfig::default()
    };
    let config = ImageConfig { author: Some(format!("PASSWORD={secret}")), ..config };
    let places: Vec<_> = of_config(&config).into_iter().map(|secret| secret.place).collect();
    let expected = [
        ConfigPlace::Environment("DB_PASSWORD".into()),
        ConfigPlace::Label("api_key".into()),
        ConfigPlace::History(1),
        ConfigPlace::Author,
    ];
    assert_eq!(places, expected);
    assert_eq!(redact(&instruction), "|1 API_TOKEN=******** /bin/sh -c make");
    assert_eq!(redact("RUN make"), "RUN make");
}

#[test]
fn files_in_utf_16_and_tokens_in_json_are_searched() {
    let token = format!("ghp_{}", made(LETTERS, 36));
    let text = format!("first\r\nGH={token}\r\n");
    let wide: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let found = scan_file(b"app/settings.txt", &wide).unwrap();
    let [found] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((found.rule.name, found.line, found.value.reveal()), ("github-token", 2, token.as_bytes()));
    assert!(scan_file(b"app/picture", &[&wide[..], &[0; 8]].concat()).is_none());
    assert!(scan_file(b"app/program", b"\x7fELF\0").is_none());
    let json = |name: &str| format!(r#"{{"kind":"Config","users":[{{"user":{{"{name}":"{}"}}}}]}}"#, made(LETTERS, 30));
    for (name, rule) in [
        ("token", Some("kubeconfig-token")),
        ("access-token", Some("kubeconfig-token")),
        ("password", Some("kubeconfig-password")),
        ("broken-token", None),
    ] {
        let found = scan(json(name).as_bytes(), TextOrigin::File(b"root/.kube/config"));
        assert_eq!(found.first().map(|found| found.rule.name), rule, "{name}");
    }
}

#[test]
fn the_number_of_secrets_of_a_file_is_limited() {
    let text: String = (0..2000).map(|_| format!("ghp_{}\n", made(LETTERS, 36))).collect();
    assert_eq!(scan(text.as_bytes(), TextOrigin::Config).len(), crate::limits::SECRETS_OF_A_FILE);
}

proptest! {
    #[test]
    fn any_text_is_searched_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        scan(&bytes, TextOrigin::Config);
        scan(&bytes, TextOrigin::File(b"root/.npmrc"));
    }

    #[test]
    fn damaged_secrets_are_searched_without_panic(
        seed in any::<proptest::sample::Index>(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let all = seeded();
        let (_, path, text) = &all[seed.index(all.len())];
        let mut bytes = text.clone().into_bytes();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        for found in scan(&bytes, TextOrigin::File(path.as_bytes())) {
            prop_assert_eq!(found.value.reveal(), &bytes[found.range]);
        }
        bytes.truncate(place);
        scan(&bytes, TextOrigin::File(path.as_bytes()));
    }
}
