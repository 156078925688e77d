//! What a person can do about an error, as data.

use std::fmt;

/// A remedy. The command line prints it after `hint: `, in terms of its options; the page draws a button where it can.
///
/// The enum is exhaustive: when a hint is added, a front end that matches on it does not compile until it has words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// The registry cannot be read from a page: use the relay.
    UseRelay {
        /// The registry that sends no CORS headers.
        registry: String,
    },
    /// The relay does not answer: start it, or choose another.
    CheckRelay {
        /// URL of the relay that was tried.
        relay: String,
    },
    /// The proxy does not answer, or refuses: check it, or leave it out.
    CheckProxy {
        /// The registry behind it.
        registry: String,
    },
    /// The registry asks for credentials.
    SignIn {
        /// The registry that refused an anonymous request.
        registry: String,
    },
    /// The registry did not accept the credentials that were sent.
    CheckCredentials {
        /// The registry that refused the credentials.
        registry: String,
    },
    /// The registry wants the credentials sent to another host: allow it.
    TrustRealm {
        /// `host[:port]` of the token server.
        realm: String,
    },
    /// The image exists for these platforms.
    ChoosePlatform {
        /// Platforms, as `os/architecture[/variant]`.
        available: Vec<String>,
    },
    /// The source holds several images: name one.
    ChooseImage {
        /// Their names, or digests where they have none.
        available: Vec<String>,
    },
    /// A name stands for several images: use a digest in its place.
    UseDigest,
    /// The input is larger than a limit that may be raised.
    RaiseLimit {
        /// The limit's name.
        name: &'static str,
        /// A value to try: twice the limit, or the amount read so far if that is larger.
        value: u64,
    },
    /// The registry wants fewer requests.
    RetryAfter {
        /// Seconds to wait.
        seconds: u64,
    },
    /// The registry seems to speak plain HTTP.
    PlainHttp {
        /// The registry that speaks no TLS.
        registry: String,
    },
    /// The registry's certificate is issued by an authority that this machine does not trust: add it.
    TrustAuthority {
        /// The registry whose certificate is not trusted.
        registry: String,
    },
    /// The registry's certificate is outside its dates: it must be renewed, or the clock of this machine is wrong.
    CheckClock {
        /// The registry whose certificate is out of date by this machine's clock.
        registry: String,
    },
    /// The file is compressed as a whole: decompress it first.
    Decompress {
        /// Program that decompresses the format with `-d FILE`; `None` if none is common.
        program: Option<&'static str>,
    },
    /// The manifest places the layer on these hosts: allow downloads from them.
    Foreign {
        /// `host[:port]`s, with commas.
        hosts: String,
    },
    /// Part of a layer was read by a seek index: read the whole layer instead.
    WithoutSeekIndex,
    /// Part of a layer was read by its table of contents: read the whole layer instead.
    WithoutToc,
    /// Anything else, in words that name no option of a front end.
    Text(String),
}

impl Hint {
    /// A hint to raise a limit that `got` exceeds. `got` is the amount read so far, or 0 if it is unknown.
    pub fn raise(name: &'static str, limit: u64, got: u64) -> Self {
        Self::RaiseLimit { name, value: limit.saturating_mul(2).max(got) }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UseRelay { registry } => write!(f, "look at {registry} through a relay"),
            Self::CheckRelay { relay } => write!(f, "start the relay at {relay}, or choose another"),
            Self::CheckProxy { registry } => write!(f, "check the proxy, or reach {registry} without it"),
            Self::SignIn { registry } => write!(f, "sign in to {registry}"),
            Self::CheckCredentials { registry } => write!(f, "check the user name and password for {registry}"),
            Self::TrustRealm { realm } => write!(f, "if you trust {realm} with your credentials, allow it"),
            Self::ChoosePlatform { available } if available.is_empty() => {
                f.write_str("no entry of the index is an image for a platform")
            }
            Self::ChoosePlatform { available } => write!(f, "choose one of these platforms: {}", available.join(", ")),
            Self::ChooseImage { available } => write!(f, "choose one of these images: {}", available.join(", ")),
            Self::UseDigest => f.write_str("use the digest in place of the name"),
            Self::RaiseLimit { name, value } => write!(f, "raise the limit `{name}` to {value} or more"),
            Self::RetryAfter { seconds: 1 } => f.write_str("try again in 1 second"),
            Self::RetryAfter { seconds } => write!(f, "try again in {seconds} seconds"),
            Self::PlainHttp { registry } => write!(f, "if {registry} has no TLS, allow plain HTTP for it"),
            Self::TrustAuthority { registry } => {
                write!(f, "if {registry} has its own certificate authority, add that authority's certificate")
            }
            Self::CheckClock { registry } => {
                write!(
                    f,
                    "check the clock of this machine; if it is right, the operator of {registry} has to renew the certificate"
                )
            }
            Self::Decompress { program: Some(program) } => write!(f, "unpack it first: {program} -d FILE"),
            Self::Decompress { program: None } => f.write_str("unpack it first"),
            Self::Foreign { hosts } => write!(f, "if you trust the image, allow downloads from {hosts}"),
            Self::WithoutSeekIndex => f.write_str("read the whole layer instead, without its seek index"),
            Self::WithoutToc => f.write_str("read the whole layer instead, without its table of contents"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_plain_words() {
        let available = vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()];
        assert_eq!(
            Hint::ChoosePlatform { available }.to_string(),
            "choose one of these platforms: linux/amd64, linux/arm64"
        );
        assert_eq!(Hint::RetryAfter { seconds: 30 }.to_string(), "try again in 30 seconds");
        assert_eq!(Hint::raise("entries", 10, 30), Hint::RaiseLimit { name: "entries", value: 30 });
        assert_eq!(Hint::raise("entries", 10, 11), Hint::RaiseLimit { name: "entries", value: 20 });
    }
}
