//! What a front end says of an error: its class, its words, and a remedy for each of its hints.
//!
//! Class, hints and words are those of the error ([`Classify`]). Added here is what only a page knows: why the browser did not
//! get an answer, what the relay refused, and which file a person chose.

mod remedy;

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
    failure::{Blame, Classify, Failure, FailureClass},
    hint::Hint,
    layout::ChoiceError,
    media_type::Compression,
};
use porthole_inspect::{local, resolve};
use porthole_registry::{
    error::Error,
    relay_code,
    transport::{self, ErrorKind},
};
pub(crate) use remedy::pull_foreign;

/// What is known around an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// Logical registry of the look.
    pub registry: &'a str,
    /// How it was reached.
    pub route: RegistryRoute,
    /// Base URL of the relay that is or could be used.
    pub relay: Option<&'a str>,
}

impl Context<'_> {
    fn notice(self, failure: Failure, text: String) -> FailureNotice {
        let remedies = failure.hints.into_iter().map(|hint| remedy::of_hint(hint, self.relay)).collect();
        FailureNotice { registry: Some(self.registry.into()), remedies, ..FailureNotice::plain(failure.kind, text) }
    }
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

    /// The class and the words of an error, without remedies.
    pub fn of(error: &(impl Classify + ToString)) -> Self {
        Self::plain(error.kind(), error.to_string())
    }

    /// Offers another try first, unless a wait or another way is offered.
    fn or_retry(mut self) -> Self {
        let offered = |remedy: &Remedy| matches!(remedy, Remedy::Retry { .. } | Remedy::UseRelay { .. });
        if !self.remedies.iter().any(offered) {
            self.remedies.insert(0, Remedy::Retry { after: None });
        }
        self
    }
}

/// Twin of a client's error.
pub(crate) fn explain(error: &Error, context: Context<'_>) -> FailureNotice {
    let notice = match error {
        Error::Unauthorized { message, .. } | Error::Status { message, .. }
            if context.route == RegistryRoute::Relay && relay_refusal(message).is_some() =>
        {
            return of_relay(message, context);
        }
        Error::Transport { error: transport, .. } => return of_transport(error, transport, context),
        _ => context.notice(error.failure(), error.to_string()),
    };
    match error {
        Error::UnreadableChallenge { .. } => FailureNotice { cause: Some(FailureCause::NoCors), ..notice },
        Error::Mismatch { mismatch, .. } => FailureNotice { mismatch: Some(sides(mismatch)), ..notice }.or_retry(),
        Error::Contradiction { expected, got, .. } => {
            FailureNotice { mismatch: Some((expected.to_string(), got.to_string())), ..notice }.or_retry()
        }
        _ if may_pass(notice.kind) => notice.or_retry(),
        _ => notice,
    }
}

/// Whether the same request may succeed later.
fn may_pass(kind: FailureClass) -> bool {
    matches!(kind, FailureClass::Network | FailureClass::Protocol | FailureClass::RateLimit)
}

/// Twin of what keeps verified documents from being an image, wherever they come from.
pub(crate) fn of_image<E: std::error::Error + Classify>(registry: &str, error: &resolve::Error<E>) -> FailureNotice {
    let context = Context { registry, route: RegistryRoute::Page, relay: None };
    context.notice(error.failure(), error.to_string())
}

/// Twin of an error of an image that is part of the front end, or in a file of this name.
pub(crate) fn of_page(registry: &str, name: &str, error: &resolve::Error<local::Error>) -> FailureNotice {
    let mut notice = of_image(registry, error);
    match error {
        resolve::Error::Source(local::Error::Compressed { compression, .. }) => {
            if *compression == Format::Xz {
                let text = format!(
                    "This page does not unpack xz. The command line does: {}.",
                    shell::command("ls", name, None)
                );
                notice.remedies.insert(0, Remedy::Text { text });
            }
            notice.remedies.push(Remedy::ChooseFile);
        }
        resolve::Error::Source(local::Error::NotAnImage { .. } | local::Error::Tar { .. }) => {
            notice.remedies.push(Remedy::ChooseFile);
        }
        resolve::Error::Source(local::Error::Source(porthole_source::Error::Mismatch { mismatch, .. })) => {
            notice.mismatch = Some(sides(mismatch));
        }
        _ => {}
    }
    notice
}

