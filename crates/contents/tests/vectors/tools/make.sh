#!/bin/sh
# Makes the archives of this directory, and what the tools themselves list of them: NAME.tar.gz and NAME.tsv.
#
#     make.sh APK-SOURCE
#
# APK-SOURCE is the source of apk-tools 3. Needs a network for pip 22, the last one that installs in the old way, and Debian's packages
# golang-go, npm, jq, python3-venv, meson, libssl-dev and zlib1g-dev. The packages are made here and have nothing in them.
set -eu
source=$(cd "${1:?expected the directory with the source of apk-tools}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=1700000000

pack() { # name, directory, paths
    name=$1 directory=$2
    shift 2
    tar -C "$directory" --sort=name --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0 --numeric-owner -c "$@" | gzip -9n > "$here/$name.tar.gz"
}

# npm: two versions of one package, one in the other's directory, and a name with a scope.
package() { # directory, what package.json says
    mkdir -p "$work/npm/$1"
    echo "$2" > "$work/npm/$1/package.json"
    echo 'module.exports = 1' > "$work/npm/$1/index.js"
}
package a '{"name":"@porthole-sample/a","version":"1.2.3","license":"MIT","bin":{"sample-a":"index.js"},"dependencies":{"porthole-sample-b":"2.0.0"}}'
package b1 '{"name":"porthole-sample-b","version":"1.0.0","license":"ISC"}'
package b2 '{"name":"porthole-sample-b","version":"2.0.0","license":"ISC"}'
for name in a b1 b2; do (cd "$work/npm/$name" && npm pack --silent --pack-destination ..) > "$work/log"; done
mkdir -p "$work/npm/root/app"
cat > "$work/npm/root/app/package.json" << 'END'
{"name":"app","version":"1.0.0","private":true,
 "dependencies":{"@porthole-sample/a":"file:../../porthole-sample-a-1.2.3.tgz","porthole-sample-b":"file:../../porthole-sample-b-1.0.0.tgz"},
 "overrides":{"@porthole-sample/a":{"porthole-sample-b":"file:../../porthole-sample-b-2.0.0.tgz"}}}
END
(cd "$work/npm/root/app" && npm install --silent --offline --no-audit --no-fund && npm ls --json --all) > "$work/npm.json"
jq -r '[.. | objects | .dependencies // empty | to_entries[] | [.key, .value.version]] | sort | .[] | @tsv' "$work/npm.json" > "$here/npm.tsv"
pack npm "$work/npm/root" app

# pip: one package as a wheel, one in the old way.
mkdir -p "$work/py/new/porthole_new" "$work/py/old/porthole_old"
echo 'def main(): print(1)' > "$work/py/new/porthole_new/__init__.py"
echo 'x = 1' > "$work/py/old/porthole_old/__init__.py"
echo 'from setuptools import setup
setup(name="Porthole.New", version="1.0.post1", packages=["porthole_new"], license="MIT", entry_points={"console_scripts": ["porthole-new = porthole_new:main"]})' > "$work/py/new/setup.py"
echo 'from setuptools import setup
setup(name="porthole_old", version="2!0.9", packages=["porthole_old"], license="ISC")' > "$work/py/old/setup.py"
python3 -m venv "$work/py/root"
pip() { "$work/py/root/bin/pip" "$@" --disable-pip-version-check; }
pip install -q 'pip==22.3.1' 'setuptools<66' 'wheel<0.45'
pip install -q --no-index --no-build-isolation "$work/py/new"
pip uninstall -q -y wheel
pip install -q --no-index --no-build-isolation --no-use-pep517 "$work/py/old" 2> "$work/log"
pip list --format json | jq -r '.[] | [.name, .version] | @tsv' | sort > "$here/pip.tsv"
for name in Porthole.New porthole-old; do
    pip show -f "$name" | sed -n "/^Files:/,\$s/^  \\(.*\\)/$name\\t\\1/p"
done | sort > "$here/pip-files.tsv"
(cd "$work/py/root" && find lib -path '*-info/*' \( -name METADATA -o -name RECORD -o -path '*.egg-info/*' \)) > "$work/names"
pack pip "$work/py/root" --files-from "$work/names"

# Go: a module in the place of another version of it, and one that is replaced by a directory. Only the section with the information.
mkdir -p "$work/go/dep" "$work/go/own" "$work/go/root/usr/bin"
for name in dep own; do
    printf 'module example.com/%s\n\ngo 1.19\n' $name > "$work/go/$name/go.mod"
    printf 'package %s\n\nconst Word = "%s"\n' $name $name > "$work/go/$name/$name.go"
done
cd "$work/go/dep"
proxy="$work/go/proxy/example.com/dep/@v"
mkdir -p "$proxy"
python3 -c 'import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as archive:
    for name in ("go.mod", "dep.go"):
        archive.write(name, "example.com/dep@v1.2.4/" + name)' "$proxy/v1.2.4.zip"
cp "$work/go/dep/go.mod" "$proxy/v1.2.4.mod"
echo '{"Version":"v1.2.4"}' > "$proxy/v1.2.4.info"
cd "$here"
printf 'module example.com/tool\n\ngo 1.19\n\nrequire (\n\texample.com/dep v1.2.3\n\texample.com/own v0.1.0\n)\n\nreplace (\n\texample.com/dep v1.2.3 => example.com/dep v1.2.4\n\texample.com/own => ./own\n)\n' > "$work/go/go.mod"
printf 'package main\n\nimport (\n\t"example.com/dep"\n\t"example.com/own"\n)\n\nfunc main() { println(dep.Word, own.Word) }\n' > "$work/go/main.go"
(
    cd "$work/go"
    export GOPROXY="file://$work/go/proxy" GOFLAGS=-mod=mod GONOSUMDB='*' GONOSUMCHECK=1 GOPATH="$work/go/path" CGO_ENABLED=0
    go build -trimpath -buildvcs=false -ldflags=-s -o tool . && chmod -R u+w path
    objcopy --only-section=.go.buildinfo tool root/usr/bin/tool 2> "$work/log"
    go version -m root/usr/bin/tool > "$here/go.txt"
)
pack go "$work/go/root" usr

# apk 3: a package of its own format, with links of both kinds and a configuration file, and a database that apk wrote.
build="$work/apk/build"
meson setup "$build" "$source" -Dhelp=disabled -Dlua=disabled -Dpython=disabled -Ddocs=disabled -Dzstd=disabled -Dtests=disabled \
    -Ddefault_library=static > "$work/log"
meson compile -C "$build" apk:executable > "$work/log"
apk="$build/src/apk"
files="$work/apk/files" root="$work/apk/root"
mkdir -p "$files/lib" "$files/etc" "$root"
echo one > "$files/lib/ld-sample.so.1"
ln -s ld-sample.so.1 "$files/lib/libsample.so.1"
ln "$files/lib/ld-sample.so.1" "$files/lib/hard"
echo a=1 > "$files/etc/sample.conf"
: > "$files/etc/empty"
for name in sample:1.2.4-r2 other:2.0_rc1-r0; do
    "$apk" mkpkg --files "$files" --output "$work/apk/${name%%:*}.apk" --info "name:${name%%:*}" --info "version:${name##*:}" \
        --info arch:noarch --info license:MIT --info origin:sample --info description:x > "$work/log"
    rm -r "$files"
    mkdir -p "$files/opt"
    echo two > "$files/opt/two"
    ln -s ../lib/ld-sample.so.1 "$files/opt/link"
done
"$apk" add --root "$root" --initdb --arch noarch --allow-untrusted --no-scripts "$work/apk/sample.apk" "$work/apk/other.apk" > "$work/log"
"$apk" query --root "$root" --format json --fields name,version,license --installed '*' | jq -r '.[] | [.name, .version, .license] | @tsv' | sort > "$here/apk.tsv"
pack apk "$root" .
# What apk itself calls changed: nothing so far; then a file, which has two names, and a link that leads elsewhere.
[ -z "$("$apk" audit --root "$root" --system)" ]
echo changed > "$root/lib/hard"
ln -sf elsewhere "$root/opt/link"
"$apk" audit --root "$root" --system | sed -n 's/^U //p' | sort > "$here/apk-modified.tsv"
