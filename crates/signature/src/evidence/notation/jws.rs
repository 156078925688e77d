//! An envelope as a JSON Web Signature (Notary Project, JWS signature envelope).

use super::{AUTHENTIC_TIME, EXPIRY, Envelope, Header, NotationError, SCHEME, TOKEN, text, wrong};
use crate::{chain::Moment, key::JwsAlgorithm};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;

pub(super) fn read(envelope: &[u8]) -> Result<Envelope, NotationError> {
    let envelope: Value = serde_json::from_slice(envelope)?;
    let (written, protected) = part(&envelope, "protected")?;
    let (content, payload) = part(&envelope, "payload")?;
    let (_, signature) = part(&envelope, "signature")?;
    let unprotected = &envelope["header"];
    let chain = unprotected["x5c"].as_array().ok_or_else(|| wrong("x5c", CERTIFICATES))?;
    let certificate = |value: &Value| {
        let written = text(value, "x5c", CERTIFICATES)?;
        STANDARD.decode(written).map_err(|_| wrong("x5c", CERTIFICATES))
    };
    let token = match &unprotected[TOKEN] {
        Value::Null => None,
        token => {
            let written = text(token, TOKEN, "a signed time in base64")?;
            Some(STANDARD.decode(written).map_err(|_| wrong(TOKEN, "a signed time in base64"))?)
        }
    };
    Ok(Envelope {
        header: header(&serde_json::from_slice(&protected)?)?,
        payload,
        chain: chain.iter().map(certificate).collect::<Result<_, _>>()?,
        token,
        // RFC 7515, section 5.1.
        message: format!("{written}.{content}").into_bytes(),
        signature,
    })
}

fn header(protected: &Value) -> Result<Header, NotationError> {
    let critical = protected["crit"].as_array().ok_or_else(|| wrong("crit", "a list"))?;
    let critical: Result<_, _> = critical.iter().map(|name| text(name, "crit", "names").map(str::to_owned)).collect();
    let algorithm = text(&protected["alg"], "alg", "an algorithm")?;
    Ok(Header {
        content_type: protected["cty"].as_str().map(str::to_owned),
        scheme: protected[SCHEME].as_str().map(str::to_owned),
        critical: critical?,
        expiry: time(protected, EXPIRY)?,
        authentic_time: time(protected, AUTHENTIC_TIME)?,
        algorithm: JwsAlgorithm::named(algorithm),
    })
}

/// A header that is a time of RFC 3339.
fn time(protected: &Value, name: &'static str) -> Result<Option<Moment>, NotationError> {
    let Some(value) = protected.get(name) else { return Ok(None) };
    let time = text(value, name, "a time")?.parse::<jiff::Timestamp>();
    time.map(|time| Some(Moment(time.as_second()))).map_err(|_| wrong(name, "a time"))
}

/// A part of the envelope, encoded and decoded.
fn part<'a>(envelope: &'a Value, name: &'static str) -> Result<(&'a str, Vec<u8>), NotationError> {
    let written = text(&envelope[name], name, BASE64)?;
    let bytes = URL_SAFE_NO_PAD.decode(written).map_err(|_| wrong(name, BASE64))?;
    Ok((written, bytes))
}

const BASE64: &str = "base64url without padding";
const CERTIFICATES: &str = "certificates in base64";
