#!/usr/bin/env python3
"""Makes chains.json: signatures of Notation with chains and signed times, each with what a verifier has to say.

pip install cryptography cbor2; openssl (3) signs the times, at the time of day. Certificates are valid for a century."""
import base64, datetime, json, subprocess, tempfile, pathlib
import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID as Use, NameOID

IMAGE = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"
TARGET = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": IMAGE, "size": 100}
PAYLOAD = "application/vnd.cncf.notary.payload.v1+json"
PRE = "io.cncf.notary."
YEAR = 2026
url = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
compact = lambda value: json.dumps(value, separators=(",", ":")).encode()
der = lambda made: made.public_bytes(serialization.Encoding.DER)
pem = lambda *all: "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in all)
p256 = lambda: ec.generate_private_key(ec.SECP256R1())


def usage(*on):
    names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: name in on for name in names})


class Holder:
    """A key and the certificate for it."""

    def __init__(self, name, issuer=None, key=None, ca=None, path=None, ca_critical=True, uses=None, use_critical=True,
                 extended=(), extended_critical=False, years=(YEAR, YEAR + 100), digest=hashes.SHA256(), issuer_key=None):
        self.key = key or p256()
        subject = lambda text: x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "XX"),
                                          x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests, Inc."),
                                          x509.NameAttribute(NameOID.COMMON_NAME, text)])
        self.name = subject(name)
        made = x509.CertificateBuilder().subject_name(self.name).issuer_name(issuer.name if issuer else self.name)
        made = made.public_key(self.key.public_key()).serial_number(x509.random_serial_number())
        made = made.not_valid_before(datetime.datetime(years[0], 1, 1)).not_valid_after(datetime.datetime(years[1], 1, 1))
        if ca is not None:
            made = made.add_extension(x509.BasicConstraints(ca, path if ca else None), ca_critical)
        uses = uses if uses is not None else (["key_cert_sign", "crl_sign"] if ca else ["digital_signature"])
        if uses:
            made = made.add_extension(usage(*uses), use_critical)
        if extended:
            made = made.add_extension(x509.ExtendedKeyUsage(list(extended)), extended_critical)
        self.certificate = made.sign(issuer_key or (issuer.key if issuer else self.key), digest)


