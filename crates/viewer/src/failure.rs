//! Errors in the words of a front end: who is to blame, what happened, what to do.

use crate::{
    pretty,
    protocol::{FailureCause, FailureNotice, RegistryRoute, Remedy},
    router::GIVEN,
    shell,
};
use porthole_core::{
    decode::Format,
    descriptor::Descriptor,
    digest::Mismatch,
    failure::{Classify, FailureClass},
    layout::ChoiceError,
    media_type::Compression,
    platform::NoMatch,
};
use porthole_inspect::{local, resolve};
use porthole_registry::{
    error::Error,
    relay_code,
    transport::{self, ErrorKind},
};

/// What is known around an error.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Logical registry of the look.
    pub registry: &'a str,
    /// How it was reached.
    pub route: RegistryRoute,
    /// Base URL of the relay that is or could be used.
    pub relay: Option<&'a str>,
}

impl FailureNotice {
    /// A failure that is neither of a registry nor of a step.
    pub fn plain(kind: FailureClass, text: impl Into<String>) -> Self {
        Self {
            kind,
            cause: None,
            registry: None,
            step: None,
            layer: None,
            text: text.into(),
            mismatch: None,
            remedies: Vec::new(),
        }
    }

    /// The class and the words of an error.
    pub fn of(error: &(impl Classify + ToString)) -> Self {
        Self::plain(error.kind(), error.to_string())
    }
}

/// Twin of a client's error.
pub fn explain(error: &Error, context: Context<'_>) -> FailureNotice {
    let registry = context.registry;
    let retry = || vec![Remedy::Retry { after: None }];
    let sign_in = |refused| Remedy::SignIn { registry: registry.into(), refused };
    let plain = FailureNotice { registry: Some(registry.into()), ..FailureNotice::of(error) };
    match error {
        Error::Unauthorized { message, .. } | Error::Status { message, .. }
            if context.route == RegistryRoute::Relay && relay_refusal(message).is_some() =>
        {
            of_relay(message, context, plain)
        }
        Error::Unauthorized { credentials, .. } => FailureNotice { remedies: vec![sign_in(*credentials)], ..plain },
        Error::UnreadableChallenge { .. } => {
            FailureNotice { cause: Some(FailureCause::NoCors), remedies: vec![use_relay(context)], ..plain }
        }
        Error::RateLimited { retry_after, .. } => {
            FailureNotice { remedies: vec![Remedy::Retry { after: *retry_after }, sign_in(false)], ..plain }
        }
        Error::Mismatch { mismatch, .. } => {
            FailureNotice { mismatch: Some(sides(mismatch)), remedies: retry(), ..plain }
        }
        Error::Contradiction { expected, got, .. } => {
            FailureNotice { mismatch: Some((expected.to_string(), got.to_string())), remedies: retry(), ..plain }
        }
        Error::Transport { error, .. } => of_transport(error, context, plain),
        Error::Status { .. } | Error::Elsewhere { .. } | Error::Protocol { .. } => {
            FailureNotice { remedies: retry(), ..plain }
        }
        _ => plain,
    }
}

/// Twin of what keeps verified documents from being an image, wherever they come from.
pub fn of_image<E: std::error::Error + Classify>(registry: &str, error: &resolve::Error<E>) -> FailureNotice {
    let plain = FailureNotice { registry: Some(registry.into()), ..FailureNotice::of(error) };
    match error {
        resolve::Error::Platform(no_match) => of_platform(no_match, plain),
        _ => plain,
    }
}

/// Twin of an error of an image that is part of the front end, or in a file of this name.
pub fn of_page(registry: &str, name: &str, error: &resolve::Error<local::Error>) -> FailureNotice {
    let plain = of_image(registry, error);
    match error {
        resolve::Error::Source(local::Error::Compressed { compression, .. }) => {
            let text = match compression {
                Format::Xz => format!(
                    "This page does not unpack xz. The command line does: {}. Or unpack the archive and open that file.",
                    shell::command("ls", name, None)
                ),
                _ => format!("This page does not unpack {compression}. Unpack the archive and open that file."),
            };
            FailureNotice { remedies: vec![Remedy::Text { text }, Remedy::ChooseFile], ..plain }
        }
        resolve::Error::Source(local::Error::NotAnImage { .. } | local::Error::Tar { .. }) => {
            FailureNotice { remedies: vec![Remedy::ChooseFile], ..plain }
        }
        resolve::Error::Source(local::Error::Source(porthole_source::Error::Mismatch { mismatch, .. })) => {
            FailureNotice { mismatch: Some(sides(mismatch)), ..plain }
        }
        _ => plain,
    }
}

