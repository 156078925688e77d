//! Whose requests an object store gets: credentials from the environment, or from a file that may be replaced while the relay runs.

use super::sign::Credentials;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::spawn_blocking;

/// Where credentials come from.
pub(super) struct Account {
    /// `None` for those of the environment, which do not change.
    file: Option<(PathBuf, String)>,
    known: Mutex<(Credentials, Instant)>,
}

impl Account {
    /// The account that an option, or else the environment, names.
    ///
    /// # Errors
    /// There are no credentials where they were looked for.
    pub(super) fn find(file: Option<PathBuf>, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let from = |file, credentials| Self { file, known: Mutex::new((credentials, Instant::now())) };
        if let (None, Some(key)) = (&file, environment("AWS_ACCESS_KEY_ID")) {
            let secret = environment("AWS_SECRET_ACCESS_KEY")
                .ok_or("expected AWS_SECRET_ACCESS_KEY with AWS_ACCESS_KEY_ID in the environment")?;
            return Ok(from(None, Credentials { key, secret, token: environment("AWS_SESSION_TOKEN") }));
        }
        let named = file.or_else(|| environment("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from));
        let path = named.or_else(|| environment("HOME").map(|home| Path::new(&home).join(".aws/credentials")));
        let path = path.ok_or("expected AWS_ACCESS_KEY_ID in the environment, or --cache-credentials")?;
        let profile = environment("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        let credentials = read(&path, &profile)?;
        Ok(from(Some((path, profile)), credentials))
    }

    /// The credentials as they are now. A file is read again when a minute has passed; while it cannot be read, the ones before are used.
    pub(super) async fn credentials(&self) -> Credentials {
        let (known, since) = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((path, profile)) = self.file.clone().filter(|_| since.elapsed() >= FRESH) else { return known };
        let read = spawn_blocking(move || read(&path, &profile)).await;
        let credentials = read.ok().and_then(Result::ok).unwrap_or(known);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = (credentials.clone(), Instant::now());
        credentials
    }
}

/// A file of the AWS command line: `[profile]`, and lines of `name = value`.
fn read(path: &Path, profile: &str) -> Result<Credentials, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    parse(&text, profile).map_err(|missing| format!("`{}`: expected {missing} in [{profile}]", path.display()))
}

fn parse(text: &str, profile: &str) -> Result<Credentials, &'static str> {
    let mut section = "";
    let mut found = [None, None, None];
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim();
        } else if let Some((name, value)) = line.split_once('=').filter(|_| section == profile)
            && let Some(at) = NAMES.iter().position(|known| *known == name.trim())
        {
            found[at] = Some(value.trim().to_owned());
        }
    }
    let [key, secret, token] = found;
    Ok(Credentials { key: key.ok_or(NAMES[0])?, secret: secret.ok_or(NAMES[1])?, token })
}

const NAMES: [&str; 3] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
const FRESH: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_of_a_file_is_read() {
        let text = "[default]\naws_access_key_id = a\naws_secret_access_key=b=\n# x\n[ other ]\naws_access_key_id=c\n\
            aws_secret_access_key=d\naws_session_token = e\n[empty]\naws_access_key_id=f\n";
        let read = |profile| parse(text, profile).map(|found| (found.key, found.secret, found.token));
        assert_eq!(read("default"), Ok(("a".to_owned(), "b=".to_owned(), None)));
        assert_eq!(read("other"), Ok(("c".to_owned(), "d".to_owned(), Some("e".to_owned()))));
        assert_eq!(read("empty"), Err("aws_secret_access_key"));
        assert_eq!(read("none"), Err("aws_access_key_id"));
    }

    #[test]
    fn an_option_wins_over_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        fs::write(&file, "[default]\naws_access_key_id=file\naws_secret_access_key=x\n").unwrap();
        let variables = |names: &'static [(&str, &str)]| {
            move |name: &str| names.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let key = |account: Account| account.known.into_inner().unwrap().0.key;
        let both = variables(&[("AWS_ACCESS_KEY_ID", "environment"), ("AWS_SECRET_ACCESS_KEY", "y")]);
        assert_eq!(key(Account::find(Some(file), &both).unwrap()), "file");
        assert_eq!(key(Account::find(None, &both).unwrap()), "environment");
        let wrong = |names| Account::find(None, &variables(names)).map(key).unwrap_err();
        assert!(wrong(&[]).contains("--cache-credentials"));
        assert!(wrong(&[("AWS_ACCESS_KEY_ID", "a")]).contains("AWS_SECRET_ACCESS_KEY"));
        assert!(wrong(&[("HOME", "/nonexistent")]).contains("cannot read `/nonexistent/.aws/credentials`"));
    }
}
