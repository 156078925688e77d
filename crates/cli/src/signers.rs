//! The signers that the user demands: arguments that `verify` and `attestation` share.

use std::path::{Path, PathBuf};

use clap::Args;
use porthole_core::{
    failure::{Blame, Failure, FailureClass},
    hint::Hint,
};
use porthole_inspect::policy::{SignerCertificates, SignerRule, SignerText, parse_policy, rule_for};
use porthole_signature::{
    authorities::{CertificateTrust, TrustedCertificateError, TrustedCertificates},
    demand::{Demand, DemandedIdentity, TextPattern},
    key::PublicKey,
    root::{RootError, RootOrigin, TrustRoot},
    verify::{Lack, Outcome, SignatureVerifier},
};

use crate::{
    error::{Error, Told, with_article},
    source::Spec,
};

/// Who must have signed.
#[derive(Args)]
#[group(skip)]
pub(crate) struct SignerArguments {
    /// Ask for a signature by this public key: a file, PEM or DER (may be repeated: one of them is enough)
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Ask for a signature by this identity in a certificate of Fulcio: an address, or the URI of a workflow
    #[arg(long, value_name = "IDENTITY", conflicts_with = "certificate_identity_regexp")]
    certificate_identity: Option<String>,
    /// As --certificate-identity: an expression that matches a part of it
    #[arg(long, value_name = "REGEXP")]
    certificate_identity_regexp: Option<String>,
    /// The provider that attested the identity: the URL of its issuer
    #[arg(long, value_name = "URL", conflicts_with = "certificate_oidc_issuer_regexp")]
    certificate_oidc_issuer: Option<String>,
    /// As --certificate-oidc-issuer: an expression that matches a part of it
    #[arg(long, value_name = "REGEXP")]
    certificate_oidc_issuer_regexp: Option<String>,
    /// Trust the authorities and logs in this `trusted_root.json`, not those of Sigstore's public instance
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// Ask for a signature of Notation under this certificate, of an authority or of the signer: a file, PEM or DER
    #[arg(long, value_name = "FILE")]
    certificate: Vec<PathBuf>,
    /// As --certificate, for a service that signs for others and states the time (`notary.x509.signingAuthority`)
    #[arg(long, value_name = "FILE")]
    signing_authority: Vec<PathBuf>,
    /// Ask for a signer whose certificate has this subject, or these parts of it, such as `O=Example, CN=signer`
    #[arg(long, value_name = "NAME")]
    certificate_subject: Vec<String>,
    /// Trust the authority with this certificate to sign times (RFC 3161), for signatures of Notation
    #[arg(long, value_name = "FILE")]
    timestamp_authority: Vec<PathBuf>,
    /// Judge a signature of Notation at this time (RFC 3339), where no authority signed one. The local clock decides nothing
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Ask for the signature that this policy demands of the image: JSON, as the page saves its rules
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "key", "certificate_identity", "certificate_identity_regexp", "certificate_oidc_issuer", "certificate_oidc_issuer_regexp",
        "trusted_root", "certificate", "signing_authority", "certificate_subject", "timestamp_authority",
    ])]
    policy: Option<PathBuf>,
}

/// The signers that the user demands, and the trust root that decides.
pub(crate) struct Asked {
    pub(crate) demand: Demand,
    root: Option<TrustRoot>,
}

impl Asked {
    /// A demand without signers: signatures are checked against the trust root, and any signer is accepted.
    pub(crate) fn no_one(trusted_root: Option<&Path>) -> Result<Self, Error> {
        Ok(Self { demand: Demand::default(), root: root_in(trusted_root)? })
    }

    /// Returns the verifier of signatures, and the trust root that it uses.
    pub(crate) fn verifier(&self) -> Result<(SignatureVerifier, TrustRoot), Error> {
        let unusable = |error: RootError| Error::usage(error.to_string());
        let root = self.root.clone().map_or_else(TrustRoot::public_good, Ok).map_err(unusable)?;
        let verifier = SignatureVerifier::new(&root).map_err(unusable)?;
        Ok((verifier, root))
    }
}

