//! Tokens with a form of their own.

use super::{
    TextOrigin,
    found::{Confidence, Found},
    shape::{entropy, is_base64, is_placeholder, is_random, is_token, is_word, run, starts_word, without_dots},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::ops::Range;

/// A keyword followed by a run of characters of a length.
struct Form {
    key: &'static [u8],
    belongs: fn(u8) -> bool,
    length: Range<usize>,
    confidence: Confidence,
}

impl Form {
    const fn new(key: &'static [u8], belongs: fn(u8) -> bool, length: Range<usize>) -> Self {
        Self { key, belongs, length, confidence: Confidence::High }
    }

    fn find(&self, text: &[u8], hit: &Range<usize>) -> Option<Found> {
        if text.get(hit.clone())? != self.key || !starts_word(text, hit.start) {
            return None;
        }
        let value = run(text, hit.end, self.belongs);
        let fits = self.length.contains(&value.len()) && is_random(&text[value.clone()]);
        fits.then(|| Found::new(hit.start..value.end, self.confidence))
    }
}

fn any(forms: &[Form], text: &[u8], hit: &Range<usize>) -> Option<Found> {
    forms.iter().find_map(|form| form.find(text, hit))
}

macro_rules! forms {
    ($($name:ident: $($key:literal, $belongs:path, $length:expr);+;)+) => {
        $(pub(super) fn $name(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
            any(&[$(Form::new($key, $belongs, $length)),+], text, &hit)
        })+
    };
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn hexadecimal(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Both alphabets of base64.
fn url_base64(byte: u8) -> bool {
    is_base64(byte) || is_token(byte)
}

const LONG: usize = 1024;

forms! {
    gcp_api: b"AIza", is_token, 35..36;
    azure: b"AccountKey=", is_base64, 88..89;
    github: b"ghp_", alphanumeric, 36..37; b"gho_", alphanumeric, 36..37; b"ghu_", alphanumeric, 36..37;
        b"ghs_", alphanumeric, 36..37; b"ghr_", alphanumeric, 36..77; b"github_pat_", is_word, 82..83;
    gitlab: b"glpat-", is_token, 20..301; b"gldt-", is_token, 20..301; b"glrt-", is_token, 20..301;
        b"glptt-", hexadecimal, 40..41; b"glcbt-", is_token, 20..301; b"gloas-", is_token, 20..301;
        b"glsoat-", is_token, 20..301; b"glft-", is_token, 20..301; b"glimt-", is_token, 20..301;
        b"glagent-", is_token, 20..301; b"GR1348941", is_token, 20..60;
    npm: b"npm_", alphanumeric, 36..37;
    pypi: b"pypi-AgEIcHlwaS5vcmc", is_token, 50..LONG;
    docker_hub: b"dckr_pat_", is_token, 27..28; b"dckr_oat_", is_token, 32..33;
    stripe: b"sk_live_", alphanumeric, 24..248; b"rk_live_", alphanumeric, 24..248;
        b"whsec_", alphanumeric, 32..33;
    digitalocean: b"dop_v1_", hexadecimal, 64..65; b"doo_v1_", hexadecimal, 64..65;
        b"dor_v1_", hexadecimal, 64..65;
    vault: b"hvs.", is_token, 90..LONG; b"hvb.", is_token, 90..LONG;
    age: b"AGE-SECRET-KEY-1", upper, 58..59;
    google_oauth: b"GOCSPX-", is_token, 28..29;
    new_relic: b"NRAK-", upper, 27..28;
    shopify: b"shpat_", hexadecimal, 32..33; b"shpca_", hexadecimal, 32..33; b"shppa_", hexadecimal, 32..33;
        b"shpss_", hexadecimal, 32..33;
    square: b"sq0atp-", is_token, 22..23; b"sq0csp-", is_token, 43..44;
    linear: b"lin_api_", alphanumeric, 40..41;
    atlassian: b"ATATT3", url_base64, 150..400;
    databricks: b"dapi", hexadecimal, 32..33;
    grafana: b"glsa_", is_word, 41..42; b"glc_eyJ", url_base64, 50..LONG;
    rubygems: b"rubygems_", hexadecimal, 48..49;
    nuget: b"oy2", lower, 43..44;
    sentry: b"sntryu_", hexadecimal, 64..65; b"sntrys_eyJ", url_base64, 80..LONG;
    postman: b"PMAK-", is_token, 59..60;
    doppler: b"dp.pt.", alphanumeric, 40..45;
    planetscale: b"pscale_tkn_", is_token, 32..65; b"pscale_pw_", is_token, 32..65;
    heroku: b"HRKU-AA", is_token, 58..59;
    anthropic: b"sk-ant-", is_token, 80..200;
}

/// Letters alone, so that names of functions have the same form.
pub(super) fn huggingface(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let value = run(text, hit.end, alphanumeric);
    let bytes = &text[value.clone()];
    let mixed = bytes.iter().any(u8::is_ascii_lowercase) && bytes.iter().any(u8::is_ascii_uppercase);
    let fits = text[hit.clone()] == *b"hf_"
        && starts_word(text, hit.start)
        && value.len() == 34
        && mixed
        && entropy(bytes) >= 4.0;
    (fits && !is_placeholder(bytes)).then(|| Found::new(hit.start..value.end, Confidence::High))
}

/// Identifiers of long-term (AKIA) and temporary (ASIA) keys: not secret themselves, but secrets are close.
pub(super) fn aws_id(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let base32 = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7');
    let value = run(text, hit.end, is_token);
    let bytes = &text[value.clone()];
    let fits = text[hit.clone()].iter().all(u8::is_ascii_uppercase)
        && starts_word(text, hit.start)
        && bytes.len() == 16
        && bytes.iter().all(|&byte| base32(byte));
    (fits && !is_placeholder(bytes) && entropy(bytes) >= 2.8)
        .then(|| Found::new(hit.start..value.end, Confidence::Medium))
}

/// Forty characters of base64 after a name such as `aws_secret_access_key`.
pub(super) fn aws_secret(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let separator = |byte: u8| matches!(byte, b'"' | b'\'' | b' ' | b'\t' | b'=' | b':' | b'>');
    let value = run(text, run(text, hit.end, separator).end, is_base64);
    let bytes = &text[value.clone()];
    let fits = value.start > hit.end && bytes.len() == 40 && entropy(bytes) >= 4.0 && is_random(bytes);
    fits.then(|| Found::new(value, Confidence::High))
}

pub(super) fn slack(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let value = run(text, hit.end, is_token);
    let bytes = &text[value.clone()];
    let parts = bytes.split(|&byte| byte == b'-');
    let numbered = parts.clone().next().is_some_and(|part| part.len() == 1 || part.iter().all(u8::is_ascii_digit));
    let fits = text[hit.clone()].iter().all(|byte| !byte.is_ascii_uppercase())
        && starts_word(text, hit.start)
        && parts.count() >= 2
        && numbered
        && bytes.len() >= 24;
    (fits && is_random(bytes)).then(|| Found::new(hit.start..value.end, Confidence::High))
}

/// `T…/B…/…`: team, webhook and secret.
pub(super) fn slack_webhook(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let value = run(text, hit.end, |byte| byte.is_ascii_alphanumeric() || byte == b'/');
    let mut parts = text[value.clone()].split(|&byte| byte == b'/');
    let (team, hook, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = team.starts_with(b"T") && hook.starts_with(b"B") && secret.len() == 24 && is_random(secret);
    fits.then(|| Found::new(value, Confidence::High))
}

/// `SG.` with 22 and 43 characters.
pub(super) fn sendgrid(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let value = without_dots(text, run(text, hit.end, |byte| is_token(byte) || byte == b'.'));
    let mut parts = text[value.clone()].split(|&byte| byte == b'.').map(<[u8]>::len);
    let fits = text[hit.clone()] == *b"SG."
        && starts_word(text, hit.start)
        && (parts.next(), parts.next(), parts.next()) == (Some(22), Some(43), None);
    (fits && is_random(&text[value.clone()])).then(|| Found::new(hit.start..value.end, Confidence::High))
}

/// `sk-` before and 20 or more characters after the mark in the middle, which is `OpenAI` in base64.
pub(super) fn openai(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    if text[hit.clone()] != *b"T3BlbkFJ" {
        return None;
    }
    let before = text[..hit.start].iter().rev().take(200).take_while(|&&byte| is_token(byte)).count();
    let value = hit.start - before..run(text, hit.end, is_token).end;
    let bytes = &text[value.clone()];
    let fits = bytes.starts_with(b"sk-") && before >= 20 && value.end - hit.end >= 20 && is_random(bytes);
    fits.then(|| Found::new(value, Confidence::High))
}

/// Three parts in base64, of which the first is a JSON object with the algorithm. Many tokens are public or expired.
pub(super) fn jwt(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    if text[hit.clone()] != *b"eyJ" || !starts_word(text, hit.start) {
        return None;
    }
    let value = without_dots(text, run(text, hit.start, |byte| is_token(byte) || byte == b'.'));
    let mut parts = text[value.clone()].split(|&byte| byte == b'.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let object = |part: &[u8]| serde_json::from_slice::<serde_json::Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    let signed = object(header)?.get("alg")?.as_str().is_some_and(|algorithm| !algorithm.eq_ignore_ascii_case("none"));
    let fits = signed && object(payload)?.is_object() && signature.len() >= 20 && parts.next().is_none();
    let of_kubernetes = matches!(origin, TextOrigin::File(path) | TextOrigin::Line(path) if memchr::memmem::find(path, b"secrets/kubernetes.io").is_some());
    fits.then(|| Found::new(value, if of_kubernetes { Confidence::High } else { Confidence::Medium }))
}