def raw(key, message):
    """As JOSE and COSE have signatures."""
    if isinstance(key, rsa.RSAPrivateKey):
        digest = {2048: hashes.SHA256(), 3072: hashes.SHA384(), 4096: hashes.SHA512()}[key.key_size]
        return key.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    digest = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.key_size]
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
    size = (key.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def algorithm(key):
    return ("PS" if isinstance(key, rsa.RSAPrivateKey) else "ES") + {2048: "256", 3072: "384", 4096: "512", 256: "256", 384: "384", 521: "512"}[key.key_size]


def jws(key, chain, token=None, scheme="notary.x509", more=None, critical=(), target=TARGET, alg=None):
    times = {PRE + "signingTime": "2026-06-01T12:00:00Z"} if scheme == "notary.x509" else {}
    protected = {"alg": alg or algorithm(key), "crit": [PRE + "signingScheme", *critical], "cty": PAYLOAD, PRE + "signingScheme": scheme,
                 **times, **(more or {})}
    message = url(compact(protected)) + "." + url(compact({"targetArtifact": target}))
    signature = raw(key, message.encode())
    header = {"x5c": [base64.b64encode(der(one.certificate)).decode() for one in chain], PRE + "signingAgent": "tests"}
    if token:
        header[PRE + "timestampSignature"] = base64.b64encode(token(signature)).decode()
    head, payload = message.split(".")
    made = {"payload": payload, "protected": head, "header": header, "signature": url(signature)}
    return {"type": "application/jose+json", "envelope": compact(made).decode()}


def cose(key, chain, token=None, scheme="notary.x509", more=None, critical=()):
    number = {"ES256": -7, "ES384": -35, "ES512": -36, "PS256": -37, "PS384": -38, "PS512": -39}[algorithm(key)]
    times = {PRE + "signingTime": cbor2.CBORTag(1, 1780315200)} if scheme == "notary.x509" else {}
    protected = {1: number, 2: [PRE + "signingScheme", *critical], 3: PAYLOAD, PRE + "signingScheme": scheme, **times, **(more or {})}
    protected, payload = cbor2.dumps(protected), compact({"targetArtifact": TARGET})
    signature = raw(key, cbor2.dumps(["Signature1", protected, b"", payload]))
    header = {33: [der(one.certificate) for one in chain], PRE + "signingAgent": "tests"}
    if token:
        header[PRE + "timestampSignature"] = token(signature)
    made = cbor2.dumps(cbor2.CBORTag(18, [protected, header, payload, signature]))
    return {"type": "application/cose", "envelope": base64.b64encode(made).decode()}


CONFIG = """[tsa]
default_tsa = t
[t]
serial = {0}/serial
default_policy = 1.2.3.4
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
signer_digest = sha256
accuracy = secs:1, millisecs:500
ordering = yes
"""


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def stamp(tsa, chain=(), cms=False):
    """What an authority signs for a signature. `cms`: without asking whether its certificate is one of such an authority."""
    def of(signature):
        with tempfile.TemporaryDirectory() as folder:
            at = pathlib.Path(folder)
            (at / "c").write_text(CONFIG.format(folder))
            (at / "serial").write_text("01\n")
            (at / "d").write_bytes(signature)
            (at / "key").write_bytes(tsa.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
            (at / "crt").write_text(pem(tsa.certificate))
            (at / "chain").write_text(pem(*[one.certificate for one in chain]))
            openssl("ts", "-query", "-data", at / "d", "-sha256", "-cert", "-out", at / "q")
            more = ["-chain", at / "chain"] if chain else []
            if not cms:
                openssl("ts", "-reply", "-config", at / "c", "-queryfile", at / "q", "-signer", at / "crt", "-inkey", at / "key", *more,
                        "-token_out", "-out", at / "t")
            else:
                good = of_good(signature)
                (at / "g").write_bytes(good)
                openssl("cms", "-verify", "-noverify", "-inform", "DER", "-in", at / "g", "-out", at / "info")
                more = ["-certfile", at / "chain"] if chain else []
                openssl("cms", "-sign", "-binary", "-nodetach", "-cades", "-md", "sha256", "-econtent_type", "1.2.840.113549.1.9.16.1.4",
                        "-in", at / "info", "-signer", at / "crt", "-inkey", at / "key", *more, "-outform", "DER", "-out", at / "t")
            return (at / "t").read_bytes()
    return of


root = Holder("root", ca=True)
middle = Holder("intermediate", root, ca=True, path=0)
leaf = Holder("signer", middle, extended=[Use.CODE_SIGNING])
chain = [leaf, middle, root]
stamps = Holder("root of times", ca=True)
tsa = Holder("times", stamps, extended=[Use.TIME_STAMPING], extended_critical=True)
rsa_tsa = Holder("times by RSA", stamps, key=rsa.generate_private_key(65537, 2048), extended=[Use.TIME_STAMPING], extended_critical=True)
of_good = stamp(tsa)
cases, certificates = [], {}


def named(all):
    """Names of certificates, which chains.json has once."""
    found = [f"{one.name.rfc4514_string()} {one.certificate.serial_number:x}"[:60] for one in all]
    certificates.update((name, pem(one.certificate)) for name, one in zip(found, all))
    return found


def case(name, made, outcome, reason="", roots=(root,), times=(stamps,), services=(), at=None, subject=None):
    cases.append({"name": name, **made, "outcome": outcome, "reason": reason, "signers": named(roots), "times": named(times),
                  "services": named(services),
                  "at": at, "subject": subject})


def by(*links, **more):
    return jws(links[0].key, links, stamp(tsa), **more)


good = by(*chain)
case("chain and signed time", good, "trusted")
case("signed time by RSA", jws(leaf.key, chain, stamp(rsa_tsa)), "trusted")
case("COSE", cose(leaf.key, chain, stamp(tsa)), "trusted")
case("intermediate is trusted", good, "trusted", roots=(middle,))
case("signer is trusted", good, "trusted", roots=(leaf,))
case("subject that was asked for", good, "trusted", subject="O=Tests\\, Inc., CN=signer")
case("another subject", good, "stranger", subject="CN=someone else")
for size in (2048, 3072, 4096):
    key = rsa.generate_private_key(65537, size)
    made = Holder(f"RSA {size}", middle, key=key)
    case(f"PS of RSA {size}", by(made, middle, root), "trusted")
    case(f"COSE by RSA {size}", cose(key, [made, middle, root], stamp(tsa)), "trusted")
for curve in (ec.SECP384R1(), ec.SECP521R1()):
    key = ec.generate_private_key(curve)
    made = Holder(f"signer with {curve.name}", middle, key=key)
    case(f"ES of {curve.name}", by(made, middle, root), "trusted")
    case(f"COSE by {curve.name}", cose(key, [made, middle, root], stamp(tsa)), "trusted")
for digest in (hashes.SHA384(), hashes.SHA512()):
    made = Holder("signer", root, digest=digest)
    case(f"certificate signed with {digest.name}", by(made, root), "trusted")
rsa_root = Holder("root by RSA", ca=True, key=rsa.generate_private_key(65537, 2048))
case("root with RSA", by(Holder("signer", rsa_root, digest=hashes.SHA384()), rsa_root), "trusted", roots=(rsa_root,))
alone = Holder("alone")
case("signer that vouches for itself", by(alone), "trusted", roots=(alone,))

case("another root", good, "lacking certificate", "lead to `CN=root", roots=(Holder("root", ca=True),))
case("no root", good, "unchecked", "no key was named", roots=())
bare = jws(leaf.key, chain)
case("no time", bare, "lacking time", "no authority signed when it was made")
case("time that was named", bare, "trusted", at="2026-07-01T00:00:00Z")
case("time that was named, after all", bare, "lacking time", "nothing proves when it was made", at="2130-01-01T00:00:00+02:00")
case("no authority of times", good, "lacking time authority", "no certificate for such authorities was named", times=())
case("no authority of times, and a time", good, "trusted", times=(), at="2026-07-01T00:00:00Z")
case("another authority of times", good, "lacking time authority", "CN=times", times=(Holder("root of times", ca=True),))
service = dict(scheme="notary.x509.signingAuthority", more={PRE + "authenticSigningTime": "2026-06-01T12:00:00Z"}, critical=[PRE + "authenticSigningTime"])
case("signing authority", jws(leaf.key, chain, **service), "trusted", roots=(), services=(root,))
stamp_of = cbor2.CBORTag(1, 1780315200)
case("COSE of a signing authority", cose(leaf.key, chain, scheme="notary.x509.signingAuthority", more={PRE + "authenticSigningTime": stamp_of},
     critical=[PRE + "authenticSigningTime"]), "trusted", roots=(), services=(root,))
case("signing authority that is an authority only", jws(leaf.key, chain, **service), "lacking signing authority", "of a signing authority")
case("authority that is a signing authority only", good, "lacking certificate", roots=(), services=(root,))
late = dict(service, more={PRE + "authenticSigningTime": "2020-06-01T12:00:00Z"})
case("signing authority before its certificate", jws(leaf.key, chain, **late), "wrong", "and not at 2020-06-01T12:00:00Z", roots=(), services=(root,))
ends = lambda time, **more: jws(leaf.key, chain, stamp(tsa), more={PRE + "expiry": time}, critical=[PRE + "expiry"], **more)
case("ends, and no time was named", ends("2099-01-01T00:00:00Z"), "lacking time", "it ends at 2099-01-01T00:00:00Z")
case("ends later", ends("2099-01-01T00:00:00Z"), "trusted", at="2026-12-01T00:00:00Z")
case("ended", ends("2099-01-01T00:00:00Z"), "wrong", "it ended at", at="2099-01-01T00:00:00Z")
case("ended before it was made", ends("2026-01-02T00:00:00Z"), "wrong", "after its own end", at="2026-01-01T00:00:00Z")
case("COSE that ended", cose(leaf.key, chain, stamp(tsa), more={PRE + "expiry": cbor2.CBORTag(1, 4070908800)}, critical=[PRE + "expiry"]), "wrong", "it ended at", at="2099-01-01T00:00:00Z")

case("critical header", by(*chain, more={"example.plugin": "x"}, critical=["example.plugin"]), "unchecked", "`example.plugin` is not known")
case("COSE with a critical header", cose(leaf.key, chain, stamp(tsa), more={"example.plugin": "x"}, critical=["example.plugin"]), "unchecked", "`example.plugin` is not known")
case("plugin", by(*chain, more={PRE + "verificationPlugin": "x"}, critical=[PRE + "verificationPlugin"]), "unchecked", "verificationPlugin")
case("scheme", by(*chain, scheme="notary.other"), "unchecked", "scheme `notary.other`")
case("expiry that is not critical", by(*chain, more={PRE + "expiry": "2099-01-01T00:00:00Z"}), "malformed", "`crit`")
case("critical header that is not there", by(*chain, critical=[PRE + "expiry"]), "malformed", "`crit`")
case("time of an authority that is none", by(*chain, more={PRE + "authenticSigningTime": "2026-06-01T12:00:00Z"}, critical=[PRE + "authenticSigningTime"]), "malformed", "authenticSigningTime")
case("signing authority without a time", by(*chain, scheme="notary.x509.signingAuthority"), "malformed", "authenticSigningTime")
case("another digest", by(*chain, target={**TARGET, "digest": "sha256:" + "0" * 64}), "wrong", "names another image")
case("another size", by(*chain, target={**TARGET, "size": 101}), "wrong", "101 bytes")
case("another media type", by(*chain, target={**TARGET, "mediaType": "application/json"}), "wrong", "`application/json`")
case("another algorithm", by(*chain, alg="ES384"), "wrong", "not one of this content")
case("no algorithm", by(*chain, alg="none"), "unchecked", "Notation does not define")
thief = Holder("signer", middle)
case("key of another", jws(thief.key, chain, stamp(tsa)), "wrong", "not one of this content")

past = Holder("signer", middle, years=(2020, 2021))
case("signer that expired", by(past, middle, root), "wrong", "valid from 2020-01-01T00:00:00Z to 2021-01-01T00:00:00Z")
old = Holder("old", root, ca=True, years=(2020, 2021))
case("intermediate that expired", by(Holder("signer", old), old, root), "wrong", "CN=old")
case("usage of a server", by(Holder("signer", middle, uses=["digital_signature", "key_encipherment"]), middle, root), "wrong", "not for signatures alone")
case("usage without signatures", by(Holder("signer", middle, uses=["content_commitment"]), middle, root), "wrong", "not for signatures alone")
case("no usage", by(Holder("signer", middle, uses=[]), middle, root), "wrong", "does not say what its key is for")
case("usage that is not critical", by(Holder("signer", middle, use_critical=False), middle, root), "wrong", "not that this is critical")
for use in (Use.SERVER_AUTH, Use.CLIENT_AUTH, Use.EMAIL_PROTECTION, Use.TIME_STAMPING, Use.OCSP_SIGNING, Use.ANY_EXTENDED_KEY_USAGE):
    case(f"purpose {use._name}", by(Holder("signer", middle, extended=[Use.CODE_SIGNING, use]), middle, root), "wrong", "something other than signing code")
case("authority as signer", by(middle, root), "wrong", "is of an authority")
case("root as signer", by(root), "wrong", "is of an authority")
deep = Holder("deep", middle, ca=True)
case("path length", by(Holder("signer", deep), deep, middle, root), "wrong", "path length")
plain = Holder("plain", root)
case("issuer that is no authority", by(Holder("signer", plain), plain, root), "wrong", "is not of an authority")
loose = Holder("loose", root, ca=True, ca_critical=False)
case("authority that is not critical", by(Holder("signer", loose), loose, root), "wrong", "is not of an authority")
idle = Holder("idle", root, ca=True, uses=["crl_sign"])
case("authority that may not issue", by(Holder("signer", idle), idle, root), "wrong", "is not for that")
case("no root in it", by(leaf, middle), "wrong", "is not the root", roots=(middle,))
case("wrong order", by(leaf, root, middle), "wrong", "was not issued by")
case("unrelated certificate", by(leaf, middle, root, alone), "wrong", "signed itself, and another certificate follows")
case("signer that vouches for itself, and a root", by(alone, root), "wrong", "signed itself, and another certificate follows")
case("forged by name", by(Holder("signer", middle, issuer_key=p256()), middle, root), "wrong", "was not issued by")
case("forged root", by(Holder("signer", root, issuer_key=p256()), root), "wrong", "was not issued by")
case("too many", by(leaf, *[middle] * 15, root), "malformed", "at most 16 certificates")

case("time of another signature", jws(leaf.key, chain, lambda _: of_good(b"another")), "wrong", "not of this signature")
case("time by a signer of code", jws(leaf.key, chain, stamp(Holder("code", stamps, extended=[Use.CODE_SIGNING], extended_critical=True), cms=True)), "wrong", "not for signing times alone")
case("time by one for all", jws(leaf.key, chain, stamp(Holder("all", stamps, extended=[Use.TIME_STAMPING, Use.CODE_SIGNING], extended_critical=True), cms=True)), "wrong", "not for signing times alone")
case("time by one who says so softly", jws(leaf.key, chain, stamp(Holder("soft", stamps, extended=[Use.TIME_STAMPING]), cms=True)), "wrong", "not for signing times alone")
case("time as CMS", jws(leaf.key, chain, stamp(tsa, cms=True)), "trusted")
gone = Holder("gone", stamps, extended=[Use.TIME_STAMPING], extended_critical=True, years=(2020, 2021))
case("time by an authority that expired", jws(leaf.key, chain, stamp(gone, cms=True)), "wrong", "CN=gone")
link = Holder("link", stamps, ca=True)
through = Holder("through", link, extended=[Use.TIME_STAMPING], extended_critical=True)
case("time through an intermediate", jws(leaf.key, chain, stamp(through, [link])), "trusted")
case("time without its intermediate", jws(leaf.key, chain, stamp(through)), "lacking time authority", "CN=through")
case("no token", jws(leaf.key, chain, lambda _: b"no token"), "wrong", "RFC 3161")

here = pathlib.Path(__file__).parent
(here / "chains.json").write_text(json.dumps({"certificates": certificates, "cases": cases}, indent=0) + "\n")
print(len(cases), "cases")
