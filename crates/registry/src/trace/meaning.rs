//! What an exchange is for and its outcome, in words for a person who has not read the specification.

use super::{Reason, RecordedExchange, record::DROPPED};
use std::collections::BTreeMap;

impl RecordedExchange {
    /// What it is for and its outcome. `names` says what documents and layers are, by digest.
    pub fn meaning(&self, names: &BTreeMap<String, String>) -> String {
        let asks = self.purpose(names);
        let again = match &self.reason {
            Some(Reason::Retry { attempt, .. }) => format!("try {attempt}: "),
            _ => String::new(),
        };
        let how = match &self.reason {
            Some(Reason::Challenge) => " again, with authorization".to_owned(),
            Some(Reason::Redirect { .. }) => format!(" at the address that it was sent to, on {}", host(&self.url)),
            _ => String::new(),
        };
        // The body of a refusal or a redirect is not read to its end anyway.
        let wanted = self.status().is_some_and(|status| (200..300).contains(&status));
        let cut = self.end.as_ref().and_then(|end| end.cut.as_deref()).filter(|cut| wanted || *cut != DROPPED);
        let end = cut.map(|cut| format!("; {cut}")).unwrap_or_default();
        match self.outcome() {
            Some(outcome) => format!("{again}{asks}{how}: {outcome}{end}"),
            None => format!("{again}{asks}{how}{end}"),
        }
    }

    fn purpose(&self, names: &BTreeMap<String, String>) -> String {
        let named = |what: &str| names.get(&self.name).cloned().unwrap_or_else(|| format!("{what} {}", self.name));
        let part = match self.asked("range").and_then(|range| range.strip_prefix("bytes=")) {
            Some(range) => format!("bytes {range} of "),
            None => String::new(),
        };
        match (self.step.as_str(), self.method.as_str()) {
            ("manifest", method @ ("GET" | "HEAD")) => match self.name.rsplit_once('@') {
                Some((_, digest)) => {
                    format!("reads {}", names.get(digest).cloned().unwrap_or_else(|| format!("document {digest}")))
                }
                None if self.name.starts_with("sha") => format!("reads {}", named("document")),
                None => {
                    let tag = self.name.rsplit_once(':').map_or(self.name.as_str(), |(_, tag)| tag);
                    let what = if method == "HEAD" { "which digest" } else { "what" };
                    format!("asks {what} the tag {tag} stands for")
                }
            },
            ("config", _) => "reads the configuration".to_owned(),
            ("blob", "GET") => format!("reads {part}{}", named("blob")),
            ("blob", "HEAD") => format!("asks whether {} is there", named("blob")),
            ("token", _) => format!("asks {} for a token", host(&self.url)),
            ("tags", _) => "lists the tags".to_owned(),
            ("referrers", _) => format!("lists what refers to {}", named("document")),
            ("repositories", _) => "lists the repositories".to_owned(),
            ("sign-in", _) => "tries to sign in".to_owned(),
            (step, method) => format!("{} {step} {}", method.to_ascii_lowercase(), self.name),
        }
    }

    fn outcome(&self) -> Option<String> {
        let head = match self.answer.as_ref()? {
            Ok(head) => head,
            Err(failure) => return Some(format!("no answer: {failure}")),
        };
        let media_type = self.answered("content-type").unwrap_or_default();
        Some(match head.status {
            200 if self.step == "token" => "it is granted".to_owned(),
            200 if media_type.contains("index") || media_type.contains("manifest.list") => {
                "an index, which names an image for each platform".to_owned()
            }
            200 if self.step == "manifest" && media_type.contains("manifest") => {
                "the manifest of an image, which names its configuration and layers".to_owned()
            }
            200 if self.asked("range").is_some() => "all of it, because the server ignores ranges".to_owned(),
            200..=205 => return None,
            206 => "the range".to_owned(),
            301..=303 | 307 | 308 => match self.answered("location").map(host) {
                Some(host) => format!("it is at another address, on {host}"),
                None => "it is at another address, which the answer does not name".to_owned(),
            },
            304 => "it has not changed".to_owned(),
            401 if self.asked("authorization").is_some() => "what was sent is not accepted".to_owned(),
            401 => match self.answered("www-authenticate").map(str::to_ascii_lowercase) {
                Some(challenge) if challenge.contains("bearer") => "the registry wants a token first".to_owned(),
                Some(challenge) if challenge.contains("basic") => {
                    "the registry wants a user name and password".to_owned()
                }
                _ => "the registry wants authorization".to_owned(),
            },
            403 => "refused".to_owned(),
            404 => "it is not there".to_owned(),
            416 => "there are no such bytes".to_owned(),
            429 => "too many requests".to_owned(),
            status @ 500.. => format!("the server failed with status {status}"),
            status => format!("status {status}"),
        })
    }
}

