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
//! ```
//! use porthole_core::{descriptor::Descriptor, digest::Digest, media_type::MediaType};
//! use porthole_signature::{demand::Demand, key::PublicKey, root::TrustRoot, verify::{Outcome, SignatureVerifier}};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let evidence: Vec<porthole_signature::evidence::Evidence> = Vec::new();
//! let manifest = b"the manifest of the image";
//! let image = Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(manifest), manifest.len() as u64);
//! let demand = Demand::default();
//! let verifier = SignatureVerifier::new(&TrustRoot::public_good()?)?;
//! for found in &evidence {
//!     match verifier.check(found, &image, &demand).outcome {
//!         Outcome::Trusted => println!("signed by a signer that was named"),
//!         other => println!("{other}"),
//!     }
//! }
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
