//! A password file, and a token server whose tokens docker-registry accepts.

use super::Scratch;
use crate::{
    Result,
    http::Message,
    program::{find, run},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// A user and password in an htpasswd file.
pub struct Password {
    files: Scratch,
}

impl Password {
    /// User name in the file.
    pub const USER: &str = "keeper";
    /// Password of that user.
    pub const PASSWORD: &str = "open sesame, grüß dich";

    /// Creates the file.
    pub fn new() -> Result<Self> {
        let files = Scratch::new("password")?;
        let line = run("htpasswd", ["-nbB", "-C", "5", Self::USER, Self::PASSWORD])?;
        fs::write(files.path().join("htpasswd"), line)?;
        Ok(Self { files })
    }

    pub(super) fn file(&self) -> PathBuf {
        self.files.path().join("htpasswd")
    }
}

/// A token server on its own port, to be joined with a registry behind one host.
pub struct Tokens {
    port: u16,
    realm: String,
    files: Scratch,
    issued: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
}

impl Tokens {
    pub(super) const SERVICE: &str = "porthole tests";
    pub(super) const ISSUER: &str = "porthole token server";

    /// Starts a server for challenges with this realm. Pulling from `public/…` needs no password; other repositories
    /// and pushing do.
    pub fn start(realm: String) -> Result<Self> {
        let files = Scratch::new("tokens")?;
        let (key, certificate) = (files.path().join("key.pem"), files.path().join("certificate.pem"));
        let (key, certificate) = (key.display().to_string(), certificate.display().to_string());
        run(
            "openssl",
            [
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=porthole",
                "-keyout",
                &key,
                "-out",
                &certificate,
            ],
        )?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let (issued, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let signer = Signer { key: key.into(), certificate: read_certificate(Path::new(&certificate))? };
        let (count, stopped) = (Arc::clone(&issued), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(std::io::Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                // A client may disconnect at any time.
                answer(&stream, &signer, &count).ok();
            }
        });
        Ok(Self { port, realm, files, issued, stop })
    }

    /// The local port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Number of tokens issued.
    pub fn issued(&self) -> u32 {
        self.issued.load(Ordering::Relaxed)
    }

    pub(super) fn realm(&self) -> &str {
        &self.realm
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.files.path().join("certificate.pem")
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Unblocks `accept`.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
    }
}

struct Signer {
    key: PathBuf,
    certificate: String,
}

impl Signer {
    /// A JSON Web Token (RS256) with the certificate in its header.
    fn sign(&self, claims: &Value) -> Result<String> {
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [self.certificate] });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(&header), encode(claims));
        let mut openssl = Command::new(find("openssl")?)
            .args(["dgst", "-sha256", "-sign"])
            .arg(&self.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        openssl.stdin.take().ok_or("openssl has no stdin")?.write_all(text.as_bytes())?;
        let signature = openssl.wait_with_output()?.stdout;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The certificate without its PEM armour.
fn read_certificate(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file)?;
    Ok(text.lines().filter(|line| !line.starts_with("-----")).collect())
}

/// Answers one request. Counts a token before sending it, because its receiver may read the count at once.
fn answer(mut stream: &TcpStream, signer: &Signer, issued: &AtomicU32) -> Result<()> {
    let request = Message::read(stream)?;
    let query = request.second().split_once('?').map_or("", |(_, query)| query);
    let scopes: Vec<String> = query.split('&').filter_map(|pair| pair.strip_prefix("scope=")).map(decode).collect();
    let right = STANDARD.encode(format!("{}:{}", Password::USER, Password::PASSWORD));
    let credentials = request.header("authorization");
    let known = credentials == Some(&format!("Basic {right}"));
    let (status, body) = if credentials.is_some() && !known {
        ("401 Unauthorized", json!({ "errors": [{ "code": "UNAUTHORIZED", "message": "wrong user or password" }] }))
    } else {
        let access: Vec<Value> = scopes.iter().filter_map(|scope| access(scope, known)).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = json!({
            "iss": Tokens::ISSUER, "aud": Tokens::SERVICE, "sub": if known { Password::USER } else { "" },
            "nbf": now - 60, "iat": now, "exp": now + 300, "jti": format!("{now}"), "access": access,
        });
        ("200 OK", json!({ "token": signer.sign(&claims)?, "expires_in": 300 }))
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}",
        body.len()
    );
    if status.starts_with("200") {
        issued.fetch_add(1, Ordering::Relaxed);
    }
    Ok(stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes())?)
}

/// The access that a token grants for a scope.
fn access(scope: &str, known: bool) -> Option<Value> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    let granted = |action: &&str| *action == "pull" || (known && matches!(*action, "push" | "delete" | "*"));
    let actions: Vec<&str> = actions.split(',').filter(granted).collect();
    (known || name.starts_with("public/")).then(|| json!({ "type": kind, "name": name, "actions": actions }))
}

/// Decodes percent-encoding; plus is a space.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex =
            |digits: [Option<u8>; 2]| u8::from_str_radix(&String::from_utf8_lossy(&[digits[0]?, digits[1]?]), 16).ok();
        bytes.push(match byte {
            b'%' => hex([rest.next(), rest.next()]).unwrap_or(b'?'),
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
