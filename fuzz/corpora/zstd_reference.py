#!/usr/bin/env python3
"""Makes the inputs of `zstd_differential` and what libzstd makes of each: `zstd_reference.py CORPUS.tar.gz REFERENCE.tsv`.

Needs the package `zstandard`, which contains libzstd. Inputs that are in the corpus stay; frames of many kinds are added, and the same
frames with a few bytes changed. The same version of the library gives the same files."""
import gzip, hashlib, io, random, sys, tarfile
import zstandard as zstd

def kinds():
    made = random.Random(1)
    noise = bytes(made.randrange(256) for _ in range(900))
    words = b" ".join(made.choice([b"layer", b"blob", b"digest", b"index", b"etc/passwd"]) for _ in range(400))
    skewed = bytes(made.choice(b"aaaaaaabbbcd") for _ in range(3000))
    for name, data in dict(empty=b"", one=b"x", run=b"a" * 4000, noise=noise, words=words, skewed=skewed, mixed=words + noise + words).items():
        for level in (-5, 1, 3, 12, 19):
            for checksum in (False, True):
                for size in (False, True):
                    yield f"{name}-{level}-{int(checksum)}{int(size)}", zstd.ZstdCompressor(level=level, write_checksum=checksum, write_content_size=size).compress(data)
    many = zstd.ZstdCompressor(level=3).compress(words)
    skippable = b"\x5a\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"
    yield "frames", many + skippable + many
    yield "skippable", skippable
    parameters = zstd.ZstdCompressionParameters(window_log=10, chain_log=6, hash_log=6, enable_ldm=True)
    yield "long", zstd.ZstdCompressor(compression_params=parameters).compress(words * 3 + noise)
    blocks = io.BytesIO()
    with zstd.ZstdCompressor(level=1).stream_writer(blocks, closefd=False) as writer:
        for start in range(0, len(words), 100):
            writer.write(words[start:start + 100]); writer.flush(zstd.FLUSH_BLOCK)
    yield "blocks", blocks.getvalue()

def changed(frames):
    made = random.Random(2)
    for number in range(700):
        name, frame = made.choice(frames)
        data = bytearray(frame)
        for _ in range(made.choice([1, 1, 1, 2, 4])):
            if not data: break
            at = made.randrange(len(data)) if made.random() < .4 else made.randrange(min(len(data), 24))
            how = made.randrange(4)
            if how == 0: data[at] ^= 1 << made.randrange(8)
            elif how == 1: data[at] = made.randrange(256)
            elif how == 2: del data[at:]
            else: data.insert(at, made.randrange(256))
        if data: yield f"changed-{number}", bytes(data)

def verdict(data):
    out = b""
    try:
        while data:
            frame = zstd.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
            out += frame.decompress(data)
            if not frame.eof: return "error"
            data = frame.unused_data
    except zstd.ZstdError: return "error"
    return hashlib.sha256(out).hexdigest()

def main(corpus, reference):
    inputs = {}
    with tarfile.open(corpus) as archive:
        for entry in archive:
            if not entry.name.startswith("libzstd-"): inputs[entry.name] = archive.extractfile(entry).read()
    frames = list(kinds())
    inputs.update((f"libzstd-{name}", data) for name, data in frames + list(changed(frames)))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(inputs.items()):
            entry = tarfile.TarInfo(name); entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    with open(corpus, "wb") as file: file.write(gzip.compress(out.getvalue(), 9, mtime=0))
    with open(reference, "w") as file:
        file.write("# What libzstd %d.%d.%d makes of each input: the SHA-256 of all bytes, or error. Written by zstd_reference.py.\n" % zstd.ZSTD_VERSION)
        file.writelines(f"{name}\t{verdict(data)}\n" for name, data in sorted(inputs.items()) if data)

main(*sys.argv[1:])
