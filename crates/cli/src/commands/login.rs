//! `porthole login`

use std::io::{self, IsTerminal, Read};

use clap::Args;
use porthole_core::reference::{DEFAULT_REGISTRY, Reference};
use porthole_credentials::Kept;
use porthole_registry::auth;

use crate::{
    error::Error,
    session::{Session, without_tls},
    ui::safe,
};

/// Sign in to a registry and store the credentials
///
/// The credentials are checked first. They are stored with the helper that Docker's config.json names (credHelpers, credsStore), else
/// unencrypted in that file.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole login ghcr.io
  echo \"$TOKEN\" | porthole login ghcr.io --username me --password-stdin")]
pub(crate) struct Arguments {
    /// Registry to sign in to
    #[arg(value_name = "REGISTRY", default_value = DEFAULT_REGISTRY)]
    registry: String,
    /// User name, or `<token>` if the password is an identity token [default: prompt]
    #[arg(long, short)]
    username: Option<String>,
    /// Read the password or token from standard input
    #[arg(long)]
    password_stdin: bool,
}

/// Maximum length of a password in bytes.
const PASSWORD: u64 = 64 << 10;
/// Maximum length of a typed line in bytes. A terminal silently drops the rest (`N_TTY_BUF_SIZE`).
const TYPED: usize = 4095;

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let reference = reference(&arguments.registry)?;
    let registry = reference.registry();
    let given = read_credentials(arguments, session, registry)?;
    let (client, trusted) = session.reach(&reference)?;
    if !trusted {
        return Err(Error::usage(without_tls(registry)));
    }
    client.set_credentials(registry, Some(given.clone()));
    session.runtime().block_on(client.check_access(&reference))?;
    match session.places().keep(registry, &given)? {
        Kept::Helper(name) => {
            session.ui.note(format_args!("signed in to {registry}; kept by docker-credential-{name}"))
        }
        Kept::File(path) => {
            let path = path.to_string_lossy();
            session.ui.note(format_args!("signed in to {registry}"));
            session.ui.note(format_args!("the password is kept unencrypted in {}", safe(&path)));
        }
    }
    Ok(())
}

fn read_credentials(arguments: &Arguments, session: &Session<'_>, registry: &str) -> Result<auth::Credentials, Error> {
    let asks = io::stdin().is_terminal();
    let username = match &arguments.username {
        Some(username) => username.clone(),
        None if asks && !arguments.password_stdin => {
            let mut line = String::new();
            session.ui.ask(&format!("User at {registry}: "));
            io::stdin().read_line(&mut line).map_err(Error::stdin)?;
            line.trim().to_owned()
        }
        None => return Err(Error::usage("expected --username with --password-stdin")),
    };
    let password = if arguments.password_stdin {
        let mut text = String::new();
        io::stdin().take(PASSWORD).read_to_string(&mut text).map_err(Error::stdin)?;
        text.trim_end_matches(['\r', '\n']).to_owned()
    } else if asks {
        let line = session.ui.ask_secret(&format!("Password of {}: ", safe(&username))).map_err(Error::stdin)?;
        let password = line.trim_end_matches(['\r', '\n']);
        if password.len() >= TYPED {
            let text = format!(
                "expected fewer than {TYPED} bytes, because a terminal cuts longer lines: use --password-stdin"
            );
            return Err(Error::usage(text));
        }
        password.to_owned()
    } else {
        return Err(Error::usage("expected --password-stdin or a terminal"));
    };
    if username.is_empty() || password.is_empty() {
        return Err(Error::usage("expected a user name and a password, got an empty one"));
    }
    Ok(porthole_credentials::typed(&username, &password)?)
}

/// Makes a reference from the name of a registry, which may have a scheme and an API version.
pub(super) fn reference(registry: &str) -> Result<Reference, Error> {
    let host = registry.strip_prefix("https://").or_else(|| registry.strip_prefix("http://")).unwrap_or(registry);
    let host = host.trim_end_matches('/');
    let host = host.strip_suffix("/v1").or_else(|| host.strip_suffix("/v2")).unwrap_or(host);
    let parsed = format!("{host}/{ANY}").parse::<Reference>().ok();
    // The parser reads a name that is not a host as part of the repository, and words its errors for the whole text.
    parsed
        .filter(|parsed| parsed.repository() == ANY)
        .ok_or_else(|| Error::usage(format!("expected a registry such as ghcr.io, got `{registry}`")))
}

/// A repository for references that name only a registry.
const ANY: &str = "porthole/sign-in";