impl SignerArguments {
    /// Returns the signers that the arguments name. `spec` is the image, by which a policy selects its rule.
    ///
    /// # Errors
    ///
    /// A key cannot be read, an identity is given without an issuer or the other way round, an expression is malformed, or a
    /// policy cannot be read or has no rule about the image.
    pub(crate) fn asked(&self, spec: &Spec) -> Result<Asked, Error> {
        match &self.policy {
            Some(path) => by_policy(path, spec, self.at.clone()),
            None => Ok(Asked { demand: self.demand()?, root: root_in(self.trusted_root.as_deref())? }),
        }
    }

    fn demand(&self) -> Result<Demand, Error> {
        let key = |path: &PathBuf| {
            let named = |error| Error::usage(format!("{error}: `{}`", path.display()));
            PublicKey::parse(&read(path)?).map_err(named)
        };
        let keys = self.key.iter().map(key).collect::<Result<_, Error>>()?;
        let identity = pattern(self.certificate_identity.as_deref(), self.certificate_identity_regexp.as_deref())?;
        let issuer = pattern(self.certificate_oidc_issuer.as_deref(), self.certificate_oidc_issuer_regexp.as_deref())?;
        let identities = match (identity, issuer) {
            (None, None) => Vec::new(),
            (Some(identity), Some(issuer)) => vec![DemandedIdentity { identity, issuer }],
            (Some(_), None) => {
                return Err(Error::usage(
                    "--certificate-identity needs --certificate-oidc-issuer: any other provider could attest the same identity",
                ));
            }
            (None, Some(_)) => {
                return Err(Error::usage(
                    "--certificate-oidc-issuer needs --certificate-identity: a provider attests identities of many people",
                ));
            }
        };
        Ok(Demand { keys, identities, certificates: self.certificates()? })
    }

    /// Reads the certificates that vouch for signers of Notation.
    fn certificates(&self) -> Result<TrustedCertificates, Error> {
        let unusable = |error: TrustedCertificateError| Error::usage(error.to_string());
        let mut trusted = TrustedCertificates::default();
        for (trust, files) in [
            (CertificateTrust::Signers, &self.certificate),
            (CertificateTrust::SigningAuthorities, &self.signing_authority),
            (CertificateTrust::Times, &self.timestamp_authority),
        ] {
            for path in files {
                trusted.add(trust, &read(path)?).map_err(|error| in_file(&error, path))?;
            }
        }
        self.certificate_subject.iter().try_for_each(|name| trusted.ask_for_subject(name)).map_err(unusable)?;
        self.at.iter().try_for_each(|time| trusted.judge_at(time)).map_err(unusable)?;
        if trusted.is_empty() && !(self.certificate_subject.is_empty() && self.timestamp_authority.is_empty()) {
            return Err(Error::usage(
                "--certificate-subject and --timestamp-authority need --certificate or --signing-authority: a subject alone proves no one",
            ));
        }
        Ok(trusted)
    }
}

/// Reads the trust root in the file that the user named, if any.
fn root_in(path: Option<&Path>) -> Result<Option<TrustRoot>, Error> {
    let Some(path) = path else { return Ok(None) };
    TrustRoot::parse(&read_text(path)?).map(Some).map_err(|error| in_file(&error, path))
}

/// Returns the demand of the policy's rule about the image.
fn by_policy(path: &Path, spec: &Spec, at: Option<String>) -> Result<Asked, Error> {
    let rules = parse_policy(&read_text(path)?).map_err(|error| in_file(&error, path))?;
    let Spec::Registry(reference) = spec else {
        return Err(Error::usage("--policy has rules about images of registries: expected a reference"));
    };
    let (registry, repository) = (reference.registry(), reference.repository());
    let rule = rule_for(&rules, registry, repository);
    let Some(SignerRule { wish, .. }) = rule else {
        let message = format!("no rule of the policy is about `{registry}/{repository}`");
        let hint = "a rule about `*` is about every image that no other rule is about";
        return Err(Told { message, failure: Failure::input().hint(Hint::Text(hint.to_owned())) }.into());
    };
    let key = |key: &String| PublicKey::parse(key.as_bytes()).map_err(|error| in_file(&error, path));
    let text = |text: &SignerText| match text.is_expression {
        true => pattern(None, Some(&text.text)),
        false => pattern(Some(&text.text), None),
    };
    let certificates = SignerCertificates { at, ..wish.certificates.clone() };
    let certificates = TrustedCertificates::of(&certificates).map_err(|error| in_file(&error, path))?;
    let keys = wish.keys.iter().map(key).collect::<Result<_, Error>>()?;
    let mut demand = Demand { keys, certificates, ..Demand::default() };
    for named in &wish.identities {
        let of_rule = text(&named.identity)?.zip(text(&named.issuer)?);
        demand.identities.extend(of_rule.map(|(identity, issuer)| DemandedIdentity { identity, issuer }));
    }
    let root = match wish.root.as_str() {
        "" => None,
        root => Some(TrustRoot::parse(root).map_err(|error| in_file(&error, path))?),
    };
    Ok(Asked { demand, root })
}

