#!/bin/sh
# Makes the databases of rpm in this directory, and what `rpm -qa` says of them: packages.tsv, and files.tsv with the digests.
#
#     make.sh RPM-SOURCE
#
# RPM-SOURCE is the source of rpm 4.18. Needs Debian's packages rpm, sqlite3, db-util and gcc. Debian's rpm writes SQLite and
# only reads Berkeley DB, so that `db_load` writes the latter with the headers of the former; the code of rpm's own source writes
# the headers as ndb.
set -eu
source=${1:?expected the directory with the source of rpm}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=1700000000

spec() { # name, epoch, version, release, licence, what is installed, list of files
    {
        printf 'Name: %s\n' "$1"
        [ -z "$2" ] || printf 'Epoch: %s\n' "$2"
        printf 'Version: %s\nRelease: %s\nLicense: %s\nVendor: Example Org\nSummary: Sample\n' "$3" "$4" "$5"
        [ "$1" != vast ] || printf 'BuildArch: noarch\n'
        printf '%%description\nSample.\n%%install\n%s\n%%files\n%s\n' "$6" "$7"
    } > "$work/$1.spec"
    rpmbuild --quiet -bb --target x86_64 --define "_topdir $work/top" --define '_build_id_links none' \
        --define 'use_source_date_epoch_as_buildtime 1' --define '_buildhost build.example' \
        --define 'debug_package %{nil}' ${8:+--define "$8"} "$work/$1.spec"
}

spec plain '' 1.0 1 MIT 'mkdir -p %{buildroot}/usr/bin %{buildroot}/etc; echo tool > %{buildroot}/usr/bin/plain; echo a=1 > %{buildroot}/etc/plain.conf; ln -s plain %{buildroot}/usr/bin/p' '/usr/bin/plain
/usr/bin/p
%config(noreplace) /etc/plain.conf
%ghost /var/log/plain.log'
spec newer 2 '1.5~rc1' '3.fc40' 'GPL-2.0-or-later AND MIT' 'mkdir -p %{buildroot}/usr/lib/newer; echo lib > %{buildroot}/usr/lib/newer/lib' '%dir /usr/lib/newer
/usr/lib/newer/lib'
spec older '' 0.9 2 BSD-3-Clause 'mkdir -p %{buildroot}/opt; echo old > %{buildroot}/opt/old' '/opt/old' '_binary_filedigest_algorithm 1'
# It is erased again, and leaves free pages.
spec gone '' 1 1 MIT 'mkdir -p %{buildroot}/opt; for n in $(seq 90); do echo gone > %{buildroot}/opt/gone-$n; done' '/opt/gone-*'
# A header that takes several pages.
spec vast '' 20240101 1 Apache-2.0 'mkdir -p %{buildroot}/usr/share/vast; for n in $(seq 60); do echo "$n" > %{buildroot}/usr/share/vast/file-with-a-long-name-$n; done' '/usr/share/vast'

rpms=$(find "$work/top/RPMS" -name '*.rpm' | sort)
FORMAT='%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t%{LICENSE}\t%{VENDOR}\t%{SIZE}\n'
rpm_in() { # root, backend, arguments
    root=$1 backend=$2
    shift 2
    rpm --root "$root" --define "_db_backend $backend" --dbpath /var/lib/rpm "$@"
}
query() { # root, backend
    rpm_in "$1" "$2" -qa --qf "$FORMAT" | LC_ALL=C sort
}
database=$work/sqlite/var/lib/rpm/rpmdb.sqlite
rpm_in "$work/sqlite" sqlite --initdb
# shellcheck disable=SC2086
rpm_in "$work/sqlite" sqlite -i --force-debian --nodeps --noscripts --nosignature --ignorearch --ignoreos $rpms
rpm_in "$work/sqlite" sqlite -e --nodeps --noscripts gone
query "$work/sqlite" sqlite > "$here/packages.tsv"
rpm_in "$work/sqlite" sqlite -qa --qf '[%{=NAME}\t%{FILENAMES}\t%{FILEDIGESTS}\n]' | LC_ALL=C sort > "$here/files.tsv"

# The same table with the smallest pages, in a file that a fuzzer can take.
sqlite3 "$work/small" "PRAGMA page_size = 512; ATTACH '$database' AS rpm;
    CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL);
    INSERT INTO Packages SELECT * FROM rpm.Packages"

headers() { sqlite3 "$database" "SELECT printf('$1', hnum, lower(hex(blob))) FROM Packages ORDER BY hnum"; }
{
    printf 'VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=4096\nHEADER=END\n 00000000\n 04000000\n'
    headers ' %02x000000
 %s'
    printf 'DATA=END\n'
} | db_load "$work/Packages"
mkdir -p "$work/bdb/var/lib/rpm"
cp "$work/Packages" "$work/bdb/var/lib/rpm/Packages"
query "$work/bdb" bdb_ro | cmp - "$here/packages.tsv"

mkdir -p "$work/include/rpm"
printf '#include <stdlib.h>\n#define _(text) text\n#define xcalloc calloc\n#define xmalloc malloc\n#define xrealloc realloc\n#define xstrdup strdup\n#include <string.h>\n' \
    > "$work/include/system.h"
printf '#include <stdio.h>\n#define rpmlog(level, ...) fprintf(stderr, __VA_ARGS__)\n' > "$work/include/rpm/rpmlog.h"
cat > "$work/ndb.c" <<'END'
#include <fcntl.h>
#include <stdio.h>
#include "rpmpkg.h"
int main(int count, char **arguments) {
    static unsigned char blob[1 << 20];
    rpmpkgdb database;
    unsigned int number, length, byte;
    if (rpmpkgOpen(&database, arguments[1], O_RDWR | O_CREAT, 0644)) return 1;
    while (scanf("%u ", &number) == 1) {
        for (length = 0; scanf("%2x", &byte) == 1; ) {
            blob[length++] = byte;
            if ((byte = getchar()) == '\n') break;
            ungetc(byte, stdin);
        }
        if (rpmpkgPut(database, number, blob, length)) return 2;
    }
    /* One that is deleted again. */
    if (rpmpkgPut(database, 99, blob, length) || rpmpkgDel(database, 99)) return 3;
    rpmpkgClose(database);
    return count != 2;
}
END
ndb=$source/lib/backend/ndb
gcc -w -I "$work/include" -I "$ndb" -o "$work/write-ndb" "$work/ndb.c" "$ndb/rpmpkg.c"
headers '%d %s' | "$work/write-ndb" "$work/Packages.db"

gzip -9nc "$database" > "$here/rpmdb.sqlite.gz"
gzip -9nc "$work/small" > "$here/small.sqlite.gz"
gzip -9nc "$work/Packages.db" > "$here/Packages.db.gz"
gzip -9nc "$work/Packages" > "$here/Packages.gz"
