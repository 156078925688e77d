//! Checking signatures of Notation: by the signer's own key or certificate.
//!
//! An authority's certificate is not enough: it vouches for the signer at a time, and nothing that is read here proves when the signature was made.

use super::{NO_KEY, Outcome, SignatureCheck, Signer};
use crate::{demand::Demand, evidence::NotationSignature};
use porthole_core::digest::Digest;

pub(super) fn check(found: &NotationSignature, image: &Digest, demand: &Demand) -> SignatureCheck {
    if found.image != *image {
        return Outcome::Wrong(format!("the signed payload names another image, {}", found.image)).into();
    }
    let Some(algorithm) = found.algorithm else {
        return Outcome::Unchecked("its algorithm is none of Notation's".to_owned()).into();
    };
    if !found.key.signed_jws(algorithm, &found.message, &found.signature) {
        return Outcome::Wrong("the signature is not one of this content by the key that it names".to_owned()).into();
    }
    let is_named = demand.keys.iter().any(|key| key.fingerprint() == found.key.fingerprint());
    let outcome = match &found.obstacle {
        Some(obstacle) => Outcome::Unchecked(obstacle.clone()),
        None if is_named => Outcome::Trusted,
        None if demand.is_empty() => Outcome::Unchecked(NO_KEY.to_owned()),
        None => Outcome::Stranger,
    };
    SignatureCheck { signer: Some(Signer::of_key(&found.key)), ..outcome.into() }
}
