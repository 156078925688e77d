//! How many of many seeded secrets are found: each kind in the texts in which people keep it, in files that stay, that a later layer
//! deletes, and that it replaces, and in environment, labels, history and build arguments.
//!
//! `cargo test -p porthole-contents --test recall -- --nocapture` prints the recall of each kind. No secret is in this file: all are made of
//! a sequence of numbers.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]
#![allow(clippy::print_stdout, reason = "a test prints what it measured")]

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use porthole_contents::secrets::{ConfigPlace, SecretCollector, TextOrigin, of_config, scan};
use porthole_core::{
    config::{Execution, History, ImageConfig},
    layer::{Expected, LayerReader},
    limits::Limits,
    tar::{Entry, EntrySink, Flow},
    tree::{ContentFate, ContentFates, FileTree},
};
use porthole_testkit::image::{Compression, Layer};
use std::collections::BTreeMap;

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const TOKEN: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &[u8] = b"0123456789abcdef";
const DIGITS: &[u8] = b"0123456789";
/// Letters as people choose passwords.
const PASSWORD: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789!+-_.";

/// Values of our own making, the same in each run.
struct Made(u64);

impl Made {
    fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        let mut next = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            char::from(alphabet[(self.0 >> 33) as usize % alphabet.len()])
        };
        (0..length).map(|_| next()).collect()
    }

    fn pem(&mut self, label: &str, head: &str, start: &str) -> String {
        let body: Vec<String> = (0..12)
            .map(|line| {
                if line == 0 {
                    format!("{start}{}", self.text(BASE64, 64 - start.len()))
                } else {
                    self.text(BASE64, 64)
                }
            })
            .collect();
        format!("-----BEGIN {label}-----\n{head}{}\n-----END {label}-----\n", body.join("\n"))
    }
}

/// A secret: its kind, the file in which it is, its text with the secret, and a part of the secret that must be in what is found.
struct Seed {
    kind: &'static str,
    path: &'static str,
    text: String,
    part: String,
}

