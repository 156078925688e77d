//! `porthole delete`

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    path::Path,
};

use clap::Args;
use porthole_core::{
    digest::Digest,
    failure::{Blame, Failure, FailureClass},
    hint::Hint,
    manifest::Document,
    reference::Reference,
};
use porthole_registry::{
    Error as Refusal,
    client::{Deletion, Untagged},
};
use serde_json::json;

use crate::{
    error::{Error, Told},
    output::print_json,
    session::{Client, Session},
    source::Spec,
    ui::safe,
};

/// Delete a tag, or a manifest by its digest, from a registry
///
/// Deleting a tag keeps the manifest and its other tags. If the registry deletes by digest only, the tag is first moved to an empty
/// image, which is then deleted. Deleting a digest deletes all its tags, and its entry in the fallback list of referrers. The registry's
/// own garbage collection frees the blobs.
///
/// Asks for confirmation. Without a terminal, --yes is required.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole delete registry.example.com/app:old
  porthole delete --yes localhost:5000/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
pub(crate) struct Arguments {
    /// Reference with a tag or a digest
    #[arg(value_name = "REF")]
    reference: OsString,
    /// Delete without confirmation
    #[arg(long, short)]
    yes: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let reference = parse(&arguments.reference)?;
    let may_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !arguments.yes && !may_ask {
        return Err(Error::usage("expected --yes, or a terminal to ask on"));
    }
    let client = session.client(&reference)?;
    let plan = session.runtime().block_on(Plan::make(&client, &reference, session))?;
    if !arguments.yes {
        ask(&plan, session)?;
    }
    let done = session.runtime().block_on(plan.carry_out(&client)).map_err(|refusal| explain(refusal, &plan))?;
    tell(&plan, &done, session)
}

/// Parses the reference to delete. The tag or digest must be typed: no default tag is assumed, because a deletion affects every
/// user of the registry.
fn parse(text: &OsString) -> Result<Reference, Error> {
    let reference = match Spec::parse(text, Path::exists)? {
        Spec::Registry(reference) => reference,
        Spec::Store { name } => {
            return Err(Error::usage(format!(
                "expected an image of a registry: use `porthole rm {name}` for the store"
            )));
        }
        _ => return Err(Error::usage("expected an image of a registry")),
    };
    let assumed = reference.tag() == Some("latest")
        && reference.digest().is_none()
        && !text.to_string_lossy().ends_with(":latest");
    if assumed {
        return Err(Error::usage(format!("expected a tag or a digest, as in `{}`", reference.familiar())));
    }
    Ok(reference)
}

/// A tag or manifest to delete, and its context.
struct Plan {
    reference: Reference,
    target: Target,
    /// `None` if the document is malformed or does not have the right digest.
    document: Option<Document>,
    /// The tags that point to the digest. `None` if they are unknown, for example because too many tags would have to be asked for.
    tags: Option<Vec<String>>,
}

enum Target {
    Tag(String),
    Digest(Digest),
}

impl Plan {
    async fn make(client: &Client, reference: &Reference, session: &Session<'_>) -> Result<Self, Refusal> {
        let document = match client.fetch_document(reference).await {
            Ok(document) => Some(document),
            // A document that is malformed or has another digest can be deleted as well.
            Err(Refusal::Document { .. } | Refusal::Mismatch { .. }) => None,
            Err(error) => return Err(error),
        };
        let target = match reference.digest() {
            Some(digest) => Target::Digest(*digest),
            None => Target::Tag(reference.target()),
        };
        let mut plan = Self { reference: reference.clone(), target, document, tags: None };
        if let Some(digest) = plan.digest() {
            plan.tags = client.find_tags(reference, &digest, CHEAP).await.unwrap_or_else(|error| {
                session.debug(&format!("does not know the other tags: {error}"));
                None
            });
        }
        Ok(plan)
    }

    fn digest(&self) -> Option<Digest> {
        match &self.target {
            Target::Digest(digest) => Some(*digest),
            Target::Tag(_) => self.document.as_ref().map(|document| *document.raw().digest()),
        }
    }

    /// The tags that point to the same manifest, except the one to delete.
    fn other_tags(&self) -> Option<Vec<&str>> {
        let own = match &self.target {
            Target::Tag(tag) => Some(tag.as_str()),
            Target::Digest(_) => None,
        };
        self.tags.as_ref().map(|tags| tags.iter().map(String::as_str).filter(|tag| Some(*tag) != own).collect())
    }

    fn repository(&self) -> String {
        format!("{}/{}", self.reference.registry(), self.reference.repository())
    }

    async fn carry_out(&self, client: &Client) -> Result<Done, Refusal> {
        match &self.target {
            Target::Tag(tag) => {
                let Some(before) = &self.document else {
                    return by_name(client, &self.reference, tag).await.map(|()| Done { by: "tag", subject: None });
                };
                let by = match client.delete_tag(&self.reference, tag, before).await? {
                    Untagged::ByName => "tag",
                    Untagged::WithDecoy => "throw-away",
                };
                Ok(Done { by, subject: None })
            }
            Target::Digest(digest) => {
                by_name(client, &self.reference, &digest.to_string()).await?;
                let subject = match &self.document {
                    Some(Document::Index(index)) => index.value.subject.as_ref(),
                    Some(Document::Manifest(manifest)) => manifest.value.subject.as_ref(),
                    None => None,
                };
                let Some(subject) = subject.map(|subject| subject.digest) else {
                    return Ok(Done { by: "digest", subject: None });
                };
                let listed = client.remove_fallback(&self.reference, &subject, digest).await?;
                Ok(Done { by: "digest", subject: listed.then_some(subject) })
            }
        }
    }
}

