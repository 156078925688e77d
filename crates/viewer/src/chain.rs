//! The chain of proof, link by link.

use crate::protocol::{Chain, LayerState, LinkState, ProofLink, ProofStep};

impl Chain {
    /// A chain that waits for the answer to a tag or digest.
    pub fn begin(target: &str) -> Self {
        let link = |step, label: &str| ProofLink {
            step,
            state: LinkState::Waiting,
            digest: None,
            label: label.into(),
            mismatch: None,
            count: None,
        };
        let mut chain = Self {
            links: vec![
                link(ProofStep::Tag, target),
                link(ProofStep::Index, ""),
                link(ProofStep::Manifest, ""),
                link(ProofStep::Config, ""),
                link(ProofStep::Layers, ""),
            ],
            state: LinkState::Waiting,
        };
        chain.advance();
        chain
    }

    /// Marks a link as verified. The next one begins.
    pub fn verify(&mut self, step: ProofStep, digest: &str, label: &str) {
        if let Some(link) = self.link(step).filter(|link| link.state != LinkState::Unchecked) {
            link.state = LinkState::Verified;
            link.digest = Some(digest.into());
            if !label.is_empty() {
                link.label = label.into();
            }
        }
        self.advance();
    }

    /// The reference has a tag and a digest. The digest is fetched, so the tag stays unchecked.
    pub fn without_tag(&mut self) {
        if let Some(link) = self.link(ProofStep::Tag) {
            link.state = LinkState::Unchecked;
        }
        self.advance();
    }

    /// Takes the digest that the tag beside the digest `asked` stands for.
    pub fn compare_tag(&mut self, asked: &str, tagged: &str) {
        if let Some(link) = self.link(ProofStep::Tag) {
            link.digest = Some(tagged.into());
            if asked == tagged {
                link.state = LinkState::Verified;
            } else {
                link.mismatch = Some((asked.into(), tagged.into()));
            }
        }
        self.advance();
    }

    /// Names the digest of the next document, which is not verified yet.
    pub fn expect(&mut self, step: ProofStep, digest: &str) {
        if let Some(link) = self.link(step) {
            link.digest = Some(digest.into());
        }
    }

    /// Removes the link of the index: the reference names a manifest.
    pub fn without_index(&mut self) {
        self.links.retain(|link| link.step != ProofStep::Index);
        self.advance();
    }

    /// Marks the link in progress as wrong, and returns its step.
    pub fn fail(&mut self, mismatch: Option<(String, String)>) -> Option<ProofStep> {
        let link = self.links.iter_mut().find(|link| link.state == LinkState::Progress)?;
        link.state = LinkState::Wrong;
        link.mismatch = mismatch;
        let step = link.step;
        self.state = LinkState::Wrong;
        Some(step)
    }

    /// Takes the states of all layers.
    pub fn layers(&mut self, states: impl Iterator<Item = LayerState> + Clone) {
        let total = states.clone().count() as u32;
        let count = |wanted| states.clone().filter(|&state| state == wanted).count() as u32;
        let (verified, wrong) = (count(LayerState::Verified), count(LayerState::Wrong));
        let listed = count(LayerState::Listed);
        if let Some(link) = self.link(ProofStep::Layers) {
            link.count = Some((verified, total));
            link.state = match () {
                () if wrong > 0 => LinkState::Wrong,
                () if verified == total => LinkState::Verified,
                () if verified + listed == total => LinkState::Listed,
                () if verified + listed + count(LayerState::Stopped) + count(LayerState::Lost) == total => {
                    LinkState::Unchecked
                }
                () => LinkState::Progress,
            };
        }
        self.advance();
    }

    /// Takes how many layers were verified in an earlier look, and not in this one.
    pub fn recalled(&mut self, count: usize) {
        if let Some(link) = self.link(ProofStep::Layers) {
            link.label = if count == 0 { String::new() } else { format!("{count} on an earlier visit") };
        }
    }

    fn link(&mut self, step: ProofStep) -> Option<&mut ProofLink> {
        self.links.iter_mut().find(|link| link.step == step)
    }

