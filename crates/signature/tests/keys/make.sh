#!/bin/sh
# Makes the public keys and signatures of this directory. The private keys are thrown away.
set -eu
cd "$(dirname "$0")"
digest=6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
printf '{"critical":{"identity":{"docker-reference":"registry.example/app"},"image":{"docker-manifest-digest":"sha256:%s"},"type":"cosign container image signature"},"optional":null}' $digest > payload.json
key=$(mktemp)
make() {
    name=$1; shift
    openssl genpkey -quiet "$@" > "$key"
    openssl pkey -in "$key" -pubout -out "$name.pub"
}
sign() { openssl dgst "-$2" ${3:+-sigopt "$3"} ${4:+-sigopt "$4"} -sign "$key" payload.json | base64 -w0 > "$1.sig"; }
make p256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256; sign p256 sha256
make p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384; sign p384 sha384; sign p384-sha256 sha256
make p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521; sign p521 sha512; sign p521-sha256 sha256
make rsa2048 -algorithm RSA -pkeyopt rsa_keygen_bits:2048; sign rsa2048 sha256
sign rsa2048-pss sha256 rsa_padding_mode:pss rsa_pss_saltlen:digest
make rsa4096 -algorithm RSA -pkeyopt rsa_keygen_bits:4096; sign rsa4096 sha256
make ed25519 -algorithm ed25519
openssl pkeyutl -sign -rawin -inkey "$key" -in payload.json | base64 -w0 > ed25519.sig
rm "$key"
# Keys that must be refused.
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 > "$key"
openssl pkey -in "$key" -pubout -out rsa1024.pub
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 | openssl pkey -pubout -out secp256k1.pub
rm "$key"
