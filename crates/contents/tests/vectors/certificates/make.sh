#!/bin/sh
# Makes with OpenSSL an authority, two certificates that it issued, and one that issued itself. The keys are removed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
key ca.key
key leaf.key
openssl req -x509 -new -key ca.key -subj '/CN=Sample CA' -days 1 -out "$here/ca.pem"
openssl req -new -key leaf.key -subj '/CN=leaf.example' -out leaf.csr
openssl req -x509 -new -key leaf.key -subj '/CN=self.example' -days 1 -addext basicConstraints=CA:FALSE -out "$here/self.pem"
mkdir -p demoCA/newcerts
: > demoCA/index.txt
echo 01 > demoCA/serial
printf '[ca]\ndefault_ca=d\n[d]\ndir=demoCA\ndatabase=demoCA/index.txt\nnew_certs_dir=demoCA/newcerts\nserial=demoCA/serial\ndefault_md=sha256\npolicy=p\nx509_extensions=x\n[p]\ncommonName=supplied\n[x]\nbasicConstraints=CA:FALSE\n' > ca.cnf
openssl ca -batch -notext -config ca.cnf -keyfile ca.key -cert "$here/ca.pem" -in leaf.csr -startdate 20200101000000Z \
    -enddate 20210203040506Z -out "$here/leaf.pem" 2> /dev/null
openssl ca -batch -notext -config ca.cnf -keyfile ca.key -cert "$here/ca.pem" -in leaf.csr -startdate 20200101000000Z \
    -enddate 20560203040506Z -subj /CN=late.example -out "$here/late.pem" 2> /dev/null