/// A file is compressed as a whole, and the front end has no room for what it unpacks to.
pub fn of_no_room(name: &str, compression: Compression, why: &str) -> FailureNotice {
    let text = format!(
        "The files in `{name}` are found only by unpacking all of it, because it is compressed with {compression} as a whole. \
         This page has no room for that: {why}."
    );
    let remedy = format!(
        "Use the command line: {}. Or unpack the archive and open that file.",
        shell::command("ls", name, None)
    );
    FailureNotice {
        registry: Some(GIVEN.into()),
        remedies: vec![Remedy::Text { text: remedy }, Remedy::ChooseFile],
        ..FailureNotice::plain(FailureClass::Other, text)
    }
}

/// A proxy in front of the relay that serves this page wants the person to sign in again.
pub fn of_expired_sign_in(registry: &str) -> FailureNotice {
    let text = format!(
        "The sign-in of this page has expired: what came is not from the relay that serves it, so {registry} was not asked. \
         Reload the page and sign in again."
    );
    FailureNotice {
        registry: Some(registry.into()),
        remedies: vec![Remedy::Reload],
        ..FailureNotice::plain(FailureClass::Authentication, text)
    }
}

/// A file that was given before and is not there any more.
pub fn of_absent_file(name: &str) -> FailureNotice {
    let text = format!(
        "{name} is a file on this machine, and nothing of it was uploaded. A page cannot open it again by its address."
    );
    FailureNotice {
        registry: Some(GIVEN.into()),
        remedies: vec![Remedy::ChooseFile],
        ..FailureNotice::plain(FailureClass::NotFound, text)
    }
}

/// A file that cannot be read any more.
pub fn of_changed_file() -> FailureNotice {
    let text = "the file was moved or changed after it was opened, and the browser cannot read it any more";
    FailureNotice { remedies: vec![Remedy::ChooseFile], ..FailureNotice::plain(FailureClass::Other, text) }
}

/// A file has several images, or none that is meant. `names` are those to choose from.
pub fn of_choice(repository: &str, names: &[(Option<String>, Descriptor)], error: &ChoiceError) -> FailureNotice {
    let choice = |(name, root): &(Option<String>, Descriptor)| {
        let name = name.as_deref().map_or_else(|| root.digest.to_string(), pretty::visible);
        (name, format!("{GIVEN}/{repository}@{}", root.digest))
    };
    let images = names.iter().map(choice).collect();
    FailureNotice {
        registry: Some(GIVEN.into()),
        remedies: vec![Remedy::ChooseImage { images }],
        ..FailureNotice::of(error)
    }
}

fn of_platform(no_match: &NoMatch, plain: FailureNotice) -> FailureNotice {
    let available = no_match.available.iter().map(ToString::to_string).collect();
    FailureNotice { remedies: vec![Remedy::ChoosePlatform { available }], ..plain }
}

/// Whether the relay itself failed, after the direct way had failed: the direct failure is the one to show then.
pub fn is_of_relay(error: &Error) -> bool {
    match error {
        Error::Unauthorized { message, .. } | Error::Status { message, .. } => relay_refusal(message).is_some(),
        Error::Transport { .. } | Error::PlainRelay { .. } | Error::Relay(_) => true,
        _ => false,
    }
}