async fn by_name(client: &Client, reference: &Reference, target: &str) -> Result<(), Refusal> {
    match client.delete_manifest(reference, target).await? {
        Deletion::Done => Ok(()),
        Deletion::Unsupported { message } => Err(Refusal::Status {
            registry: reference.registry().to_owned(),
            what: porthole_registry::error::Subject::new("manifest", target),
            status: 405,
            message,
        }),
    }
}

/// How the deletion was done.
struct Done {
    by: &'static str,
    /// The subject from whose fallback list of referrers the manifest was removed.
    subject: Option<Digest>,
}

fn ask(plan: &Plan, session: &Session<'_>) -> Result<(), Error> {
    session.ui.ask(&format!("{} [y/N] ", safe(&question(plan))));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(Error::stdin)?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Error::Refused("nothing was deleted"))
}

fn question(plan: &Plan) -> String {
    let others = plan.other_tags();
    let named = others.as_deref().filter(|tags| !tags.is_empty()).map(|tags| tags.join(", "));
    match (&plan.target, plan.digest()) {
        (Target::Tag(tag), Some(digest)) => {
            let stays = named.map(|tags| format!(" It stays as {tags}.")).unwrap_or_default();
            format!("Delete the tag {tag} of {}, which is {digest}?{stays}", plan.repository())
        }
        (Target::Tag(tag), None) => format!("Delete the tag {tag} of {}?", plan.repository()),
        (Target::Digest(digest), _) => {
            let with = match (named, others) {
                (Some(tags), _) => format!(", and with it {tags}"),
                (None, Some(_)) => String::new(),
                (None, None) => ", and with it every tag that stands for it".to_owned(),
            };
            format!("Delete {digest} of {}{with}?", plan.repository())
        }
    }
}

fn tell(plan: &Plan, done: &Done, session: &Session<'_>) -> Result<(), Error> {
    let mut out = session.ui.out();
    let others = plan.other_tags();
    if session.ui.json {
        print_json(
            &mut out,
            &json!({
                "reference": plan.reference.to_string(),
                "digest": plan.digest().map(|digest| digest.to_string()),
                "deleted": match plan.target { Target::Tag(_) => "tag", Target::Digest(_) => "manifest" },
                "by": done.by,
                "other_tags": others,
                "no_longer_refers_to": done.subject.map(|subject| subject.to_string()),
            }),
        )?;
        return Ok(out.flush()?);
    }
    writeln!(out, "deleted {}", safe(&plan.reference.to_string()))?;
    let named = others.filter(|tags| !tags.is_empty()).map(|tags| tags.join(", "));
    match (&plan.target, named) {
        (Target::Tag(_), Some(tags)) => writeln!(out, "its manifest stays as {}", safe(&tags))?,
        (Target::Digest(_), Some(tags)) => writeln!(out, "and with it {}", safe(&tags))?,
        (_, None) => {}
    }
    if let Some(subject) = done.subject {
        writeln!(out, "no longer listed as a referrer of {subject}")?;
    }
    Ok(out.flush()?)
}

/// Explains status 405, by which a registry refuses all deletions. Its own message is usually too short to help.
fn explain(refusal: Refusal, plan: &Plan) -> Error {
    let Refusal::Status { registry, status: 405, message, .. } = refusal else { return refusal.into() };
    let hint = "its operator can enable it (Docker's registry: REGISTRY_STORAGE_DELETE_ENABLED=true); hosted ones often delete in their own web page or API only";
    Told {
        message: format!("{registry} does not delete `{}`: {message}", plan.reference.familiar()),
        failure: Failure::new(FailureClass::Protocol, Blame::Registry).hint(Hint::Text(hint.to_owned())),
    }
    .into()
}

/// Maximum number of tags whose digests are asked for, because each takes a request.
const CHEAP: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(reference: &str, tags: Option<&[&str]>) -> Plan {
        let reference: Reference = reference.parse().unwrap();
        let target =
            reference.digest().map_or_else(|| Target::Tag(reference.target()), |digest| Target::Digest(*digest));
        let tags = tags.map(|tags| tags.iter().map(|&tag| tag.to_owned()).collect());
        Plan { reference, target, document: None, tags }
    }

    #[test]
    fn questions_name_what_is_lost() {
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let pinned = format!("r.example.com/a@{digest}");
        for (reference, tags, expected) in [
            ("r.example.com/a:1", None, "Delete the tag 1 of r.example.com/a?".to_owned()),
            (&pinned, None, format!("Delete {digest} of r.example.com/a, and with it every tag that stands for it?")),
            (&pinned, Some([].as_slice()), format!("Delete {digest} of r.example.com/a?")),
            (&pinned, Some(&["1", "2"]), format!("Delete {digest} of r.example.com/a, and with it 1, 2?")),
        ] {
            assert_eq!(question(&plan(reference, tags)), expected);
        }
    }

    #[test]
    fn nothing_is_assumed() {
        let words =
            |text: &str| parse(&text.into()).map(|reference| reference.to_string()).map_err(|error| error.to_string());
        assert_eq!(words("r.example.com/a:latest"), Ok("r.example.com/a:latest".to_owned()));
        assert_eq!(
            words("r.example.com/a"),
            Err("expected a tag or a digest, as in `r.example.com/a:latest`".to_owned())
        );
        assert!(words("store:a").unwrap_err().contains("`porthole rm a`"));
        for text in ["oci:a", "layer:a", "./a"] {
            assert_eq!(words(text), Err("expected an image of a registry".to_owned()), "{text}");
        }
        assert_eq!(plan("r.example.com/a:1", Some(&["1", "2"])).other_tags(), Some(vec!["2"]));
    }
}
