#!/usr/bin/env python3
"""Makes the envelopes of this folder, with certificates that are valid for a century: pip install cryptography."""
import base64, datetime, json
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

IMAGE = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"
url = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
compact = lambda value: json.dumps(value, separators=(",", ":")).encode()


def certificate(key):
    name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "XX"), x509.NameAttribute(NameOID.COMMON_NAME, "signer of the tests")])
    since = datetime.datetime(2026, 1, 1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(since).not_valid_after(since.replace(year=2126))
    return made.sign(key, hashes.SHA256())


def sign(algorithm, key, message):
    digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[algorithm[2:]]
    if algorithm.startswith("PS"):
        return key.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def envelope(name, algorithm, key, more={}, critical=()):
    scheme = "io.cncf.notary.signingScheme"
    protected = {"alg": algorithm, "crit": [scheme, *critical], "cty": "application/vnd.cncf.notary.payload.v1+json",
                 scheme: "notary.x509", "io.cncf.notary.signingTime": "2026-01-01T12:00:00Z", **more}
    target = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": IMAGE, "size": 100}
    message = url(compact(protected)) + "." + url(compact({"targetArtifact": target}))
    made = certificate(key)
    chain = [base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()]
    header, payload = message.split(".")
    with open(name + ".json", "w") as file:
        json.dump({"payload": payload, "protected": header, "header": {"x5c": chain, "io.cncf.notary.signingAgent": "tests"},
                   "signature": url(sign(algorithm, key, message.encode()))}, file)
    with open(name + ".crt", "wb") as file:
        file.write(made.public_bytes(serialization.Encoding.PEM))


p256 = ec.generate_private_key(ec.SECP256R1())
envelope("es256", "ES256", p256)
envelope("es384", "ES384", ec.generate_private_key(ec.SECP384R1()))
envelope("es512", "ES512", ec.generate_private_key(ec.SECP521R1()))
envelope("ps256", "PS256", rsa.generate_private_key(65537, 2048))
envelope("ps384", "PS384", rsa.generate_private_key(65537, 3072))
envelope("ps512", "PS512", rsa.generate_private_key(65537, 4096))
envelope("expires", "ES256", p256, {"io.cncf.notary.expiry": "2099-01-01T00:00:00Z"}, ["io.cncf.notary.expiry"])
envelope("critical", "ES256", p256, {"example.plugin": "x"}, ["example.plugin"])
