#!/usr/bin/env python3
"""Writes databases of rpm with a write-ahead log beside them, as SQLite leaves them when a process ends without closing its connection.

Each is made of rpmdb.sqlite.gz by SQLite itself. What SQLite then reads is in log.tsv: the name of the case, and the sizes of the headers.
"""
import gzip, os, shutil, sqlite3, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def make(name, work, source="small.sqlite.gz"):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "db")
        with open(path, "wb") as out, gzip.open(os.path.join(HERE, source)) as packed:
            out.write(packed.read())
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        work(connection)
        # The files as they are while the connection is open: nothing is checkpointed.
        copy = os.path.join(folder, "copy")
        shutil.copy(path, copy)
        shutil.copy(path + "-wal", copy + "-wal")
        if name == "torn":
            with open(copy + "-wal", "r+b") as log:
                log.truncate(os.path.getsize(copy + "-wal") - 100)
        for suffix in ("", "-wal"):
            with open(copy + suffix, "rb") as file, open(os.path.join(HERE, f"{name}.sqlite{suffix}.gz"), "wb") as out:
                out.write(gzip.compress(file.read(), 9, mtime=0))
        reader = sqlite3.connect(copy)
        rows = reader.execute("SELECT length(blob) FROM Packages ORDER BY length(blob), hnum").fetchall()
        reader.close()
        return name + "\t" + ",".join(str(row[0]) for row in rows) + "\n"


def committed(connection):
    connection.execute("DELETE FROM Packages WHERE hnum = (SELECT min(hnum) FROM Packages)")
    connection.execute("INSERT INTO Packages (blob) SELECT blob FROM Packages WHERE hnum = (SELECT max(hnum) FROM Packages)")


def uncommitted(connection):
    committed(connection)
    connection.execute("PRAGMA cache_size=1")
    connection.execute("BEGIN")
    for _ in range(40):
        connection.execute("INSERT INTO Packages (blob) SELECT blob FROM Packages WHERE hnum = (SELECT max(hnum) FROM Packages)")


def reused(connection):
    for _ in range(6):
        committed(connection)
    connection.execute("PRAGMA wal_checkpoint(RESTART)")
    connection.execute("DELETE FROM Packages WHERE hnum = (SELECT min(hnum) FROM Packages)")


def shrunk(connection):
    connection.execute("DELETE FROM Packages WHERE hnum > (SELECT min(hnum) FROM Packages)")
    connection.execute("VACUUM")


CASES = [("committed", committed), ("uncommitted", uncommitted), ("reused", reused), ("shrunk", shrunk), ("torn", committed)]
with open(os.path.join(HERE, "log.tsv"), "w") as out:
    out.writelines(make(name, work) for name, work in CASES)
sys.stdout.write("written\n")