/// The host of an absolute URL, or of what is relative to one.
fn host(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return "the same host" };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{RecordedAnswer, RecordedEnd};
    use std::time::Duration;

    const LAYER: &str = "sha256:aa";

    fn exchange(step: &str, name: &str, url: &str, status: u16, fields: &[(&str, &str)]) -> RecordedExchange {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let answer = RecordedAnswer {
            status,
            version: String::new(),
            fields,
            connection: None,
            peer: None,
            connect: None,
            tls: None,
        };
        RecordedExchange {
            registry: "r.example".into(),
            step: step.into(),
            name: name.into(),
            method: "GET".into(),
            url: url.into(),
            fields: Vec::new(),
            length: 0,
            reason: None,
            sent: Duration::ZERO,
            waited: Some(Duration::ZERO),
            answer: Some(Ok(answer)),
            end: None,
        }
    }

    #[test]
    fn steps_of_a_pull() {
        let names = BTreeMap::from([(LAYER.to_owned(), "layer 1 of 2".to_owned())]);
        let index = [("content-type", "application/vnd.oci.image.index.v1+json")];
        let wants = [("www-authenticate", "bearer realm=\"https://auth.example/token\"")];
        let moved = [("location", "https://cdn.example/x?sig=***")];
        let url = "https://r.example/v2/";
        let token = "https://auth.example/token?scope=x";
        let (tag, blob) = ("r.example/a/b:1.2", LAYER);
        for (exchange, meaning) in [
            (
                exchange("manifest", tag, url, 401, &wants),
                "asks what the tag 1.2 stands for: the registry wants a token first",
            ),
            (exchange("token", "`pull`", token, 200, &[]), "asks auth.example for a token: it is granted"),
            (
                RecordedExchange { reason: Some(Reason::Challenge), ..exchange("manifest", tag, url, 200, &index) },
                "asks what the tag 1.2 stands for again, with authorization: an index, which names an image for each platform",
            ),
            (exchange("config", "sha256:bb", url, 200, &[]), "reads the configuration"),
            (exchange("blob", blob, url, 307, &moved), "reads layer 1 of 2: it is at another address, on cdn.example"),
            (
                RecordedExchange {
                    reason: Some(Reason::Redirect { hop: 1 }),
                    fields: vec![("range".into(), "bytes=5-9".into())],
                    ..exchange("blob", blob, "https://cdn.example/x", 206, &[])
                },
                "reads bytes 5-9 of layer 1 of 2 at the address that it was sent to, on cdn.example: the range",
            ),
            (
                RecordedExchange {
                    reason: Some(Reason::Retry { attempt: 2, because: "status 503".into() }),
                    end: Some(RecordedEnd { after: Duration::ZERO, bytes: 1, cut: Some("connection broken".into()) }),
                    ..exchange("blob", "sha256:cc", url, 200, &[])
                },
                "try 2: reads blob sha256:cc; connection broken",
            ),
            (
                RecordedExchange { answer: Some(Err("timed out".into())), ..exchange("tags", "a", url, 0, &[]) },
                "lists the tags: no answer: timed out",
            ),
            (exchange("manifest", "r.example/a@sha256:aa", url, 404, &[]), "reads layer 1 of 2: it is not there"),
        ] {
            assert_eq!(exchange.meaning(&names), meaning);
        }
    }
}
