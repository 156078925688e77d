//! How an image is read: its manifest, and its blobs.

use crate::{
    Error,
    client::Probed,
    endpoint::manifest::{self, Accept},
    redirect,
    transport::{Environment, Transport},
};
use http::Method;
use porthole_core::{descriptor::Descriptor, failure::FailureClass, manifest::Document, media_type::Role};

use super::{
    examined::ExaminedRegistry,
    finding::{ProbeFinding, ProbeName},
};

/// An image that could be read.
pub struct SampledImage {
    /// What its name stands for: an index or a manifest.
    pub document: Document,
    /// A blob of it of more than a few bytes, if there is one.
    pub blob: Option<Descriptor>,
}

/// Whether the manifest can be read, and the image. If HEAD says that no pull is left, none is tried.
pub async fn manifest<T: Transport + Environment>(
    registry: &ExaminedRegistry<'_, T>,
    head: &Result<Probed, Error>,
) -> (ProbeFinding, Option<SampledImage>) {
    if head.as_ref().is_ok_and(|head| head.status == 429) {
        let finding =
            ProbeFinding::no(ProbeName::Manifest, "is refused: too many requests").because(FailureClass::RateLimit);
        return (finding, None);
    }
    let document = match registry.client.fetch_document(&registry.reference).await {
        Ok(document) => document,
        Err(error) => {
            return (ProbeFinding::no(ProbeName::Manifest, format!("cannot be read: {error}")).fatal(&error), None);
        }
    };
    let digest = document.raw().digest().to_string();
    let finding = ProbeFinding::ok(ProbeName::Manifest, format!("is {digest}"))
        .with("digest", digest)
        .with("media_type", document.media_type().as_str())
        .with("size", document.raw().size());
    let child = match &document {
        Document::Index(index) => {
            let is_manifest = |entry: &&Descriptor| entry.media_type.role() == Role::Manifest;
            match index.value.manifests.iter().find(is_manifest) {
                Some(entry) => registry.client.fetch_child(&registry.reference, entry).await.ok(),
                None => None,
            }
        }
        Document::Manifest(_) => None,
    };
    let blob = match child.as_ref().unwrap_or(&document) {
        Document::Manifest(manifest) => {
            let value = &manifest.value;
            value
                .layers
                .iter()
                .chain([&value.config])
                .find(|blob| blob.size > SMALLEST && blob.urls.is_empty())
                .cloned()
        }
        Document::Index(_) => None,
    };
    (finding, Some(SampledImage { document, blob }))
}

/// Asks for the head of the manifest, of which several findings are made.
pub async fn fetch_head<T: Transport + Environment>(registry: &ExaminedRegistry<'_, T>) -> Result<Probed, Error> {
    let path = registry.path(&format!("manifests/{}", registry.reference.target()));
    registry.ask(Method::HEAD, &path, &[("accept", Accept::All.value())], registry.reader()).await
}

/// Whether HEAD returns the digest of a tag.
pub fn head(answer: &Result<Probed, Error>, sample: &SampledImage) -> ProbeFinding {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return ProbeFinding::failed(ProbeName::Head, error),
    };
    if !answer.status.is_success() {
        let says = format!("HEAD is answered {}: a digest takes a download", answer.status.as_u16());
        return ProbeFinding::no(ProbeName::Head, says);
    }
    let digest = sample.document.raw().digest();
    let got = manifest::read(&answer.headers).digest;
    match got {
        Some(got) if got == *digest => {
            ProbeFinding::ok(ProbeName::Head, "HEAD returns the digest: watching a tag takes no download")
        }
        Some(got) if got.algorithm() != digest.algorithm() => {
            ProbeFinding::unknown(ProbeName::Head, format!("HEAD returns a digest of another algorithm: {got}"))
        }
        Some(got) => {
            ProbeFinding::no(ProbeName::Head, format!("HEAD returns another digest than the manifest has: {got}"))
        }
        None => ProbeFinding::no(ProbeName::Head, "HEAD returns no Docker-Content-Digest: a digest takes a download"),
    }
}

/// Whether conditional requests work.
pub async fn conditional<T: Transport + Environment>(
    registry: &ExaminedRegistry<'_, T>,
    head: &Result<Probed, Error>,
    sample: &SampledImage,
) -> ProbeFinding {
    let told = head.as_ref().ok().and_then(|head| head.header("etag")).map(str::to_owned);
    let etag = told.unwrap_or_else(|| format!("\"{}\"", sample.document.raw().digest()));
    let path = registry.path(&format!("manifests/{}", registry.reference.target()));
    let headers = [("accept", Accept::All.value()), ("if-none-match", etag.as_str())];
    match registry.ask(Method::HEAD, &path, &headers, registry.reader()).await {
        Err(error) => ProbeFinding::failed(ProbeName::Conditional, &error),
        Ok(answer) if answer.status == 304 => {
            ProbeFinding::ok(ProbeName::Conditional, "says 304 of what has not changed")
        }
        Ok(answer) if answer.status.is_success() => ProbeFinding::no(
            ProbeName::Conditional,
            "ignores If-None-Match: an unchanged manifest is recognised by its digest only",
        ),
        Ok(answer) => ProbeFinding::unknown(
            ProbeName::Conditional,
            format!("If-None-Match is answered {}", answer.status.as_u16()),
        ),
    }
}