fn of_transport(error: &transport::Error, context: Context<'_>, plain: FailureNotice) -> FailureNotice {
    let registry = context.registry;
    let retry = vec![Remedy::Retry { after: None }];
    let through_relay = context.route == RegistryRoute::Relay && error.kind != ErrorKind::Offline;
    let cause = if through_relay { Some(FailureCause::DeadRelay) } else { FailureCause::of(error.kind) };
    let (text, remedies) = match cause {
        Some(FailureCause::Offline) => (format!("This device has no network, so {registry} was not asked."), retry),
        Some(FailureCause::DeadRelay) => {
            let relay = context.relay.unwrap_or("?");
            (format!("The relay at {relay} does not answer, so {registry} was not asked."), retry)
        }
        Some(FailureCause::NoCors) => (
            format!("{registry} answers, but does not allow this page to read it: it sends no CORS headers."),
            vec![use_relay(context)],
        ),
        Some(FailureCause::Preflight) => (
            format!("{registry} refuses preflights, so no page can send it a password or a token."),
            vec![use_relay(context)],
        ),
        Some(FailureCause::DeadHost) => (
            format!("{registry} cannot be reached: no such host, nothing listens there, or it speaks no valid HTTPS."),
            retry,
        ),
        None => (plain.text.clone(), retry),
    };
    FailureNotice { cause, text, remedies, ..plain }
}

/// The relay's own refusal, not the registry's.
fn of_relay(message: &str, context: Context<'_>, plain: FailureNotice) -> FailureNotice {
    let registry = context.registry;
    let (code, words) = message.split_once(": ").unwrap_or((message, ""));
    let retry = vec![Remedy::Retry { after: None }];
    let (kind, cause, text, remedies) = match relay_refusal(message) {
        Some(Refusal::Dead) => {
            let text = format!("{registry} cannot be reached through the relay either: {words}.");
            (FailureClass::Network, Some(FailureCause::DeadHost), text, retry)
        }
        Some(Refusal::Denied) => {
            (FailureClass::Other, None, format!("The relay does not go to {registry}: {words}."), Vec::new())
        }
        _ => {
            let text = format!("The relay refused the answer of {registry} ({code}): {words}.");
            (FailureClass::Protocol, None, text, retry)
        }
    };
    FailureNotice { kind, cause, text, remedies, ..plain }
}

enum Refusal {
    Dead,
    Denied,
    Invalid,
}

/// Codes that only a relay uses; see its own documentation.
fn relay_refusal(message: &str) -> Option<Refusal> {
    match message.split(':').next().unwrap_or_default() {
        relay_code::UPSTREAM_UNRESOLVED
        | relay_code::UPSTREAM_UNREACHABLE
        | relay_code::UPSTREAM_TLS
        | relay_code::UPSTREAM_TIMEOUT => Some(Refusal::Dead),
        relay_code::DESTINATION_DENIED
        | relay_code::ORIGIN_DENIED
        | relay_code::REALM_UNTRUSTED
        | relay_code::HOST_DENIED => Some(Refusal::Denied),
        relay_code::UPSTREAM_INTERRUPTED | relay_code::UPSTREAM_INVALID | relay_code::UPSTREAM_REFUSED => {
            Some(Refusal::Invalid)
        }
        _ => None,
    }
}

fn use_relay(context: Context<'_>) -> Remedy {
    Remedy::UseRelay { registry: context.registry.into(), available: context.relay.is_some() }
}

