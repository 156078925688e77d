//! Discovery and deletion: catalog, referrers, `DELETE`.

use super::{Answer, Site};
use serde_json::Value;

/// What clients may delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deletes {
    /// Manifests, tags and blobs can be deleted.
    #[default]
    All,
    /// Manifests and blobs can be deleted by digest; deleting a tag returns this status.
    Digests(u16),
    /// Nothing can be deleted.
    Nothing,
}

/// Configuration of a site's discovery endpoints.
#[derive(Clone, Default)]
pub(super) struct Discovery {
    /// Status of `_catalog`, if it is refused.
    catalog: Option<u16>,
    /// Whether `artifactType` filters referrers.
    filters: bool,
    deletes: Deletes,
}

impl Site {
    /// Refuses `_catalog` with this status.
    pub fn without_catalog(mut self, status: u16) -> Self {
        self.discovery.catalog = Some(status);
        self
    }

    /// Serves the referrers API with filtering by type.
    pub fn with_filtered_referrers(mut self) -> Self {
        self.discovery.filters = true;
        self.with_referrers()
    }

    /// Sets what clients may delete.
    pub fn deletes(mut self, deletes: Deletes) -> Self {
        self.discovery.deletes = deletes;
        self
    }

    /// Answers `GET /v2/_catalog`.
    pub(super) fn list_repositories(&self, query: &str) -> Answer {
        if let Some(status) = self.discovery.catalog {
            return Answer::error(status, if status == 401 { "UNAUTHORIZED" } else { "UNSUPPORTED" });
        }
        let last = parameter(query, "last").unwrap_or_default();
        let rest: Vec<&String> = self.repositories.keys().filter(|name| name.as_str() > last).collect();
        let page = &rest[..rest.len().min(self.page.unwrap_or(usize::MAX))];
        let mut answer = Answer::json(200, &serde_json::json!({ "repositories": page }).to_string());
        if let (true, Some(last)) = (page.len() < rest.len(), page.last()) {
            answer.set("link", &format!(r#"</v2/_catalog?last={last}>; rel="next""#));
        }
        answer
    }

    /// Answers `GET …/referrers/<digest>`.
    pub(super) fn list_referrers(&self, name: &str, digest: &str, query: &str) -> Answer {
        if !self.referrers {
            return Answer::status(404);
        }
        let blobs = self.repositories.get(name).into_iter().flat_map(|content| content.blobs.values());
        let wanted = parameter(query, "artifactType").map(|text| text.replace("%2B", "+"));
        let filter = wanted.filter(|_| self.discovery.filters);
        let referrers: Vec<Value> = blobs
            .filter_map(|blob| {
                let document: Value = serde_json::from_slice(&blob.bytes).ok()?;
                (document["subject"]["digest"].as_str()? == digest).then(|| {
                    let mut descriptor = blob.descriptor();
                    for field in ["artifactType", "annotations"] {
                        descriptor[field] = document[field].clone();
                    }
                    descriptor
                })
            })
            .filter(|descriptor| filter.as_ref().is_none_or(|filter| descriptor["artifactType"] == **filter))
            .collect();
        let first: usize = parameter(query, "from").and_then(|from| from.parse().ok()).unwrap_or(0);
        let rest = referrers.get(first..).unwrap_or_default();
        let page = &rest[..rest.len().min(self.page.unwrap_or(usize::MAX))];
        let index = serde_json::json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": page });
        let mut answer = Answer::json(200, &index.to_string());
        answer.set("content-type", INDEX);
        if page.len() < rest.len() {
            let from = first + page.len();
            answer.set("link", &format!(r#"</v2/{name}/referrers/{digest}?from={from}>; rel="next""#));
        }
        if filter.is_some() {
            answer.set("oci-filters-applied", "artifactType");
        }
        answer
    }

    /// Answers `DELETE …/manifests/…` and `DELETE …/blobs/…`.
    pub(super) fn delete(&mut self, name: &str, target: &str) -> Answer {
        let is_digest = target.contains(':');
        match self.discovery.deletes {
            Deletes::Nothing => return Answer::error(405, "UNSUPPORTED"),
            Deletes::Digests(status) if !is_digest => return Answer::error(status, "UNSUPPORTED"),
            _ => {}
        }
        let Some(content) = self.repositories.get_mut(name) else { return Answer::error(404, "NAME_UNKNOWN") };
        let known = if is_digest {
            content.roots.retain(|root| root.blob.digest != target);
            content.blobs.remove(target).is_some()
        } else {
            let before = content.roots.len();
            content.roots.retain(|root| root.name.as_deref() != Some(target));
            content.roots.len() < before
        };
        if known { Answer::status(202) } else { Answer::error(404, "MANIFEST_UNKNOWN") }
    }
}

fn parameter<'q>(query: &'q str, wanted: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(wanted)?.strip_prefix('='))
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