/// Whether ranges of a blob work.
pub async fn range<T: Transport + Environment>(registry: &ExaminedRegistry<'_, T>, blob: &Descriptor) -> ProbeFinding {
    let mut range = match registry.client.fetch_blob_range(&registry.reference, blob, 1..SMALLEST).await {
        Ok(range) => range,
        Err(error @ (Error::Protocol { .. } | Error::OutOfRange { .. })) => {
            return ProbeFinding::no(ProbeName::Range, format!("answers a range wrongly: {error}"));
        }
        Err(error) => return ProbeFinding::failed(ProbeName::Range, &error),
    };
    let whole = range.is_whole_blob();
    let odd = range.odd_answer().map(|odd| format!("answers a range wrongly, and sends the whole blob only: {odd}"));
    let mut buffer = [0; 16];
    match range.read(&mut buffer).await {
        Err(error) => ProbeFinding::failed(ProbeName::Range, &error),
        Ok(_) if let Some(odd) = odd => ProbeFinding::no(ProbeName::Range, odd),
        Ok(_) if whole => ProbeFinding::no(
            ProbeName::Range,
            "sends whole blobs only: interrupted downloads start again, and a file costs its layer",
        ),
        Ok(_) => ProbeFinding::ok(
            ProbeName::Range,
            "sends parts of blobs: interrupted downloads resume, and a file costs only its part of a layer",
        ),
    }
}

/// Where blobs come from.
pub async fn blobs<T: Transport + Environment>(registry: &ExaminedRegistry<'_, T>, blob: &Descriptor) -> ProbeFinding {
    let path = registry.path(&format!("blobs/{}", blob.digest));
    let answer = match registry.ask(Method::GET, &path, &[], registry.reader()).await {
        Ok(answer) => answer,
        Err(error) => return ProbeFinding::failed(ProbeName::Blobs, &error),
    };
    match redirect::target(&answer.url, answer.status, &answer.headers) {
        Some(Ok(to)) if to.origin() == answer.url.origin() => {
            ProbeFinding::ok(ProbeName::Blobs, "come from the registry itself, after a redirect")
        }
        Some(Ok(to)) => {
            let place = to.origin().to_string();
            ProbeFinding::ok(ProbeName::Blobs, format!("come from {place}, which must be reachable as well"))
                .with("from", place)
        }
        Some(Err(error)) => ProbeFinding::no(ProbeName::Blobs, format!("come from a place that is refused: {error}")),
        None if answer.status.is_success() => ProbeFinding::ok(ProbeName::Blobs, "come from the registry itself"),
        None => {
            ProbeFinding::no(ProbeName::Blobs, format!("are answered {}: {}", answer.status.as_u16(), answer.words()))
        }
    }
}

/// How much more may be asked for.
pub fn quota(head: &Result<Probed, Error>) -> ProbeFinding {
    let Ok(head) = head else { return ProbeFinding::unknown(ProbeName::Quota, "no answer") };
    let number = |names: [&str; 2]| {
        let value = names.iter().find_map(|name| head.header(name))?;
        value.split([';', ',']).next()?.trim().parse::<u64>().ok()
    };
    let limit = number(["ratelimit-limit", "x-ratelimit-limit"]);
    let left = number(["ratelimit-remaining", "x-ratelimit-remaining"]);
    let finding = match (limit, left) {
        _ if head.status == 429 => ProbeFinding::no(ProbeName::Quota, "has been used up"),
        (_, Some(0)) => ProbeFinding::no(ProbeName::Quota, "has been used up: pulls will be refused for a while"),
        (Some(limit), Some(left)) => ProbeFinding::ok(ProbeName::Quota, format!("{left} of {limit} pulls are left")),
        (None, Some(left)) => ProbeFinding::ok(ProbeName::Quota, format!("{left} pulls are left")),
        (Some(limit), None) => {
            ProbeFinding::unknown(ProbeName::Quota, format!("of {limit} pulls; the remaining number is not stated"))
        }
        (None, None) => ProbeFinding::unknown(ProbeName::Quota, "states no limit of pulls"),
    };
    let finding = limit.into_iter().fold(finding, |finding, limit| finding.with("limit", limit));
    left.into_iter().fold(finding, |finding, left| finding.with("remaining", left))
}

/// Bytes that a blob must have more than, for a part of it to be a part.
const SMALLEST: u64 = 4;
