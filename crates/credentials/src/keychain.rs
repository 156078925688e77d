//! Credential helpers: programs named `docker-credential-…`, with the protocol of docker-credential-helpers.

use std::{
    io::{self, Read, Write},
    process::{Child, Command, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use porthole_registry::auth;
use serde::Deserialize;
use serde_json::json;

/// Why a helper could not be used. The message contains the helper's name, but no secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name of the helper in the file cannot be part of a program's name.
    #[error("invalid name of a credential helper: expected letters, digits, `.`, `_` and `-`, got `{0}`")]
    Name(String),
    /// The registry cannot be passed to a helper.
    #[error("invalid registry for a credential helper: `{0}`")]
    Server(String),
    /// The program is not in `PATH`, or cannot be executed.
    #[error("cannot run `{program}`: {source}")]
    Run {
        /// Name of the helper's program.
        program: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The helper did not answer in time.
    #[error("`{program}` did not answer within {} seconds", PATIENCE.as_secs())]
    Slow {
        /// Name of the helper's program.
        program: String,
    },
    /// The helper reported a failure.
    #[error("`{program}` failed: {reason}")]
    Failed {
        /// Name of the helper's program.
        program: String,
        /// The first line of its message.
        reason: String,
    },
    /// The helper's answer is not the JSON that the protocol defines.
    #[error("expected credentials as JSON from `{program}`, got something else")]
    Answer {
        /// Name of the helper's program.
        program: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks a helper for the credentials of a server.
pub(crate) fn get(name: &str, server: &str) -> Result<Option<auth::Credentials>, Error> {
    let program = program(name)?;
    let answer = match ask(&program, "get", &address(server)?) {
        // Some helpers write this message to stdout, some to stderr. `ask` reads both.
        Err(Error::Failed { reason, .. }) if reason.contains(NOT_FOUND) => return Ok(None),
        answer => answer?,
    };
    let Ok(Answer { username, secret }) = serde_json::from_slice(&answer) else {
        return Err(Error::Answer { program });
    };
    Ok(match (username.as_str(), secret.is_empty()) {
        ("", true) => None,
        (TOKEN, _) => Some(auth::Credentials { identity_token: Some(secret), ..auth::Credentials::basic("", "") }),
        _ => Some(auth::Credentials::basic(username, secret)),
    })
}

/// Stores credentials of a server with a helper.
pub(crate) fn store(name: &str, server: &str, credentials: &auth::Credentials) -> Result<(), Error> {
    let (username, secret) = match &credentials.identity_token {
        Some(token) => (TOKEN, token),
        None => (credentials.username.as_str(), &credentials.password),
    };
    let entry = json!({ "ServerURL": address(server)?, "Username": username, "Secret": secret });
    ask(&program(name)?, "store", &entry.to_string()).map(|_| ())
}

/// Removes the credentials of a server from a helper.
pub(crate) fn erase(name: &str, server: &str) -> Result<(), Error> {
    ask(&program(name)?, "erase", &address(server)?).map(|_| ())
}

/// The program of a helper: a bare name, so that the system looks it up in `PATH` and nowhere else.
fn program(name: &str) -> Result<String, Error> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || !name.bytes().all(valid) {
        return Err(Error::Name(name.to_owned()));
    }
    Ok(format!("docker-credential-{name}"))
}

/// Checks that a server has only visible ASCII characters. Helpers drop line breaks, which would make two servers look like
/// one.
fn address(server: &str) -> Result<String, Error> {
    if server.is_empty() || !server.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::Server(server.to_owned()));
    }
    Ok(server.to_owned())
}

fn ask(program: &str, verb: &str, input: &str) -> Result<Vec<u8>, Error> {
    let run = |source| Error::Run { program: program.to_owned(), source };
    let mut child = Command::new(program)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(run)?;
    if let Some(mut stdin) = child.stdin.take() {
        // This fails if the helper exits early. Its output and exit status then say why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let (stdout, stderr) = (read(child.stdout.take()), read(child.stderr.take()));
    let answer = stdout.recv_timeout(PATIENCE).map_err(|error| slow(&mut child, program, error))?;
    let talk = stderr.recv_timeout(PATIENCE).map_err(|error| slow(&mut child, program, error))?;
    let status = child.wait().map_err(run)?;
    if status.success() {
        return Ok(answer);
    }
    // The output of a failed run is an error message, and may be shown. Only that of a successful run is secret.
    let said = [answer, talk].concat();
    let said = String::from_utf8_lossy(&said);
    let reason = said.lines().find(|line| !line.trim().is_empty()).map_or_else(|| status.to_string(), str::to_owned);
    Err(Error::Failed { program: program.to_owned(), reason: reason.chars().take(200).collect() })
}

/// Reads a pipe on its own thread, so that the caller can give up on a helper that does not answer.
fn read(pipe: Option<impl Read + Send + 'static>) -> std::sync::mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(ANSWER).read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}

fn slow(child: &mut Child, program: &str, _: RecvTimeoutError) -> Error {
    let _ = child.kill();
    let _ = child.wait();
    Error::Slow { program: program.to_owned() }
}

/// Time that a helper may take to answer: the user may have to type a passphrase.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read. The rest is ignored.
const ANSWER: u64 = 64 << 10;
/// User name which marks the secret as an identity token.
pub const TOKEN: &str = "<token>";
/// The message with which every helper reports that it has no credentials of a server.
const NOT_FOUND: &str = "credentials not found in native keychain";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_paths() {
        for name in ["", "../../x", "a/b", "a b", "a\nb", "ä"] {
            assert!(matches!(program(name), Err(Error::Name(_))), "{name}");
        }
        assert_eq!(program("ecr-login").unwrap(), "docker-credential-ecr-login");
    }

    #[test]
    fn servers_have_no_spaces_or_line_breaks() {
        for server in ["", "a b", "a\nb", "a\0", "é"] {
            assert!(matches!(address(server), Err(Error::Server(_))), "{server}");
        }
        assert_eq!(address("https://index.docker.io/v1/").unwrap(), "https://index.docker.io/v1/");
    }

    #[test]
    fn a_missing_helper_is_named() {
        let error = get("that-is-not-installed", "quay.io").unwrap_err().to_string();
        assert!(error.starts_with("cannot run `docker-credential-that-is-not-installed`: "), "{error}");
    }
}
