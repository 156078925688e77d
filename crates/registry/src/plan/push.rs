//! What a push or a copy sends, in which order.
//!
//! A [`Planner`] asks for one document after the other, from the root down. The caller answers with the document, or
//! says that the destination has it with everything below. The [`PushPlan`] lists every blob once, and every document
//! after those it names: blobs before manifests, manifests before indexes, and the root, which gets the tag, last.

use super::descent::{Descent, Nesting};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    failure::{Classify, Failure},
    limits::Limits,
    manifest::Document,
    media_type::Role,
    platform::{NoMatch, Platform},
};
use std::collections::{HashMap, HashSet};

/// Collects what an image is made of.
#[derive(Debug)]
pub struct Planner {
    limits: Limits,
    /// The platform, until the image for it is chosen.
    choice: Option<Platform>,
    root: Option<Descriptor>,
    /// Documents that are still needed, the next one last, each with the indexes that led to it.
    pending: Vec<(Descriptor, Descent)>,
    known: HashMap<Digest, Known>,
    /// Referrers of the documents below the root; they are put before the root.
    beside: Vec<Digest>,
    blobs: Vec<Descriptor>,
    seen: HashSet<Digest>,
}

#[derive(Debug)]
enum Known {
    /// The destination has it.
    Present,
    Document(Box<Document>, Vec<Digest>),
}

/// What a push sends, in order.
#[derive(Clone, Debug)]
pub struct PushPlan {
    /// The document that the image's name will stand for.
    pub root: Descriptor,
    /// Configs and layers, each once, the largest first: then the last to end is a small one.
    pub blobs: Vec<Descriptor>,
    /// Layers whose licence forbids distribution.
    pub foreign: Vec<Descriptor>,
    /// Documents that the destination lacks, each after those that it names; the root, if it is one of them, is the
    /// last.
    pub documents: Vec<Document>,
}

impl Planner {
    /// Starts at a root. With a platform, the image for it takes the place of an index; without one, everything is wanted.
    pub fn new(root: Descriptor, platform: Option<Platform>, limits: Limits) -> Self {
        let descent = Descent::new(root.digest, &limits);
        Self {
            choice: platform.filter(|_| root.media_type.role() != Role::Manifest),
            limits,
            root: None,
            pending: vec![(root, descent)],
            known: HashMap::new(),
            beside: Vec::new(),
            blobs: Vec::new(),
            seen: HashSet::new(),
        }
    }

    /// The document that is needed next; `None` = nothing more is needed.
    pub fn next(&self) -> Option<&Descriptor> {
        self.pending.last().map(|(descriptor, _)| descriptor)
    }

    /// Whether the next document is not needed if the destination has it: not while the platform is still to be chosen.
    pub fn may_be_present(&self) -> bool {
        self.choice.is_none()
    }

    /// Notes that the destination has the next document, and with it all that it names.
    pub fn present(&mut self) {
        let Some((descriptor, _)) = self.pending.pop() else { return };
        self.known.insert(descriptor.digest, Known::Present);
        self.root.get_or_insert(descriptor);
    }

    /// Takes the next document, verified.
    ///
    /// # Errors
    /// [`Error`]: no image for the platform, or more documents, blobs or levels than the limits allow.
    pub fn document(&mut self, document: Document) -> Result<(), Error> {
        let Some((descriptor, mut descent)) = self.pending.pop() else { return Ok(()) };
        if let (Some(platform), Document::Index(index)) = (&self.choice, &document) {
            let chosen = descent.choose(&index.value, platform)?.clone();
            descent.enter(&chosen.digest)?;
            if chosen.media_type.role() == Role::Manifest {
                self.choice = None;
            }
            self.pending.push((chosen, descent));
            return Ok(());
        }
        self.choice = None;
        self.root.get_or_insert_with(|| descriptor.clone());
        let mut children = Vec::new();
        match &document {
            Document::Manifest(manifest) => {
                let parts = std::iter::once(&manifest.value.config).chain(&manifest.value.layers);
                for part in parts {
                    self.blob(part)?;
                }
            }
            Document::Index(index) => {
                // Taken from the end, so that documents come in the order of the index.
                for entry in index.value.manifests.iter().rev() {
                    // A cache of builds lists layers in an index.
                    if !matches!(entry.media_type.role(), Role::Manifest | Role::Index) {
                        self.blob(entry)?;
                        continue;
                    }
                    children.push(entry.digest);
                    let mut below = descent.clone();
                    below.enter(&entry.digest)?;
                    self.want(entry, below)?;
                }
                children.reverse();
            }
        }
        self.known.insert(descriptor.digest, Known::Document(Box::new(document), children));
        Ok(())
    }

    /// Adds a document beside the root: a manifest that refers to one of the image's documents.
    ///
    /// # Errors
    /// [`Error::TooMany`].
    pub fn beside(&mut self, referrer: &Descriptor) -> Result<(), Error> {
        if !self.beside.contains(&referrer.digest) {
            self.beside.push(referrer.digest);
            self.want(referrer, Descent::new(referrer.digest, &self.limits))?;
        }
        Ok(())
    }

