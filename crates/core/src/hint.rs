//! What a person can do about an error, as data.

use std::fmt;

/// A remedy. The command line prints it after `hint: `; the page draws a button where it can.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// The registry cannot be read from a page: use the relay.
    UseRelay {
        /// The registry.
        registry: String,
    },
    /// The registry wants to know who asks.
    SignIn {
        /// The registry.
        registry: String,
    },
    /// The registry did not accept the credentials that were sent.
    CheckCredentials {
        /// The registry.
        registry: String,
    },
    /// The image exists for these platforms.
    ChoosePlatform {
        /// Platforms, as `os/architecture[/variant]`.
        available: Vec<String>,
    },
    /// The input is larger than a limit that may be raised.
    RaiseLimit {
        /// The limit's name.
        name: &'static str,
        /// A value to try: the double, or what was needed so far if that is more.
        value: u64,
    },
    /// The registry wants fewer requests.
    RetryAfter {
        /// Seconds to wait.
        seconds: u64,
    },
    /// The registry seems to speak plain HTTP.
    PlainHttp {
        /// The registry.
        registry: String,
    },
    /// Anything else, in words.
    Text(String),
}

impl Hint {
    /// To raise a limit that `got` was too much for, as far as it was read.
    pub fn raise(name: &'static str, limit: u64, got: u64) -> Self {
        Self::RaiseLimit { name, value: limit.saturating_mul(2).max(got) }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UseRelay { registry } => write!(f, "look at {registry} through a relay"),
            Self::SignIn { registry } => write!(f, "sign in to {registry}"),
            Self::CheckCredentials { registry } => write!(f, "check the user name and password for {registry}"),
            Self::ChoosePlatform { available } if available.is_empty() => {
                f.write_str("the index names no platform at all")
            }
            Self::ChoosePlatform { available } => write!(f, "choose one of these platforms: {}", available.join(", ")),
            Self::RaiseLimit { name, value } => write!(f, "raise the limit `{name}` to {value} or more"),
            Self::RetryAfter { seconds: 1 } => f.write_str("try again in 1 second"),
            Self::RetryAfter { seconds } => write!(f, "try again in {seconds} seconds"),
            Self::PlainHttp { registry } => write!(f, "if {registry} has no TLS, allow plain HTTP for it"),
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
