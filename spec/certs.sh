#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes throw-away certificates for the specs into the folder $1: a root, an
# intermediate, good leaves, and leaves that must be refused. A second run
# replaces them. For tests only: the keys are not protected.
#   NAME.pem  the leaf and what is sent with it     leaf.key  the key of most
set -eu
[ $# -eq 1 ] || { echo "usage: certs.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
cd "$1"
if [ -n "$(ls)" ] && [ ! -f made-by-certs.sh ]; then
  echo "certs.sh: $1 holds other files" >&2
  exit 2
fi
: > made-by-certs.sh
rm -f ./*.pem ./*.key ./*.crt ./*.csr ./*.cnf ./index.txt*
rm -rf ./hashed
serial=1000
long=3650

# openssl ca and others print much even when they succeed.
quietly() { "$@" 2>log || { cat log >&2; exit 1; }; }

key() { openssl ecparam -name "${2:-prime256v1}" -genkey -noout -out "$1.key"; }

# request KEY SUBJECT
request() {
  openssl req -new -key "$1.key" -subj "$2" -config req.cnf -out now.csr
}

# sign NAME ISSUER EXTENSIONS [OPTIONS...]: NAME.crt out of now.csr
sign() {
  sign_name=$1 sign_issuer=$2
  printf '%b\n' "$3" > now.cnf
  shift 3
  serial=$((serial + 1))
  quietly openssl x509 -req -in now.csr -CA "$sign_issuer.crt" \
    -CAkey "$sign_issuer.key" -set_serial $serial -days $long \
    -extfile now.cnf -out "$sign_name.crt" "$@"
}

# leaf NAME SUBJECT EXTENSIONS: signed by the intermediate, which is sent along
leaf() {
  request leaf "$2"
  sign "$1" inter "$3"
  cat "$1.crt" inter.crt > "$1.pem"
}

# dated NAME START END EXTENSIONS
dated() {
  request leaf "/CN=$1"
  printf '%b\n' "$4" > now.cnf
  quietly openssl ca -batch -notext -config ca.cnf -name inter -in now.csr \
    -startdate "$2" -enddate "$3" -extfile now.cnf -out "$1.crt"
  cat "$1.crt" inter.crt > "$1.pem"
}

# authority NAME ISSUER EXTENSIONS
authority() {
  key "$1"
  request "$1" "/CN=specs $1"
  sign "$1" "$2" "$3"
}

# root NAME
root() {
  key "$1"
  openssl req -new -x509 -key "$1.key" -subj "/CN=specs $1" -days $long \
    -config req.cnf -extensions root -out "$1.crt"
  cp "$1.crt" "$1.pem"
}

cat > req.cnf <<END
[req]
distinguished_name = name
string_mask = utf8only
[name]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[self]
subjectAltName = DNS:ws.test
END
cat > ca.cnf <<END
[inter]
database = index.txt
new_certs_dir = issued
rand_serial = yes
default_md = sha256
policy = any
certificate = inter.crt
private_key = inter.key
default_crl_days = $long
[past]
database = index.txt
new_certs_dir = issued
rand_serial = yes
default_md = sha256
policy = any
certificate = root.crt
private_key = root.key
[any]
commonName = optional
END
mkdir -p issued
: > index.txt

ca='basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign'
server='basicConstraints=CA:false\nkeyUsage=critical,digitalSignature'
server="$server\\nextendedKeyUsage=serverAuth"
client='basicConstraints=CA:false\nkeyUsage=critical,digitalSignature'
client="$client\\nextendedKeyUsage=clientAuth"
ws='subjectAltName=DNS:ws.test'

root root
root stranger
authority inter root "$ca\\nsubjectKeyIdentifier=hash"
key leaf
key other

# Good ones, for each way to name the server.
names='DNS:localhost,DNS:ws.test,IP:127.0.0.1,IP:::1'
leaf server /CN=localhost "$server\\nsubjectAltName=$names"
leaf many /CN=x "$server\\nsubjectAltName=DNS:other.test,$names,DNS:third.test"
leaf a /CN=a "$server\\nsubjectAltName=DNS:a.test"
leaf b /CN=b "$server\\nsubjectAltName=DNS:b.test"
leaf wild /CN=wild "$server\\nsubjectAltName=DNS:*.a.test"
leaf ip /CN=ip "$server\\nsubjectAltName=IP:127.0.0.1"
leaf ip6 /CN=ip6 "$server\\nsubjectAltName=IP:::1"
leaf upper /CN=upper "$server\\nsubjectAltName=DNS:WS.TEST"
leaf idn /CN=idn "$server\\nsubjectAltName=DNS:xn--bcher-kva.test"
leaf no_eku /CN=x "basicConstraints=CA:false\\n$ws"
cat server.crt root.crt inter.crt > root_sent.pem

# Names that must be refused.
leaf wrong /CN=wrong "$server\\nsubjectAltName=DNS:wrong.test"
leaf cn_only /CN=ws.test "$server"
leaf cn_other /CN=ws.test "$server\\nsubjectAltName=DNS:wrong.test"
leaf wild_test /CN=x "$server\\nsubjectAltName=DNS:*.test"
leaf partial /CN=x "$server\\nsubjectAltName=DNS:w*.a.test"
leaf wild_middle /CN=x "$server\\nsubjectAltName=DNS:a.*.test"
leaf wild_two /CN=x "$server\\nsubjectAltName=DNS:*.*.test"
leaf wild_idn /CN=x "$server\\nsubjectAltName=DNS:xn--*.test"
leaf star /CN=x "$server\\nsubjectAltName=DNS:*"
leaf dns_ip /CN=x "$server\\nsubjectAltName=DNS:127.0.0.1"
leaf cn_ip /CN=127.0.0.1 "$server"
leaf uri /CN=x \
  "$server\\nsubjectAltName=email:me@ws.test,URI:https://ws.test/"
leaf dot /CN=x "$server\\nsubjectAltName=DNS:ws.test."
zero=30:13:82:11:77:73:2e:74:65:73:74:00:2e:61:74:74:61:63:6b:65:72
leaf zero /CN=x "$server\\nsubjectAltName=DER:$zero"

# Purposes and chains that must be refused.
leaf eku_client /CN=x "$client\\n$ws"
leaf eku_code /CN=x "extendedKeyUsage=codeSigning\\n$ws"
leaf eku_any /CN=x "extendedKeyUsage=anyExtendedKeyUsage\\n$ws"
leaf no_signing /CN=x "keyUsage=critical,keyCertSign\\n$ws"
leaf critical /CN=x "$server\\n$ws\\n1.2.3.4.5=critical,DER:05:00"
dated expired 20200101000000Z 20210101000000Z "$server\\n$ws"
dated not_yet 20480101000000Z 20490101000000Z "$server\\n$ws"
request leaf /CN=x
sign unknown stranger "$server\\n$ws"
cp unknown.crt unknown.pem
cat unknown.crt stranger.crt > unknown_sent.pem
openssl req -new -x509 -key other.key -subj /CN=self -days $long \
  -config req.cnf -extensions self -out self.pem
cp server.crt no_inter.pem
cat server.crt stranger.crt > wrong_inter.pem
cat server.crt expired.crt stranger.crt wrong.crt inter.crt > extra.pem
key past
request past "/CN=specs past"
printf '%b\n' "$ca" > now.cnf
quietly openssl ca -batch -notext -config ca.cnf -name past -in now.csr \
  -startdate 20200101000000Z -enddate 20210101000000Z -extfile now.cnf \
  -out past.crt 
request leaf /CN=x
sign expired_inter past "$server\\n$ws"
cat expired_inter.crt past.crt > expired_inter.pem
cp leaf.key server.key
request leaf /CN=x
sign by_leaf server "$server\\n$ws"
cat by_leaf.crt server.crt inter.crt > by_leaf.pem
authority short root "$ca\\nbasicConstraints=critical,CA:true,pathlen:0"
authority below_short short "$ca"
request leaf /CN=x
sign too_long below_short "$server\\n$ws"
cat too_long.crt below_short.crt short.crt > too_long.pem
authority narrow root "$ca\\nnameConstraints=critical,permitted;DNS:ok.test"
request leaf /CN=x
sign inside narrow "$server\\nsubjectAltName=DNS:a.ok.test"
cat inside.crt narrow.crt > inside.pem
sign outside narrow "$server\\n$ws"
cat outside.crt narrow.crt > outside.pem

# Algorithms.
request leaf /CN=x
sign sha1 inter "$server\\n$ws" -sha1
cat sha1.crt inter.crt > sha1.pem
quietly openssl genrsa -out rsa1024.key 1024 
request rsa1024 /CN=x
sign rsa1024 inter "$server\\n$ws"
cat rsa1024.crt inter.crt > rsa1024.pem
openssl genpkey -algorithm ED25519 -out ed25519.key
request ed25519 /CN=x
sign ed25519 inter "$server\\n$ws"
cat ed25519.crt inter.crt > ed25519.pem
key p384 secp384r1
request p384 /CN=x
sign p384 inter "$server\\n$ws"
cat p384.crt inter.crt > p384.pem

# A revoked one, and the root with the list that revokes it, as file and folder.
leaf revoked /CN=revoked "$server\\n$ws"
quietly openssl ca -batch -config ca.cnf -name inter -revoke revoked.crt 
quietly openssl ca -batch -config ca.cnf -name inter -gencrl -out crl.crt 
cat root.crt crl.crt > root_crl.pem
mkdir hashed
cp root.crt hashed/root.pem
cp crl.crt hashed/crl.pem
openssl rehash hashed

# Clients.
leaf client /CN=client "$client"
dated client_expired 20200101000000Z 20210101000000Z "$client"
leaf client_wrong /CN=x "$server"
request leaf /CN=x
sign client_unknown stranger "$client"
cp client_unknown.crt client_unknown.pem

# Files that cannot be used.
openssl pkey -in leaf.key -aes128 -passout pass:secret -out encrypted.key
cat server.pem leaf.key > both.pem
: > empty.pem
echo 'no certificate' > garbage.pem
printf -- '-----BEGIN CERTIFICATE-----\nMIIB!!!!\n-----END CERTIFICATE-----\n' \
  > broken.pem
rm -rf issued log now.csr now.cnf req.cnf ca.cnf index.txt* ./*.crt
