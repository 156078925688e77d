//! Checks signatures of Notation: by the signer's own key, or by certificates that a person trusts (Notary Project, trust store and
//! trust policy, "Signature Verification").

use super::{Lack, NO_KEY, Outcome, SignatureCheck, Signer};
use crate::{
    authorities::{CertificateTrust, TrustedCertificates},
    chain::{ChainError, ChainPurpose, ChainedCertificate, Moment, check_chain, check_validity},
    demand::Demand,
    evidence::{NotationScheme, NotationSignature},
    timestamp::{SignedTime, TimestampError, check_timestamp},
};
use porthole_core::descriptor::Descriptor;

pub(super) fn check(found: &NotationSignature, subject: &Descriptor, demand: &Demand) -> SignatureCheck {
    if let Err(outcome) = check_content(found, subject) {
        return outcome.into();
    }
    let by_key = |outcome: Outcome| SignatureCheck { signer: Some(Signer::of_key(&found.key)), ..outcome.into() };
    if let Some(obstacle) = &found.obstacle {
        return by_key(Outcome::Unchecked(obstacle.clone()));
    }
    let trusted = &demand.certificates;
    if demand.keys.iter().any(|key| key.fingerprint() == found.key.fingerprint()) {
        // The key is the proof: no chain and no time is needed.
        return by_key(check_expiry(found, trusted, None).err().unwrap_or(Outcome::Trusted));
    }
    if trusted.is_empty() {
        return by_key(if demand.is_empty() { Outcome::Unchecked(NO_KEY.to_owned()) } else { Outcome::Stranger });
    }
    let (chain, time) = match by_certificates(found, trusted) {
        Ok(proved) => proved,
        Err(outcome) => return by_key(outcome),
    };
    let outcome = match chain.first() {
        Some(leaf) if trusted.asks_for(leaf.name()) => Outcome::Trusted,
        _ => Outcome::Stranger,
    };
    SignatureCheck { signer: Signer::of_chain(&chain), times: time.into_iter().collect(), ..outcome.into() }
}

/// Whether the signature is of this content, and the content is about the subject.
fn check_content(found: &NotationSignature, subject: &Descriptor) -> Result<(), Outcome> {
    let (target, wrong) = (&found.target, |why: String| Err(Outcome::Wrong(why)));
    if target.digest != subject.digest {
        return wrong(format!("the signed payload names another image, {}", target.digest));
    }
    if target.size != subject.size {
        return wrong(format!(
            "the signed payload says {} bytes, and the image's document has {}",
            target.size, subject.size
        ));
    }
    if target.media_type != subject.media_type.as_str() {
        return wrong(format!(
            "the signed payload says `{}`, and the image is `{}`",
            target.media_type, subject.media_type
        ));
    }
    let Some(algorithm) = found.algorithm else {
        return Err(Outcome::Unchecked("Notation does not define its algorithm".to_owned()));
    };
    if !found.key.signed_jws(algorithm, &found.message, &found.signature) {
        return wrong("the signature is not one of this content by the key that it names".to_owned());
    }
    Ok(())
}

/// The chain, and a time that was proved, if the chain leads to a certificate that is trusted and was valid.
fn by_certificates(
    found: &NotationSignature,
    trusted: &TrustedCertificates,
) -> Result<(Vec<ChainedCertificate>, Option<i64>), Outcome> {
    let wrong = |error: ChainError| Outcome::Wrong(error.to_string());
    let chain: Vec<_> =
        found.chain.iter().map(|der| ChainedCertificate::parse(der)).collect::<Result<_, _>>().map_err(wrong)?;
    check_chain(&chain, ChainPurpose::Code).map_err(wrong)?;
    let (trust, lack) = match found.scheme {
        NotationScheme::SigningAuthority(_) => (CertificateTrust::SigningAuthorities, Lack::SigningAuthority),
        _ => (CertificateTrust::Signers, Lack::Certificate),
    };
    let is_trusted =
        |certificate: &ChainedCertificate| trusted.trusted(trust).iter().any(|known| known.der() == certificate.der());
    if !chain.iter().any(is_trusted) {
        let root = chain.last().map(ChainedCertificate::subject).unwrap_or_default();
        let what = if lack == Lack::Certificate { "certificate" } else { "certificate of a signing authority" };
        return Err(Outcome::Lacking(
            lack,
            format!("its certificates lead to `{root}`, and no {what} among them was named"),
        ));
    }
    let made = time_of(found, trusted)?;
    check_validity(&chain, made.range).map_err(|error| match made.proved {
        Some(_) => wrong(error),
        // It may have been made while they were valid.
        None => Outcome::Lacking(Lack::Time, format!("nothing proves when it was made, and {error}")),
    })?;
    check_expiry(found, trusted, made.proved)?;
    Ok((chain, made.proved))
}

/// When a signature was made, in seconds since 1970.
struct Made {
    /// The proved time; `None` if the user named the time.
    proved: Option<i64>,
    /// The first and the last second at which the certificates must be valid.
    range: (i64, i64),
}

fn time_of(found: &NotationSignature, trusted: &TrustedCertificates) -> Result<Made, Outcome> {
    if let NotationScheme::SigningAuthority(Moment(time)) = found.scheme {
        return Ok(Made { proved: Some(time), range: (time, time) });
    }
    let roots = trusted.trusted(CertificateTrust::Times);
    if let Some(token) = found.token.as_ref().filter(|_| !roots.is_empty()) {
        return match check_timestamp(token, &found.signature, roots) {
            Ok(SignedTime { time, range }) => Ok(Made { proved: Some(time), range }),
            Err(error @ TimestampError::Unknown(_)) => Err(Outcome::Lacking(Lack::TimeAuthority, error.to_string())),
            Err(error) => Err(Outcome::Wrong(error.to_string())),
        };
    }
    match (trusted.time(), &found.token) {
        (Some(Moment(time)), _) => Ok(Made { proved: None, range: (time, time) }),
        (None, Some(_)) => Err(Outcome::Lacking(
            Lack::TimeAuthority,
            "an authority signed when it was made, and no certificate for such authorities was named".to_owned(),
        )),
        (None, None) => Err(Outcome::Lacking(
            Lack::Time,
            "no authority signed when it was made, and no time was named at which to judge its certificates".to_owned(),
        )),
    }
}

/// Checks that a signature has not expired, by times that are proved or named. No clock is read.
fn check_expiry(found: &NotationSignature, trusted: &TrustedCertificates, made: Option<i64>) -> Result<(), Outcome> {
    let Some(end) = found.expiry else { return Ok(()) };
    if made.is_some_and(|made| Moment(made) >= end) {
        return Err(Outcome::Wrong(format!("it was made after its own end, {end}")));
    }
    match trusted.time() {
        Some(now) if now >= end => Err(Outcome::Wrong(format!("it ended at {end}"))),
        Some(_) => Ok(()),
        None => {
            Err(Outcome::Lacking(Lack::Time, format!("it ends at {end}, and no time was named at which to judge it")))
        }
    }
}