    /// The manifests and indexes that were read, or that the destination has: others may refer to them.
    pub fn subjects(&self) -> impl Iterator<Item = &Digest> {
        self.known.keys()
    }

    fn want(&mut self, document: &Descriptor, descent: Descent) -> Result<(), Error> {
        if self.seen.insert(document.digest) {
            self.pending.push((document.clone(), descent));
        }
        self.count()
    }

    fn blob(&mut self, blob: &Descriptor) -> Result<(), Error> {
        if self.seen.insert(blob.digest) {
            self.blobs.push(blob.clone());
        }
        self.count()
    }

    fn count(&self) -> Result<(), Error> {
        let limit = self.limits.descriptors;
        if self.seen.len() as u64 > limit { Err(Error::TooMany { limit }) } else { Ok(()) }
    }

    /// Returns the plan; `None` if documents are still needed.
    pub fn finish(self) -> Option<PushPlan> {
        let root = self.root.filter(|_| self.pending.is_empty())?;
        let mut known = self.known;
        let mut documents = Vec::new();
        // Children before parents: a document is listed when it is met for the second time, after all below it.
        let mut stack: Vec<Digest> = std::iter::once(root.digest).chain(self.beside.into_iter().rev()).collect();
        let mut open: HashMap<Digest, Document> = HashMap::new();
        while let Some(digest) = stack.pop() {
            if let Some(document) = open.remove(&digest) {
                documents.push(document);
            } else if let Some(Known::Document(document, children)) = known.remove(&digest) {
                open.insert(digest, *document);
                stack.push(digest);
                stack.extend(children.into_iter().rev());
            }
        }
        let (foreign, mut blobs): (Vec<_>, Vec<_>) =
            self.blobs.into_iter().partition(|blob| blob.media_type.is_nondistributable());
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
        Some(PushPlan { root, blobs, foreign, documents })
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The index has no image for the platform.
    #[error(transparent)]
    Platform(#[from] NoMatch),
    /// Indexes list indexes too deep.
    #[error(transparent)]
    Nesting(#[from] Nesting),
    /// More blobs and manifests than one image may have.
    #[error("image has too many parts: expected at most {limit} blobs and manifests (limit descriptors)")]
    TooMany {
        /// The value of [`Limits::descriptors`].
        limit: u64,
    },
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Platform(error) => error.failure(),
            Self::Nesting(error) => error.failure(),
            Self::TooMany { limit } => Failure::named_limit("descriptors", *limit, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::{manifest::Raw, media_type::MediaType};

    /// Documents by their names, made as they are asked for.
    struct Source(HashMap<Digest, (&'static str, Document)>);

    fn blob(name: &str, size: u64) -> Descriptor {
        let kind = if name.starts_with("foreign") {
            MediaType::parse("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip").unwrap()
        } else {
            MediaType::OCI_LAYER
        };
        Descriptor::new(kind, Digest::sha256(name.as_bytes()), size)
    }

    fn json(descriptor: &Descriptor) -> String {
        let platform = descriptor.platform.as_ref().map(|platform| {
            format!(r#","platform":{{"os":"{}","architecture":"{}"}}"#, platform.os, platform.architecture)
        });
        format!(
            r#"{{"mediaType":"{}","digest":"{}","size":{}{}}}"#,
            descriptor.media_type,
            descriptor.digest,
            descriptor.size,
            platform.unwrap_or_default()
        )
    }

    impl Source {
        fn new() -> Self {
            Self(HashMap::new())
        }

        fn add(&mut self, name: &'static str, text: String) -> Descriptor {
            let document = Document::parse(Raw::trust_on_first_use(text.into_bytes()), None).unwrap();
            let raw = document.raw();
            let descriptor = Descriptor::new(document.media_type().clone(), *raw.digest(), raw.size());
            self.0.insert(descriptor.digest, (name, document));
            descriptor
        }

        fn manifest(&mut self, name: &'static str, architecture: &str, layers: &[Descriptor]) -> Descriptor {
            let layers: Vec<String> = layers.iter().map(json).collect();
            let config = json(&blob(&format!("config of {name}"), 10));
            let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{}]}}"#, layers.join(","));
            let platform = Some(Platform::new("linux", architecture, None));
            Descriptor { platform, ..self.add(name, text) }
        }

        fn index(&mut self, name: &'static str, entries: &[Descriptor]) -> Descriptor {
            let entries: Vec<String> = entries.iter().map(json).collect();
            self.add(name, format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(",")))
        }

        /// Names of documents in the order of the plan, and sizes of its blobs.
        fn plan(
            &self,
            root: &Descriptor,
            platform: Option<&str>,
            present: &[&Descriptor],
            beside: &[&Descriptor],
        ) -> Result<(Vec<&'static str>, Vec<u64>, &'static str), Error> {
            let platform = platform.map(|architecture| Platform::new("linux", architecture, None));
            let mut planner = Planner::new(root.clone(), platform, Limits::default());
            let mut beside = beside.iter();
            loop {
                while let Some(next) = planner.next() {
                    let digest = next.digest;
                    if planner.may_be_present() && present.iter().any(|there| there.digest == digest) {
                        planner.present();
                    } else {
                        planner.document(self.0[&digest].1.clone())?;
                    }
                }
                let Some(referrer) = beside.next() else { break };
                planner.beside(referrer)?;
            }
            let plan = planner.finish().unwrap();
            let names = plan.documents.iter().map(|document| self.0[document.raw().digest()].0).collect();
            Ok((names, plan.blobs.iter().map(|blob| blob.size).collect(), self.0[&plan.root.digest].0))
        }
    }

    #[test]
    fn orders() {
        let mut source = Source::new();
        let amd = source.manifest("amd64", "amd64", &[blob("base", 100), blob("top", 300)]);
        let arm = source.manifest("arm64", "arm64", &[blob("base", 100), blob("foreign", 999), blob("base", 100)]);
        let inner = source.index("inner", &[arm.clone(), amd.clone()]);
        let outer = source.index("outer", &[inner.clone(), amd.clone(), blob("cache", 50)]);
        let signature = source.manifest("signature", "", &[blob("payload", 1)]);
        for (root, platform, present, beside, documents, blobs, named) in [
            (&amd, None, vec![], vec![], vec!["amd64"], vec![300, 100, 10], "amd64"),
            (&inner, None, vec![], vec![], vec!["arm64", "amd64", "inner"], vec![300, 100, 10, 10], "inner"),
            (
                &outer,
                None,
                vec![],
                vec![],
                vec!["arm64", "amd64", "inner", "outer"],
                vec![300, 100, 50, 10, 10],
                "outer",
            ),
            // The image for a platform takes the index's place, however deep it is.
            (&outer, Some("arm64"), vec![], vec![], vec!["arm64"], vec![100, 10], "arm64"),
            (&amd, Some("arm64"), vec![], vec![], vec!["amd64"], vec![300, 100, 10], "amd64"),
            // A document that the destination has is not read.
            (&outer, None, vec![&outer], vec![], vec![], vec![], "outer"),
            (&outer, None, vec![&inner], vec![], vec!["amd64", "outer"], vec![300, 100, 50, 10], "outer"),
            (&outer, Some("arm64"), vec![&arm, &outer], vec![], vec![], vec![], "arm64"),
            // Referrers go before the root, so that the tag is last.
            (&amd, None, vec![], vec![&signature], vec!["signature", "amd64"], vec![300, 100, 10, 10, 1], "amd64"),
            (&amd, None, vec![&amd], vec![&signature, &signature], vec!["signature"], vec![10, 1], "amd64"),
        ] {
            let got = source.plan(root, platform, &present, &beside).unwrap();
            assert_eq!(got, (documents, blobs, named));
        }
        let error = source.plan(&outer, Some("s390x"), &[], &[]).unwrap_err();
        assert!(matches!(error, Error::Platform(_)), "{error}");
    }

    #[test]
    fn depth_and_number_are_limited() {
        let mut source = Source::new();
        let mut root = source.manifest("image", "amd64", &[blob("a", 1)]);
        let mut deepest = Ok(());
        for depth in 0..=8 {
            root =
                Descriptor { platform: Some(Platform::new("linux", "amd64", None)), ..source.index("index", &[root]) };
            for platform in [None, Some("amd64")] {
                deepest = source.plan(&root, platform, &[], &[]).map(|_| ());
                assert_eq!(deepest.is_ok(), depth < 8, "{depth}");
            }
        }
        assert_eq!(deepest, Err(Nesting { limit: 8 }.into()));
        let many: Vec<Descriptor> = (0..3333_u64).map(|n| blob(&format!("{n}"), n)).collect();
        let mut images = Vec::new();
        for chunk in 0..4_u64 {
            let layers: Vec<Descriptor> =
                many.iter().map(|layer| blob(&format!("{chunk} {}", layer.size), layer.size)).collect();
            images.push(source.manifest("many", "amd64", &layers));
        }
        let root = source.index("too many", &images);
        assert_eq!(source.plan(&root, None, &[], &[]).unwrap_err(), Error::TooMany { limit: 10_000 });
    }

    #[test]
    fn no_plan_before_everything_is_known() {
        let mut source = Source::new();
        let amd = source.manifest("amd64", "amd64", &[blob("base", 100)]);
        let root = source.index("index", &[amd]);
        let mut planner = Planner::new(root.clone(), None, Limits::default());
        planner.document(source.0[&root.digest].1.clone()).unwrap();
        assert!(planner.finish().is_none());
    }
}
