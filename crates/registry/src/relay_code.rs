//! Error codes that only a relay answers with, beside those of the distribution specification. What each means is in the
//! documentation of the relay.

/// The relay does not connect to this registry or its address.
pub const DESTINATION_DENIED: &str = "DESTINATION_DENIED";
/// The `Host` of the request is not a name of the relay.
pub const HOST_DENIED: &str = "HOST_DENIED";
/// The relay does not serve the page that asks.
pub const ORIGIN_DENIED: &str = "ORIGIN_DENIED";
/// The registry's token server is at a foreign host: the credentials were not sent.
pub const REALM_UNTRUSTED: &str = "REALM_UNTRUSTED";
/// The host ended the exchange too early.
pub const UPSTREAM_INTERRUPTED: &str = "UPSTREAM_INTERRUPTED";
/// The answer breaks the protocol.
pub const UPSTREAM_INVALID: &str = "UPSTREAM_INVALID";
/// The registry names a URL that the policy refuses.
pub const UPSTREAM_REFUSED: &str = "UPSTREAM_REFUSED";
/// The host was silent for too long.
pub const UPSTREAM_TIMEOUT: &str = "UPSTREAM_TIMEOUT";
/// No secure connection to the host.
pub const UPSTREAM_TLS: &str = "UPSTREAM_TLS";
/// No connection to the host.
pub const UPSTREAM_UNREACHABLE: &str = "UPSTREAM_UNREACHABLE";
/// The name of the host does not resolve.
pub const UPSTREAM_UNRESOLVED: &str = "UPSTREAM_UNRESOLVED";