/// Expected and got.
pub fn sides(mismatch: &Mismatch) -> (String, String) {
    match mismatch {
        Mismatch::Digest { expected, got } => (expected.to_string(), got.to_string()),
        Mismatch::Size { expected, got } => (format!("{expected} bytes"), format!("{got} bytes")),
        Mismatch::TooLong { expected } => (format!("{expected} bytes"), "more".into()),
        _ => (String::new(), mismatch.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::{digest, platform};
    use porthole_registry::{error::Subject, policy};

    fn what() -> Subject {
        Subject::new("manifest", "a/b:1")
    }

    fn notice(error: &Error, route: RegistryRoute) -> FailureNotice {
        explain(error, Context { registry: "r.example", route, relay: Some("http://127.0.0.1:8090") })
    }

    fn kind(error: &Error, route: RegistryRoute) -> FailureClass {
        notice(error, route).kind
    }

    fn cause(error: &Error, route: RegistryRoute) -> Option<FailureCause> {
        let notice = notice(error, route);
        assert_eq!(notice.kind, FailureClass::Network);
        notice.cause
    }

    fn transport(kind: ErrorKind) -> Error {
        let error = transport::Error { kind, message: "Failed to fetch".into() };
        Error::Transport { registry: "r.example".into(), what: what(), error }
    }

    fn status(status: u16, message: &str) -> Error {
        Error::Status { registry: "r.example".into(), what: what(), status, message: message.into() }
    }

    #[test]
    fn data_kind_has_the_words_of_the_classification() {
        let registry = || "r.example".to_owned();
        let digest = || digest::Digest::sha256(b"");
        let unauthorized = Error::Unauthorized {
            registry: registry(),
            what: what(),
            credentials: false,
            status: 401,
            message: "no".into(),
        };
        let no_match = NoMatch { wanted: platform::Platform::new("linux", "s390x", None), available: Vec::new() };
        let typed = Error::Registry { registry: "r.example.".into(), error: policy::HostError::TrailingDot };
        let missing = Error::NotFound { registry: registry(), what: what(), host: None };
        let limited = Error::RateLimited { registry: registry(), retry_after: None, message: String::new() };
        let (expected, got) = (digest(), digest());
        let contradiction = Error::Contradiction { registry: registry(), what: what(), expected, got };
        let large = Error::TooLarge { what: what(), limit: 1, name: "manifest_bytes" };
        let direct = |error: &Error| notice(error, RegistryRoute::Direct);
        let notices = [
            (direct(&typed), "input"),
            (direct(&unauthorized), "authentication"),
            (direct(&missing), "not-found"),
            (of_image::<Error>("r.example", &resolve::Error::Platform(no_match)), "platform"),
            (direct(&limited), "rate-limit"),
            (direct(&contradiction), "malformed"),
            (direct(&transport(ErrorKind::Interrupted)), "network"),
            (direct(&large), "limit"),
            (direct(&status(500, "no")), "protocol"),
            (of_changed_file(), "other"),
        ];
        for (notice, word) in &notices {
            assert_eq!(notice.kind.word(), *word, "{notice:?}");
        }
        let shown: Vec<FailureClass> = notices.iter().map(|(notice, _)| notice.kind).collect();
        assert_eq!(shown, FailureClass::ALL);
    }

    #[test]
    fn blocked_dead_and_preflight_are_told_apart() {
        assert_eq!(cause(&transport(ErrorKind::Cors), RegistryRoute::Direct), Some(FailureCause::NoCors));
        assert_eq!(cause(&transport(ErrorKind::Preflight), RegistryRoute::Direct), Some(FailureCause::Preflight));
        assert_eq!(cause(&transport(ErrorKind::Resolve), RegistryRoute::Direct), Some(FailureCause::DeadHost));
        assert_eq!(cause(&transport(ErrorKind::Cors), RegistryRoute::Relay), Some(FailureCause::DeadRelay));
        assert_eq!(cause(&transport(ErrorKind::Offline), RegistryRoute::Relay), Some(FailureCause::Offline));
        assert_eq!(cause(&transport(ErrorKind::Interrupted), RegistryRoute::Direct), None);
    }

    #[test]
    fn the_relay_speaks_for_itself() {
        let unreachable = status(502, "UPSTREAM_UNREACHABLE: no connection");
        assert_eq!(cause(&unreachable, RegistryRoute::Relay), Some(FailureCause::DeadHost));
        assert_eq!(kind(&unreachable, RegistryRoute::Direct), FailureClass::Protocol);
        assert_eq!(kind(&status(502, "bad gateway"), RegistryRoute::Relay), FailureClass::Protocol);
        let denied = Error::Unauthorized {
            registry: "r.example".into(),
            what: what(),
            credentials: false,
            status: 403,
            message: "DESTINATION_DENIED: 127.0.0.1 is no public address".into(),
        };
        assert_eq!(kind(&denied, RegistryRoute::Relay), FailureClass::Other);
        assert!(is_of_relay(&denied));
        assert_eq!(kind(&denied, RegistryRoute::Direct), FailureClass::Authentication);
    }
}