/// An error about a file that the user named.
fn in_file(error: &dyn ToString, path: &Path) -> Error {
    Error::usage(format!("{}: `{}`", error.to_string(), path.display()))
}

fn read_text(path: &Path) -> Result<String, Error> {
    String::from_utf8(read(path)?).map_err(|error| in_file(&error, path))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

fn pattern(exact: Option<&str>, expression: Option<&str>) -> Result<Option<TextPattern>, Error> {
    if exact == Some("") || expression == Some("") {
        return Err(Error::usage("an identity and its issuer cannot be empty"));
    }
    if let Some(exact) = exact {
        return Ok(Some(TextPattern::Exact(exact.to_owned())));
    }
    let Some(expression) = expression else { return Ok(None) };
    let compiled = TextPattern::expression(expression);
    compiled.map(Some).map_err(|error| Error::usage(format!("malformed expression `{expression}`: {error}")))
}

/// Checks that outcomes fulfil a demand: at least one must be trusted. Otherwise the error is about the worst of them.
///
/// # Errors
///
/// Exit code 7 if a signature is wrong, 9 if the trust root does not know it or the user must name a further certificate or
/// time, 1 if no signature is by a signer that the user named.
pub(crate) fn judge<'o>(
    outcomes: impl IntoIterator<Item = &'o Outcome>,
    what: &'static str,
    root: &TrustRoot,
) -> Result<(), Error> {
    let (mut wrong, mut unknown, mut lacking, mut strangers) = (None, None, None, 0);
    for outcome in outcomes {
        match outcome {
            Outcome::Trusted => return Ok(()),
            Outcome::Wrong(reason) => wrong = wrong.or(Some(reason)),
            Outcome::Unknown(reason) => unknown = unknown.or(Some(reason)),
            Outcome::Lacking(lack, reason) => lacking = lacking.or(Some((*lack, reason))),
            Outcome::Stranger | Outcome::Unchecked(_) => strangers += 1,
            _ => {}
        }
    }
    if let Some(reason) = wrong {
        let message = format!("{} does not hold: {reason}", with_article(what));
        return Err(Told { message, failure: Failure::malformed() }.into());
    }
    let undecided = |reason: &str, hint: String| {
        let failure = Failure::new(FailureClass::Other, Blame::Input).hint(Hint::Text(hint));
        Err(Told { message: format!("{} cannot be judged: {reason}", with_article(what)), failure }.into())
    };
    if let Some((lack, reason)) = lacking {
        return undecided(reason, remedy(lack).to_owned());
    }
    if let Some(reason) = unknown {
        let date = root.newest_day().map(|day| format!(", whose newest key is of {day}"));
        let hint = match root.origin() {
            RootOrigin::PublicGood => format!(
                "the trust root of Sigstore's public instance that this program ships{} may be older than the signature, or the signature is \
                 of another instance; `--trusted-root FILE` names another one",
                date.unwrap_or_default()
            ),
            RootOrigin::File => {
                "the file of `--trusted-root` has neither authority nor log of that signature".to_owned()
            }
        };
        return undecided(reason, hint);
    }
    Err(Error::Unsigned { what, strangers })
}

/// Hint about the option with which a signature of Notation can be judged.
fn remedy(lack: Lack) -> &'static str {
    match lack {
        Lack::Certificate => {
            "`--certificate FILE` names the certificate of an authority that vouches for signers, or of the signer"
        }
        Lack::SigningAuthority => "`--signing-authority FILE` names the certificate of a service that signs for others",
        Lack::TimeAuthority => {
            "`--timestamp-authority FILE` names the certificate of an authority that signs times; `--at TIME` judges at a time of your choice"
        }
        Lack::Time => {
            "`--at TIME` judges at a time of your choice, such as `--at \"$(date -u +%FT%TZ)\"`: the local clock decides nothing by itself"
        }
    }
}
