//! An envelope as COSE (Notary Project, COSE signature envelope).

use super::{
    AUTHENTIC_TIME, EXPIRY, Envelope, Header, NotationError, SCHEME, TOKEN,
    cbor::{Item, array_of_bytes, parse},
    wrong,
};
use crate::{chain::Moment, key::JwsAlgorithm};

pub(super) fn read(envelope: &[u8]) -> Result<Envelope, NotationError> {
    // COSE_Sign1_Tagged (RFC 9052, section 4.2).
    let Item::Tag(18, content) = parse(envelope)? else { return Err(NotationError::Cbor("expected one signature")) };
    let Item::Array(parts) = *content else { return Err(NotationError::Cbor("expected four parts")) };
    let [Item::Bytes(protected), Item::Map(unprotected), Item::Bytes(payload), Item::Bytes(signature)] = &parts[..]
    else {
        return Err(NotationError::Cbor("expected protected and other headers, a payload and a signature"));
    };
    let Item::Map(headers) = parse(protected)? else { return Err(NotationError::Cbor("expected a map of headers")) };
    let chain = match find(unprotected, &X5CHAIN).or_else(|| find(&headers, &X5CHAIN)) {
        Some(Item::Bytes(one)) => vec![one.clone()],
        Some(Item::Array(all)) => {
            all.iter().map(bytes).collect::<Option<_>>().ok_or_else(|| wrong("x5chain", CERTIFICATES))?
        }
        _ => return Err(wrong("x5chain", CERTIFICATES)),
    };
    let token = match find(unprotected, &name(TOKEN)) {
        None => None,
        Some(token) => Some(bytes(token).ok_or_else(|| wrong(TOKEN, "a signed time"))?),
    };
    // Sig_structure (RFC 9052, section 4.4).
    let message = array_of_bytes("Signature1", &[protected, &[], payload]);
    let (payload, signature) = (payload.clone(), signature.clone());
    Ok(Envelope { header: header(&headers)?, payload, chain, token, message, signature })
}

fn header(headers: &[(Item, Item)]) -> Result<Header, NotationError> {
    let Some(Item::Array(critical)) = find(headers, &CRITICAL) else { return Err(wrong("crit", "a list")) };
    let known = |item: &Item| match item {
        // Registered headers, which every verifier knows.
        Item::Integer(1..=3) => None,
        Item::Text(name) => Some(name.clone()),
        Item::Integer(label) => Some(label.to_string()),
        _ => Some("?".to_owned()),
    };
    let algorithm = match find(headers, &ALGORITHM) {
        Some(Item::Integer(number)) => JwsAlgorithm::numbered(*number),
        _ => return Err(wrong("alg", "an algorithm")),
    };
    Ok(Header {
        content_type: find(headers, &CONTENT_TYPE).and_then(text),
        scheme: find(headers, &name(SCHEME)).and_then(text),
        critical: critical.iter().filter_map(known).collect(),
        expiry: time(headers, EXPIRY)?,
        authentic_time: time(headers, AUTHENTIC_TIME)?,
        algorithm,
    })
}

/// A header that is a time, in seconds since 1970 (RFC 8949, section 3.4.2).
fn time(headers: &[(Item, Item)], key: &'static str) -> Result<Option<Moment>, NotationError> {
    match find(headers, &name(key)) {
        None => Ok(None),
        Some(Item::Tag(1, seconds)) => match **seconds {
            Item::Integer(seconds) => Ok(Some(Moment(seconds))),
            _ => Err(wrong(key, "a time")),
        },
        Some(_) => Err(wrong(key, "a time")),
    }
}

fn find<'m>(map: &'m [(Item, Item)], key: &Item) -> Option<&'m Item> {
    map.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

fn name(text: &str) -> Item {
    Item::Text(text.to_owned())
}

fn text(item: &Item) -> Option<String> {
    match item {
        Item::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn bytes(item: &Item) -> Option<Vec<u8>> {
    match item {
        Item::Bytes(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

/// Labels of headers (RFC 9052, section 3.1, and RFC 9360, section 2).
const ALGORITHM: Item = Item::Integer(1);
const CRITICAL: Item = Item::Integer(2);
const CONTENT_TYPE: Item = Item::Integer(3);
const X5CHAIN: Item = Item::Integer(33);
const CERTIFICATES: &str = "certificates";