    /// The first link that waits begins once all before it hold.
    fn advance(&mut self) {
        let open = self.links.iter_mut().find(|link| {
            link.state != LinkState::Verified && !(link.step == ProofStep::Tag && link.state == LinkState::Unchecked)
        });
        self.state = match open {
            None => LinkState::Verified,
            Some(link) => {
                if link.state == LinkState::Waiting {
                    link.state = LinkState::Progress;
                }
                link.state
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(chain: &Chain) -> Vec<(ProofStep, LinkState)> {
        chain.links.iter().map(|link| (link.step, link.state)).collect()
    }

    #[test]
    fn from_a_tag_to_the_layers() {
        let mut chain = Chain::begin("latest");
        assert_eq!(chain.links[0].state, LinkState::Progress);
        chain.verify(ProofStep::Tag, "sha256:1", "");
        chain.verify(ProofStep::Index, "sha256:1", "index");
        chain.expect(ProofStep::Manifest, "sha256:2");
        assert_eq!(chain.links[2].state, LinkState::Progress);
        chain.verify(ProofStep::Manifest, "sha256:2", "manifest");
        chain.verify(ProofStep::Config, "sha256:3", "config");
        chain.layers([LayerState::Verified, LayerState::Waiting].into_iter());
        assert_eq!(chain.links[4].count, Some((1, 2)));
        assert_eq!(chain.state, LinkState::Progress);
        chain.layers([LayerState::Verified, LayerState::Verified].into_iter());
        assert_eq!(chain.state, LinkState::Verified);
        assert_eq!(chain.links[0].label, "latest");
    }

    #[test]
    fn a_tag_beside_a_digest_is_verified_only_when_it_was_looked_up() {
        let mut chain = Chain::begin("1.2");
        chain.without_tag();
        assert_eq!(
            states(&chain)[..2],
            [(ProofStep::Tag, LinkState::Unchecked), (ProofStep::Index, LinkState::Progress)]
        );
        chain.verify(ProofStep::Tag, "sha256:1", "");
        chain.verify(ProofStep::Index, "sha256:1", "");
        assert_eq!(chain.links[0].state, LinkState::Unchecked);
        let mut moved = chain.clone();
        moved.compare_tag("sha256:1", "sha256:2");
        assert_eq!(moved.links[0].state, LinkState::Unchecked);
        assert_eq!(moved.links[0].mismatch, Some(("sha256:1".into(), "sha256:2".into())));
        chain.compare_tag("sha256:1", "sha256:1");
        assert_eq!(chain.links[0].state, LinkState::Verified);
    }

    #[test]
    fn a_manifest_needs_no_index() {
        let mut chain = Chain::begin("latest");
        chain.verify(ProofStep::Tag, "sha256:2", "");
        chain.without_index();
        assert_eq!(states(&chain)[1], (ProofStep::Manifest, LinkState::Progress));
    }

    #[test]
    fn the_link_in_progress_breaks() {
        let mut chain = Chain::begin("latest");
        chain.verify(ProofStep::Tag, "sha256:1", "");
        assert_eq!(chain.fail(Some(("a".into(), "b".into()))), Some(ProofStep::Index));
        assert_eq!(chain.state, LinkState::Wrong);
        assert_eq!(states(&chain)[2], (ProofStep::Manifest, LinkState::Waiting));
        assert_eq!(chain.fail(None), None);
    }

    #[test]
    fn one_wrong_layer_breaks_the_chain() {
        let mut chain = Chain::begin("latest");
        chain.verify(ProofStep::Tag, "sha256:1", "");
        chain.without_index();
        chain.verify(ProofStep::Manifest, "sha256:1", "");
        chain.verify(ProofStep::Config, "sha256:2", "");
        chain.layers([LayerState::Wrong, LayerState::Progress].into_iter());
        assert_eq!(chain.state, LinkState::Wrong);
    }

    #[test]
    fn a_listing_is_no_proof() {
        let mut chain = Chain::begin("latest");
        chain.without_index();
        for step in [ProofStep::Tag, ProofStep::Manifest, ProofStep::Config] {
            chain.verify(step, "sha256:1", "");
        }
        chain.layers([LayerState::Verified, LayerState::Listed, LayerState::Progress].into_iter());
        assert_eq!(chain.state, LinkState::Progress);
        chain.layers([LayerState::Verified, LayerState::Listed, LayerState::Verified].into_iter());
        assert_eq!(chain.state, LinkState::Listed);
        assert_eq!(chain.links[3].count, Some((2, 3)));
    }

    #[test]
    fn an_image_without_layers_is_whole() {
        let mut chain = Chain::begin("latest");
        chain.without_index();
        for step in [ProofStep::Tag, ProofStep::Manifest, ProofStep::Config] {
            chain.verify(step, "sha256:1", "");
        }
        chain.layers([].into_iter());
        assert_eq!(chain.state, LinkState::Verified);
    }
}
