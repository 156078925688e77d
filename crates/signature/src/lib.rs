//! Who signed an image, and what was attested about it.
//!
//! - [`evidence`] reads what a referrer of an image holds: cosign's signatures and attestations in both of their formats, Notation's signatures, in-toto
//!   statements, and documents that nothing signs.
//! - [`gather`] fetches it: the referrers of an image, and of the index that led to it.
//! - [`verify`] checks evidence against the digest of an image, offline, and says who signed it.
//! - [`demand`] is whose signature a person asks for: keys, or an identity and its issuer.
//! - [`authorities`] holds the certificates that a person trusts to vouch for signers, for signatures of Notation.
//! - [`key`] reads public keys and names them by a fingerprint.
//! - [`root`] holds the authorities and logs that vouch for certificates: those of Sigstore's public instance, or a file's.
//! - [`statement`] reads in-toto statements: provenance, bills of materials, results of scans.
//!
//! Only [`gather`] reads anything, from any [`ImageSource`](porthole_source::ImageSource). Elsewhere the bytes are pushed in, and the
//! caller has compared them with the digests that name them.
//! The clock is read for one purpose only: a log that claims a time in the future is refused.
//!
//! Checks what signs an image by the key that a person named:
//!
//! ```
//! use porthole_core::{descriptor::Descriptor, digest::Digest, media_type::MediaType};
//! use porthole_signature::{
//!     demand::Demand,
//!     evidence::Evidence,
//!     key::PublicKey,
//!     root::TrustRoot,
//!     verify::{Outcome, SignatureVerifier},
//! };
//! # use porthole_testkit::signing::{Signatory, payload, signature};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manifest = b"the manifest of the image";
//! let image = Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(manifest), manifest.len() as u64);
//! # let signatory = Signatory::new();
//! # let signed = signature(payload(&image.digest.to_string()), &signatory, None);
//! # let cosign_pub = signatory.public_key();
//! # let blob = signed.blob.bytes.clone();
//! # let media_type = MediaType::parse("application/vnd.dev.cosign.simplesigning.v1+json")?;
//! # let mut layer = Descriptor::new(media_type, Digest::sha256(&blob), blob.len() as u64);
//! # for (key, value) in &signed.annotations {
//! #     layer.annotations.insert(key.clone(), value.as_str().unwrap_or_default().to_owned());
//! # }
//!
//! // `layer` and `blob` are of a referrer of the image: `gather` fetches them.
//! let evidence = Evidence::parse(&layer, &blob)?;
//! let demand = Demand { keys: vec![PublicKey::parse(cosign_pub.as_bytes())?], ..Demand::default() };
//! let verifier = SignatureVerifier::new(&TrustRoot::public_good()?)?;
//! assert_eq!(verifier.check(&evidence, &image, &demand).outcome, Outcome::Trusted);
//! assert_eq!(verifier.check(&evidence, &image, &Demand::default()).outcome.word(), "unchecked");
//! # Ok(())
//! # }
//! ```

pub mod authorities;
mod chain;
pub mod demand;
pub mod evidence;
pub mod gather;
pub mod key;
mod provider;
pub mod root;
pub mod statement;
mod timestamp;
pub mod verify;

pub use chain::{ChainError, Moment};