/// Tokens that mean the same wherever they stand.
fn tokens(made: &mut Made) -> Vec<(&'static str, String)> {
    let mut all: Vec<(&'static str, String)> = Vec::new();
    let mut add = |kind: &'static str, parts: &[(&str, &[u8], usize)]| {
        let token = parts.iter().map(|(prefix, alphabet, length)| format!("{prefix}{}", made.text(alphabet, *length)));
        all.push((kind, token.collect()));
    };
    add("aws access key ID", &[("AKIA", BASE32, 16)]);
    add("aws access key ID", &[("ASIA", BASE32, 16)]);
    add("google api key", &[("AIza", TOKEN, 35)]);
    add("google oauth secret", &[("GOCSPX-", TOKEN, 28)]);
    add("azure client secret", &[("", LETTERS, 3), ("8Q~", TOKEN, 34)]);
    for (prefix, length) in [("ghp_", 36), ("gho_", 36), ("ghu_", 36), ("ghs_", 36), ("ghr_", 36), ("ghr_", 76)] {
        add("github", &[(prefix, LETTERS, length)]);
    }
    add("github", &[("github_pat_", LETTERS, 22), ("_", LETTERS, 59)]);
    for prefix in ["glpat-", "gldt-", "glrt-", "glcbt-", "gloas-", "glsoat-", "glft-", "glimt-", "GR1348941"] {
        add("gitlab", &[(prefix, TOKEN, 20)]);
    }
    add("gitlab", &[("glagent-", TOKEN, 50)]);
    add("gitlab", &[("glptt-", HEX, 40)]);
    add("npm", &[("npm_", LETTERS, 36)]);
    add("pypi", &[("pypi-AgEIcHlwaS5vcmc", TOKEN, 150)]);
    add("docker hub", &[("dckr_pat_", TOKEN, 27)]);
    add("docker hub", &[("dckr_oat_", TOKEN, 32)]);
    add("slack", &[("xoxb-", DIGITS, 12), ("-", DIGITS, 12), ("-", LETTERS, 24)]);
    add("slack", &[("xoxp-", DIGITS, 12), ("-", DIGITS, 12), ("-", DIGITS, 12), ("-", HEX, 32)]);
    add("slack", &[("xapp-1-A", UPPER, 10), ("-", DIGITS, 13), ("-", HEX, 64)]);
    add("slack webhook", &[("https://hooks.slack.com/services/T", UPPER, 8), ("/B", UPPER, 10), ("/", LETTERS, 24)]);
    add("stripe", &[("sk_live_", LETTERS, 24)]);
    add("stripe", &[("rk_live_", LETTERS, 99)]);
    add("stripe", &[("whsec_", LETTERS, 32)]);
    add("sendgrid", &[("SG.", TOKEN, 22), (".", TOKEN, 43)]);
    add("digitalocean", &[("dop_v1_", HEX, 64)]);
    add("vault", &[("hvs.", TOKEN, 95)]);
    add("terraform cloud", &[("", LETTERS, 14), (".atlasv1.", TOKEN, 67)]);
    add("anthropic", &[("sk-ant-api03-", TOKEN, 93), ("AA", b"A", 1)]);
    add("openai", &[("sk-", LETTERS, 20), ("T3BlbkFJ", LETTERS, 20)]);
    add("openai", &[("sk-proj-", TOKEN, 74), ("T3BlbkFJ", TOKEN, 74)]);
    add("huggingface", &[("hf_", LETTERS, 34)]);
    add("telegram", &[("1", DIGITS, 9), (":AA", TOKEN, 33)]);
    add("discord webhook", &[("https://discord.com/api/webhooks/1", DIGITS, 18), ("/", TOKEN, 68)]);
    add("new relic", &[("NRAK-", UPPER, 27)]);
    add("shopify", &[("shpat_", HEX, 32)]);
    add("square", &[("sq0csp-", TOKEN, 43)]);
    add("linear", &[("lin_api_", LETTERS, 40)]);
    add("atlassian", &[("ATATT3xFfGF0", TOKEN, 170), ("=", UPPER, 8)]);
    add("databricks", &[("dapi", HEX, 32)]);
    add("grafana", &[("glsa_", LETTERS, 32), ("_", HEX, 8)]);
    add("rubygems", &[("rubygems_", HEX, 48)]);
    add("nuget", &[("oy2", LOWER, 43)]);
    add("sentry", &[("sntryu_", HEX, 64)]);
    add("postman", &[("PMAK-", HEX, 24), ("-", HEX, 34)]);
    add("doppler", &[("dp.pt.", LETTERS, 43)]);
    add("planetscale", &[("pscale_tkn_", TOKEN, 43)]);
    add("heroku", &[("HRKU-AA", TOKEN, 58)]);
    add("age", &[("AGE-SECRET-KEY-1", BASE32, 58)]);
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"sub":"{}","iat":1700000000}}"#, made.text(LETTERS, 12));
    all.push(("jwt", format!("{}.{}.{}", part(r#"{"alg":"RS256","typ":"JWT"}"#), part(&claims), made.text(TOKEN, 86))));
    all
}

/// Texts in which tokens stand, `@` is the token.
const CONTEXTS: [(&str, &str); 8] = [
    ("srv/app/.env", "# settings\nSERVICE_TOKEN=@\nDEBUG=0\n"),
    ("srv/app/config.yaml", "service:\n  url: https://x.example\n  credential: \"@\"\n"),
    ("srv/app/config.json", "{\n  \"service\": {\"credential\": \"@\"}\n}\n"),
    ("srv/app/main.py", "import os\nclient = Client('@')  # noqa\n"),
    ("srv/app/index.js", "const c = new Client(`@`);\n"),
    ("root/.bash_history", "ls\nexport X=@\nexit\n"),
    ("srv/app/Main.java", "  String s = \"@\";\r\n"),
    ("srv/app/notes.md", "The credential is @.\n\nDo not share it.\n"),
];

/// Secrets in the files of programs.
fn files(made: &mut Made) -> Vec<Seed> {
    let mut all = Vec::new();
    let mut add = |kind, path, text: String, part: String| all.push(Seed { kind, path, text, part });
    let key = made.text(BASE64, 40);
    add(
        "aws secret key",
        "root/.aws/credentials",
        format!("[default]\naws_access_key_id = {}\naws_secret_access_key = {key}\n", "x"),
        key.clone(),
    );
    add("aws secret key", "srv/app/.env", format!("AWS_SECRET_ACCESS_KEY={key}\n"), key.clone());
    add("aws secret key", "srv/app/aws.json", format!("{{\"SecretAccessKey\": \"{key}\"}}"), key.clone());
    add(
        "aws secret key",
        "srv/app/main.tf",
        format!("provider \"aws\" {{\n  secret_access_key = \"{key}\"\n}}"),
        key.clone(),
    );
    add("aws secret key", "srv/app/a.yml", format!("aws:\n  secretAccessKey: {key}\n"), key);
    let account = format!("{}==", made.text(BASE64, 86));
    add(
        "azure storage",
        "srv/app/appsettings.json",
        format!(
            "\"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={account};EndpointSuffix=core.windows.net\""
        ),
        account,
    );
    let signature = format!("{}%3D", made.text(LETTERS, 43));
    add(
        "azure sas",
        "srv/app/a.sh",
        format!("azcopy 'https://x.blob.core.windows.net/c?sv=2022-11-02&ss=b&srt=sco&sig={signature}' .\n"),
        signature,
    );
    for (label, head, start) in [
        ("RSA PRIVATE KEY", "", "MIIEpAIBAAKCAQEA"),
        ("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0011\n\n", ""),
        ("EC PRIVATE KEY", "", "MHcCAQEEI"),
        ("DSA PRIVATE KEY", "", ""),
        ("PRIVATE KEY", "", "MIIEvgIBADANBgkqhkiG9w0BAQEFAASC"),
        ("ENCRYPTED PRIVATE KEY", "", "MIIFLTBXBgkqhkiG9w0BBQ0w"),
        ("OPENSSH PRIVATE KEY", "", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"),
        ("OPENSSH PRIVATE KEY", "", "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0"),
        ("PGP PRIVATE KEY BLOCK", "Version: GnuPG v2\n\n", "lQOYBF"),
    ] {
        let pem = made.pem(label, head, start);
        let part = pem.lines().nth(6).unwrap().to_owned();
        add("private key", "etc/ssl/private/server.key", pem.clone(), part.clone());
        add(
            "private key",
            "srv/app/config.json",
            format!("{{\"key\": \"{}\"}}", pem.replace('\n', "\\n")),
            part.clone(),
        );
        add("private key", "srv/app/values.yaml", format!("key: |\n  {}", pem.replace('\n', "\n  ")), part.clone());
        add("private key", "root/.ssh/id", pem.replace('\n', "\r\n"), part);
        if !label.starts_with("PGP") {
            let encoded = STANDARD.encode(&pem);
            add(
                "private key in base64",
                "srv/app/secret.yaml",
                format!("data:\n  tls.key: {encoded}\n"),
                encoded.clone(),
            );
            add(
                "kubeconfig key",
                "root/.kube/config",
                format!("users:\n- user:\n    client-key-data: {encoded}\n"),
                encoded,
            );
        }
    }
    let pem = made.pem("PRIVATE KEY", "", "MIIEvgIBADANBgkq");
    let part = pem.lines().nth(6).unwrap().to_owned();
    add(
        "gcp service account",
        "srv/app/gcp.json",
        format!(
            "{{\n  \"type\": \"service_account\",\n  \"private_key_id\": \"{}\",\n  \"private_key\": \"{}\"\n}}",
            made.text(HEX, 40),
            pem.replace('\n', "\\n")
        ),
        part,
    );
    let (line, other) = (made.text(BASE64, 64), made.text(BASE64, 64));
    for cipher in ["none", "aes256-cbc"] {
        let text = format!(
            "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: {cipher}\r\nComment: c\r\nPublic-Lines: 1\r\nAAAA\r\nPrivate-Lines: 2\r\n{line}\r\n{other}\r\nPrivate-MAC: 00ff\r\n"
        );
        add("putty key", "root/a.ppk", text, line.clone());
    }
    let key = STANDARD.encode(made.text(LETTERS, 32));
    add(
        "wireguard",
        "etc/wireguard/wg0.conf",
        format!("[Interface]\nAddress = 10.0.0.1/24\nPrivateKey = {key}\n\n[Peer]\nPublicKey = x\n"),
        key,
    );
    let password = made.text(PASSWORD, 14);
    let auth = STANDARD.encode(format!("bob:{password}"));
    add(
        "docker config",
        "root/.docker/config.json",
        format!("{{\n\t\"auths\": {{\n\t\t\"r.example\": {{\n\t\t\t\"auth\": \"{auth}\"\n\t\t}}\n\t}}\n}}"),
        auth.clone(),
    );
    add(
        "docker config",
        "root/.dockercfg",
        format!("{{\"r.example\": {{\"auth\": \"{auth}\", \"email\": \"b@x.example\"}}}}"),
        auth,
    );
    let token = made.text(TOKEN, 40);
    add(
        "kubeconfig token",
        "root/.kube/config",
        format!("apiVersion: v1\ncurrent-context: a\nusers:\n- name: a\n  user:\n    token: {token}\n"),
        token.clone(),
    );
    for (kind, text) in [
        (
            "kubeconfig password",
            "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    username: a\n    password: @\n",
        ),
        ("kubeconfig password", "{\"kind\":\"Config\",\"users\":[{\"user\":{\"password\":\"@\"}}]}"),
    ] {
        add(kind, "root/.kube/config", text.replace('@', &password), password.clone());
    }
    let provider = "kind: Config\nusers:\n- user:\n    auth-provider:\n      config:\n        refresh-token: @\n";
    add("kubeconfig token", "root/.kube/config", provider.replace('@', &token), token.clone());
    for name in ["identitytoken", "registrytoken"] {
        add(
            "registry token",
            "root/.docker/config.json",
            format!("{{\"auths\": {{\"r.example\": {{\"{name}\": \"{token}\"}}}}}}"),
            token.clone(),
        );
    }
    add(
        "npmrc",
        "root/.npmrc",
        format!("registry=https://npm.example/\n//npm.example/:_authToken={token}\n"),
        token.clone(),
    );
    add(
        "npmrc",
        "root/.npmrc",
        format!("_auth={}\nemail=b@x.example\n", STANDARD.encode(format!("bob:{token}"))),
        STANDARD.encode(format!("bob:{token}")),
    );
    for text in [
        "machine api.corp.net login bob password @\n",
        "machine api.corp.net\n  login bob\n  password @\n",
        "default login bob password @\n",
    ] {
        add("netrc", "root/.netrc", text.replace('@', &password), password.clone());
    }
    add("pgpass", "root/.pgpass", format!("db.corp.net:5432:app:bob:{password}\n"), password.clone());
    add("pgpass", "root/.pgpass", format!("*:*:*:bob:{password}\n"), password.clone());
    add("pypirc", "root/.pypirc", format!("[pypi]\nusername = bob\npassword = {password}\n"), password.clone());
    add("pypirc", "root/.pypirc", format!("[pypi]\nusername: bob\npassword: {password}\n"), password.clone());
    add("git credentials", "root/.git-credentials", format!("https://bob:{password}@git.corp.net\n"), password.clone());
    for scheme in ["postgres", "postgresql", "mysql", "mongodb+srv", "redis", "amqp", "https", "ftp", "smtp", "ldap"] {
        add(
            "password in a URL",
            "srv/app/settings.toml",
            format!("url = \"{scheme}://app:{password}@db.corp.net:1234/x\"\n"),
            password.clone(),
        );
    }
    let hash = made.text(LETTERS, 86);
    add(
        "shadow",
        "etc/shadow",
        format!("daemon:*:19000:0:99999:7:::\nroot:$6$abcdefgh${hash}:19000:0:99999:7:::\n"),
        hash.clone(),
    );
    add("shadow", "etc/shadow", format!("root:$y$j9T$abc${}:19000:0:99999:7:::\n", &hash[..43]), hash[..43].to_owned());
    for (path, text) in [
        ("srv/app/prod.tfvars", "db_password = \"@\"\n"),
        ("srv/app/terraform.tfstate", "{\"attributes\": {\"password\": \"@\", \"port\": 5432}}\n"),
        ("srv/app/application.properties", "spring.datasource.username=app\nspring.datasource.password=@\n"),
        ("srv/app/application-prod.yml", "spring:\n  datasource:\n    password: @\n"),
        ("srv/app/appsettings.Production.json", "{\"Db\": {\"Password\": \"@\"}}\n"),
        ("srv/app/docker-compose.yml", "    environment:\n      POSTGRES_PASSWORD: @\n"),
        ("srv/app/docker-compose.yml", "    environment:\n      - POSTGRES_PASSWORD=@\n"),
        ("srv/app/database.yml", "production:\n  password: \"@\"\n"),
        ("srv/app/secrets.yml", "production:\n  secret_token: @\n"),
        ("srv/www/wp-config.php", "define( 'DB_PASSWORD', '@' );\n"),
        ("root/.my.cnf", "[client]\nuser=app\npassword=@\n"),
        ("root/.m2/settings.xml", "<server><id>x</id><password>@</password></server>\n"),
        ("root/.gradle/gradle.properties", "nexusPassword=@\n"),
        ("srv/app/settings.py", "DATABASES = {'default': {'PASSWORD': '@'}}\n"),
        ("root/.s3cfg", "access_key = x\nsecret_key = @\n"),
        ("root/.cargo/credentials.toml", "[registry]\ntoken = \"@\"\n"),
        ("srv/app/.env", "DB_PASSWORD=@\n"),
        ("srv/app/.env.production", "export API_KEY='@'\n"),
        ("srv/app/.env", "JWT_SECRET=\"@\"\n"),
    ] {
        add("password in settings", path, text.replace('@', &password), password.clone());
    }
    all
}

fn seeds() -> Vec<Seed> {
    let mut made = Made(0x2545_f491_4f6c_dd1d);
    let mut all = Vec::new();
    for round in 0..4 {
        for (number, (kind, token)) in tokens(&mut made).into_iter().enumerate() {
            let (path, text) = CONTEXTS[(number + round) % CONTEXTS.len()];
            all.push(Seed {
                kind,
                path,
                text: text.replace('@', &token),
                part: token.trim_start_matches("https://").to_owned(),
            });
            let (path, text) = CONTEXTS[(number + round + 3) % CONTEXTS.len()];
            all.push(Seed {
                kind,
                path,
                text: text.replace('@', &token),
                part: token.trim_start_matches("https://").to_owned(),
            });
        }
        all.extend(files(&mut made));
    }
    all
}

/// Found and seeded, by kind.
#[derive(Default)]
struct Recall {
    kinds: BTreeMap<&'static str, (usize, usize)>,
    missed: Vec<String>,
}

impl Recall {
    fn count(&mut self, kind: &'static str, is_found: bool, place: impl Fn() -> String) {
        let (found, seeded) = self.kinds.entry(kind).or_default();
        *found += usize::from(is_found);
        *seeded += 1;
        if !is_found {
            self.missed.push(format!("{kind}: {}", place()));
        }
    }

    #[track_caller]
    fn finish(self, what: &str) {
        let (found, seeded) = self.kinds.values().fold((0, 0), |(a, b), (found, seeded)| (a + found, b + seeded));
        for (kind, (found, seeded)) in &self.kinds {
            println!("{what}: {kind}: {found} of {seeded}");
        }
        println!("{what}: {found} of {seeded} in {} kinds", self.kinds.len());
        assert!(self.missed.is_empty(), "{} missed:\n{}", self.missed.len(), self.missed.join("\n"));
    }
}

/// Whether a secret was found that has the part, or is in it.
fn holds(found: &[u8], part: &str) -> bool {
    let found = String::from_utf8_lossy(found);
    found.contains(part) || part.contains(found.as_ref()) && found.len() * 2 >= part.len()
}

struct Searched<'t> {
    tree: &'t mut FileTree,
    secrets: SecretCollector,
}

impl EntrySink for Searched<'_> {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.tree.apply(&entry).unwrap();
        if self.secrets.begin(&entry) { Flow::WantData } else { Flow::Continue }
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.secrets.push(bytes);
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        self.secrets.end();
    }
}

#[test]
fn seeded_secrets_are_found_in_every_layer() {
    let seeds = seeds();
    let mut recall = Recall::default();
    let place = |number: usize, seed: &Seed| {
        if seed.path == "etc/shadow" { seed.path.to_owned() } else { format!("s{number}/{}", seed.path) }
    };
    // Several seeds of one path are in images of their own.
    let shadows = seeds.iter().filter(|seed| seed.path == "etc/shadow").count();
    for fate in ["stays", "deleted", "replaced"] {
        for image in 0..shadows.max(1) {
            let mut shadow = 0;
            let own: Vec<(usize, &Seed)> = seeds
                .iter()
                .enumerate()
                .filter(|(_, seed)| {
                    shadow += usize::from(seed.path == "etc/shadow");
                    if seed.path == "etc/shadow" { shadow == image + 1 } else { image == 0 }
                })
                .collect();
            let mut lower = Layer::new("COPY");
            let mut upper = Layer::new("RUN").file("other", "other");
            for (number, seed) in &own {
                let path = place(*number, seed);
                lower = lower.file(&path, &seed.text);
                upper = match fate {
                    "deleted" => upper.whiteout(&path),
                    "replaced" => upper.file(&path, "nothing"),
                    _ => upper,
                };
            }
            let mut tree = FileTree::new(100_000);
            let mut found = Vec::new();
            for (number, layer) in (0..).zip([lower, upper]) {
                tree.begin(number);
                let mut searched = Searched { tree: &mut tree, secrets: SecretCollector::default() };
                let mut reader = LayerReader::new(Expected::default(), Limits::default());
                reader.push(&Compression::None.compress(&layer.tar()), &mut searched);
                reader.finish(&mut searched);
                found.extend(searched.secrets.finish().secrets.into_iter().map(|secret| (number, secret)));
                tree.commit();
            }
            let fates = ContentFates::of(&tree, found.iter().map(|(layer, secret)| (*layer, secret.offset)));
            for (number, seed) in &own {
                let path = place(*number, seed);
                let is_found = found.iter().any(|(layer, secret)| {
                    let right = match (fate, fates.find(*layer, secret.offset)) {
                        ("stays", ContentFate::Visible) => true,
                        ("deleted", ContentFate::Deleted(by)) | ("replaced", ContentFate::Replaced(by)) => by == 1,
                        _ => false,
                    };
                    secret.path == path.as_bytes() && holds(secret.found.value.reveal(), &seed.part) && right
                });
                recall.count(seed.kind, is_found, || format!("{path} ({fate}): {}", seed.text));
            }
        }
    }
    recall.finish("files");
}

#[test]
fn seeded_secrets_are_found_in_configurations() {
    let mut made = Made(0x9e37_79b9_7f4a_7c15);
    let mut recall = Recall::default();
    for _ in 0..4 {
        let mut all = tokens(&mut made);
        all.push(("password", made.text(PASSWORD, 14)));
        for (kind, token) in all {
            let basic = STANDARD.encode(format!("bob:{token}"));
            let step = |text: String| History { created_by: Some(text), ..History::default() };
            let config = ImageConfig {
                execution: Execution {
                    env: vec!["PATH=/bin".into(), format!("SERVICE_PASSWORD={token}")],
                    labels: [("org.example.api_key".to_owned(), token.clone())].into(),
                    cmd: vec!["run".into(), format!("--token={token}")],
                    ..Execution::default()
                },
                history: vec![
                    step(format!("|1 BUILD_TOKEN={token} /bin/sh -c make")),
                    step(format!("ENV API_SECRET={token}")),
                    step(format!("RUN /bin/sh -c curl -u bob:{token} https://x.example # buildkit")),
                    step(format!("RUN /bin/sh -c curl -H 'Authorization: Basic {basic}' https://x.example # buildkit")),
                ],
                ..ImageConfig::default()
            };
            let found = of_config(&config);
            let places = [
                ConfigPlace::Environment("SERVICE_PASSWORD".into()),
                ConfigPlace::Label("org.example.api_key".into()),
                ConfigPlace::History(0),
                ConfigPlace::History(1),
                ConfigPlace::History(2),
                ConfigPlace::History(3),
            ];
            let token = token.trim_start_matches("https://");
            for place in places {
                let part = if place == ConfigPlace::History(3) { basic.as_str() } else { token };
                let is_found =
                    found.iter().any(|secret| secret.place == place && holds(secret.found.value.reveal(), part));
                recall.count(kind, is_found, || format!("{place:?}: {token}"));
            }
        }
    }
    recall.finish("configurations");
}

#[test]
fn a_text_without_a_secret_has_none() {
    for (path, text) in CONTEXTS {
        for value in ["changeme", "<token>", "${TOKEN}", "your-token-here", "true", "xxxxxxxxxxxxxxxxxxxx"] {
            assert!(
                scan(text.replace('@', value).as_bytes(), TextOrigin::File(path.as_bytes())).is_empty(),
                "{value} in {path}"
            );
        }
    }
}