/// A file is compressed as a whole, and the front end has no room for what it unpacks to.
pub(crate) fn of_no_room(name: &str, compression: Compression, why: &str) -> FailureNotice {
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
pub(crate) fn of_expired_sign_in(registry: &str) -> FailureNotice {
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
pub(crate) fn of_absent_file(name: &str) -> FailureNotice {
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
pub(crate) fn of_changed_file() -> FailureNotice {
    let text = "the file was moved or changed after it was opened, and the browser cannot read it any more";
    FailureNotice { remedies: vec![Remedy::ChooseFile], ..FailureNotice::plain(FailureClass::Other, text) }
}

/// A file has several images, or none that is meant. `names` are those to choose from.
pub(crate) fn of_choice(
    repository: &str,
    names: &[(Option<String>, Descriptor)],
    error: &ChoiceError,
) -> FailureNotice {
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

/// Whether the relay itself failed, after the direct way had failed: the direct failure is the one to show then.
pub(crate) fn is_of_relay(error: &Error) -> bool {
    match error {
        Error::Unauthorized { message, .. } | Error::Status { message, .. } => relay_refusal(message).is_some(),
        Error::Transport { .. } | Error::PlainRelay { .. } | Error::Relay(_) => true,
        _ => false,
    }
}

/// A request without an answer. What the browser let a page know of the reason is in the error's kind; a page words it.
fn of_transport(error: &Error, transport: &transport::Error, context: Context<'_>) -> FailureNotice {
    let registry = context.registry;
    if context.route == RegistryRoute::Relay && transport.kind != ErrorKind::Offline {
        let relay = context.relay.unwrap_or("?");
        let text = format!("The relay at {relay} does not answer, so {registry} was not asked.");
        let failure = Failure::new(FailureClass::Network, Blame::Relay).hint(Hint::CheckRelay { relay: relay.into() });
        return FailureNotice { cause: Some(FailureCause::DeadRelay), ..context.notice(failure, text).or_retry() };
    }
    let cause = FailureCause::of(transport.kind);
    let text = match cause {
        Some(FailureCause::Offline) => format!("This device has no network, so {registry} was not asked."),
        Some(FailureCause::NoCors) => {
            format!("{registry} answers, but does not allow this page to read it: it sends no CORS headers.")
        }
        Some(FailureCause::Preflight) => {
            format!("{registry} refuses preflights, so no page can send it a password or a token.")
        }
        Some(FailureCause::DeadHost) => {
            format!("{registry} cannot be reached: no such host, nothing listens there, or it speaks no valid HTTPS.")
        }
        Some(FailureCause::DeadRelay) | None => error.to_string(),
    };
    FailureNotice { cause, ..context.notice(error.failure(), text).or_retry() }
}

/// The relay's own refusal, not the registry's.
fn of_relay(message: &str, context: Context<'_>) -> FailureNotice {
    let registry = context.registry;
    let (code, words) = message.split_once(": ").unwrap_or((message, ""));
    match relay_refusal(message) {
        Some(Refusal::Dead) => {
            let text = format!("{registry} cannot be reached through the relay either: {words}.");
            let failure = Failure::new(FailureClass::Network, Blame::Network);
            FailureNotice { cause: Some(FailureCause::DeadHost), ..context.notice(failure, text).or_retry() }
        }
        Some(Refusal::Denied) => {
            let text = format!("The relay refuses to connect to {registry}: {words}.");
            context.notice(Failure::new(FailureClass::Other, Blame::Relay), text)
        }
        _ => {
            let text = format!("The relay refused the answer of {registry} ({code}): {words}.");
            context.notice(Failure::new(FailureClass::Protocol, Blame::Registry), text).or_retry()
        }
    }
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

/// Expected and got.
pub(crate) fn sides(mismatch: &Mismatch) -> (String, String) {
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
    use porthole_core::{
        digest,
        platform::{self, NoMatch},
    };
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

    #[test]
    fn every_hint_of_an_error_is_offered() {
        let unauthorized = |credentials, status| Error::Unauthorized {
            registry: "r.example".into(),
            what: what(),
            credentials,
            status,
            message: "no".into(),
        };
        let remedies = |error: &Error| notice(error, RegistryRoute::Direct).remedies;
        let sign_in = |refused| Remedy::SignIn { registry: "r.example".into(), refused };
        let retry = Remedy::Retry { after: None };
        assert_eq!(remedies(&unauthorized(false, 401)), [sign_in(false)]);
        assert_eq!(remedies(&unauthorized(true, 401)), [sign_in(true)]);
        let forbidden = remedies(&unauthorized(true, 403));
        assert!(
            matches!(&forbidden[..], [Remedy::Text { text }, Remedy::SignIn { refused: true, .. }] if text.contains("permission"))
        );
        let limited =
            |retry_after| Error::RateLimited { registry: "r.example".into(), retry_after, message: String::new() };
        assert_eq!(remedies(&limited(None)), [retry.clone(), sign_in(false)]);
        assert_eq!(remedies(&limited(Some(5))), [Remedy::Retry { after: Some(5) }, sign_in(false)]);
        assert_eq!(remedies(&transport(ErrorKind::Interrupted)), std::slice::from_ref(&retry));
        let blocked = remedies(&transport(ErrorKind::Cors));
        assert_eq!(blocked, [Remedy::UseRelay { registry: "r.example".into(), available: true }]);
        let large = remedies(&Error::TooLarge { what: what(), limit: 1, name: "manifest_bytes" });
        assert!(
            matches!(&large[..], [Remedy::Text { text }] if text.contains("--limit manifest_bytes=2")),
            "{large:?}"
        );
        let relay = notice(&transport(ErrorKind::Connect), RegistryRoute::Relay).remedies;
        assert!(
            matches!(&relay[..], [again, Remedy::Text { text }] if *again == retry && text.contains("http://127.0.0.1:8090"))
        );
    }
}
