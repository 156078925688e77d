//! The table of programs and their command lines.

use porthole_tests::program::{find, run};

/// Kind of work to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// One manifest from a registry to stdout: measures start-up cost.
    Manifest,
    /// From a registry to files.
    Pull,
    /// From an OCI layout to an empty registry.
    Push,
    /// From a registry to an empty registry.
    Copy,
    /// From an OCI layout to a root filesystem.
    Unpack,
    /// What an image is, from its documents.
    Inspect,
    /// The files of all layers, from a registry.
    List,
    /// One small file of one layer, from a registry.
    Cat,
    /// The same file, of an image that was listed before.
    CatAgain,
    /// Every digest of an OCI layout.
    Verify,
}

impl Work {
    pub(crate) const ALL: [Self; 10] = [
        Self::Manifest,
        Self::Pull,
        Self::Push,
        Self::Copy,
        Self::Unpack,
        Self::Inspect,
        Self::List,
        Self::Cat,
        Self::CatAgain,
        Self::Verify,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Copy => "copy",
            Self::Unpack => "unpack",
            Self::Inspect => "inspect",
            Self::List => "list",
            Self::Cat => "cat",
            Self::CatAgain => "cat-again",
            Self::Verify => "verify",
        }
    }
}

/// A program under test.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Programs that must be on PATH.
    needs: &'static [&'static str],
    /// Command that prints the version: the first output line with a digit.
    version: &'static str,
    calls: &'static [(Work, Call)],
    /// What a pull syncs to disk (fsync) before it ends. No program syncs unpacked files.
    syncs: &'static str,
}

/// A command line, with variables as in a shell.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    /// The measured command. A text with several lines is a script for `sh`.
    pub(crate) line: &'static str,
    /// Command to run before, not measured.
    pub(crate) before: &'static str,
    /// Command to run after the result was checked.
    pub(crate) after: &'static str,
}

const fn call(line: &'static str) -> Call {
    Call { line, before: "", after: "" }
}

impl Peer {
    pub(crate) fn call(&self, work: Work) -> Option<Call> {
        self.calls.iter().find(|(known, _)| *known == work).map(|(_, call)| *call)
    }

    /// The first missing program. `None` for `ours`, whose path is known.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        self.needs.iter().copied().find(|program| find(program).is_err())
    }

    pub(crate) fn version(&self) -> Option<String> {
        let mut words = self.version.split(' ');
        let said = run(words.next()?, words).ok()?;
        let has_digit = |text: &&str| text.contains(|c: char| c.is_ascii_digit());
        let line = said.lines().find(has_digit)?.trim();
        // Drop details of the build.
        Some(line.split(" (").next().filter(has_digit).unwrap_or(line).to_owned())
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.name == "porthole"
    }

    /// Whether this is a floor: the minimum that the work requires.
    pub(crate) fn is_floor(&self) -> bool {
        self.calls.iter().all(|(_, call)| call.line.contains('\n'))
    }

    /// What it syncs to disk.
    pub(crate) fn syncs(&self, work: Work) -> &'static str {
        if work == Work::Pull { self.syncs } else { "" }
    }

    /// Whether a daemon does the work.
    pub(crate) fn has_daemon(&self) -> bool {
        self.needs.contains(&"containerd")
    }
}

/// All programs, floors first. The first that supports a kind of work is its baseline.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "curl",
        needs: &["curl"],
        version: "curl --version",
        calls: &[
            (Work::Manifest, call("curl -sSf --header Accept:$MEDIA_TYPE http://$FROM_HOST/v2/$NAME/manifests/bench")),
            (Work::Pull, call(CURL_PULL)),
            (Work::Push, call(CURL_PUSH)),
            (Work::Copy, call(CURL_COPY)),
            (Work::Inspect, call(CURL_INSPECT)),
        ],
        syncs: "-",
    },
    Peer {
        name: "curl, openssl",
        needs: &["curl", "openssl"],
        version: "openssl version",
        calls: &[
            (Work::Pull, call(CURL_PULL_HASH)),
            (Work::Push, call(CURL_PUSH_HASH)),
            (Work::Copy, call(CURL_COPY_HASH)),
        ],
        syncs: "-",
    },
    Peer {
        name: "curl, tar",
        needs: &["curl", "gzip", "tar"],
        version: "tar --version",
        calls: &[(Work::List, call(CURL_LIST)), (Work::Cat, call(CURL_CAT)), (Work::CatAgain, call(CURL_CAT))],
        syncs: "-",
    },
    Peer {
        name: "gzip, openssl",
        needs: &["gzip", "openssl"],
        version: "openssl version",
        calls: &[(Work::Verify, call(OPENSSL_VERIFY))],
        syncs: "-",
    },
    Peer {
        name: "gzip, tar",
        needs: &["gzip", "tar"],
        version: "tar --version",
        calls: &[(Work::Unpack, call(TAR_UNPACK))],
        syncs: "-",
    },
    Peer {
        name: "porthole",
        needs: &[],
        version: "",
        calls: &[
            (Work::Manifest, call("$PORTHOLE manifest $FROM")),
            (Work::Pull, call("$PORTHOLE --quiet pull $FROM oci:$TARGET:bench")),
            (Work::Push, call("$PORTHOLE --quiet push oci:$LAYOUT:bench $TO")),
            (Work::Copy, call("$PORTHOLE --quiet copy $FROM $TO")),
            (Work::Unpack, call("$PORTHOLE --quiet --no-cache unpack oci:$LAYOUT:bench $TARGET")),
            (Work::Inspect, call("$PORTHOLE --quiet --json inspect $FROM")),
            (Work::List, call("$PORTHOLE --quiet --no-cache ls $FROM")),
            (Work::Cat, call("$PORTHOLE --quiet cat $FROM $FILE")),
            (
                Work::CatAgain,
                Call { line: "$PORTHOLE --quiet cat $FROM $FILE", before: "$PORTHOLE --quiet ls $FROM", after: "" },
            ),
            (Work::Verify, call("$PORTHOLE --quiet --json verify oci:$LAYOUT:bench")),
        ],
        syncs: "every file and folder",
    },
    Peer {
        name: "crane",
        needs: &["crane"],
        version: "crane version",
        calls: &[
            (Work::Manifest, call("crane manifest --insecure $FROM")),
            (Work::Pull, call("crane pull --insecure --format=oci $FROM $TARGET")),
            (Work::Push, call("crane push --insecure $LAYOUT $TO")),
            (Work::Copy, call("crane copy --insecure $FROM $TO")),
            (Work::Inspect, call("crane config --insecure $FROM")),
        ],
        syncs: "-",
    },
    Peer {
        name: "skopeo",
        needs: &["skopeo"],
        version: "skopeo --version",
        calls: &[
            (Work::Manifest, call("skopeo inspect --raw --tls-verify=false docker://$FROM")),
            (Work::Inspect, call("skopeo inspect --no-tags --tls-verify=false docker://$FROM")),
            (
                Work::Pull,
                call("skopeo --insecure-policy copy --quiet --src-tls-verify=false docker://$FROM oci:$TARGET:bench"),
            ),
            (
                Work::Push,
                call("skopeo --insecure-policy copy --quiet --dest-tls-verify=false oci:$LAYOUT:bench docker://$TO"),
            ),
            (
                Work::Copy,
                call(
                    "skopeo --insecure-policy copy --quiet --src-tls-verify=false --dest-tls-verify=false docker://$FROM docker://$TO",
                ),
            ),
        ],
        syncs: "every blob",
    },
    Peer {
        name: "regctl",
        needs: &["regctl"],
        version: "regctl version",
        calls: &[
            (Work::Manifest, call("regctl --host reg=$FROM_HOST,tls=disabled manifest get --format raw-body $FROM")),
            (Work::Inspect, call("regctl --host reg=$FROM_HOST,tls=disabled image inspect --format raw-body $FROM")),
            (Work::Pull, call("regctl --host reg=$FROM_HOST,tls=disabled image copy $FROM ocidir://$TARGET:bench")),
            (Work::Push, call("regctl --host reg=$TO_HOST,tls=disabled image copy ocidir://$LAYOUT:bench $TO")),
            (
                Work::Copy,
                call("regctl --host reg=$FROM_HOST,tls=disabled --host reg=$TO_HOST,tls=disabled image copy $FROM $TO"),
            ),
        ],
        syncs: "-",
    },
    Peer {
        name: "umoci",
        needs: &["umoci"],
        version: "umoci --version",
        calls: &[(Work::Unpack, call("umoci unpack --image $LAYOUT:bench $TARGET"))],
        syncs: "-",
    },
    Peer {
        name: "ctr",
        needs: &["ctr", "containerd"],
        version: "ctr --version",
        calls: &[
            (Work::Pull, call("ctr --address $SOCKET content fetch --plain-http $FROM")),
            (
                Work::Push,
                Call {
                    line: "ctr --address $SOCKET images push --plain-http $TO $FROM",
                    before: "ctr --address $SOCKET content fetch --plain-http $FROM",
                    after: "",
                },
            ),
            (
                Work::Unpack,
                Call {
                    line: "ctr --address $SOCKET images mount $FROM $TARGET",
                    before: "ctr --address $SOCKET content fetch --plain-http $FROM\nmkdir $TARGET",
                    after: "umount $TARGET",
                },
            ),
        ],
        syncs: "every blob, in its daemon",
    },
];

/// Fetches the manifest, then all blobs over four connections of one process.
const CURL_PULL: &str = r#"
mkdir "$TARGET"
curl -sSf -H "Accept: $MEDIA_TYPE" -o "$TARGET/$DIGEST" "http://$FROM_HOST/v2/$NAME/manifests/$DIGEST"
for blob in $BLOBS; do echo "url = http://$FROM_HOST/v2/$NAME/blobs/$blob"; echo "output = $TARGET/$blob"; done |
    curl -sSf --parallel --parallel-max 4 --config -
"#;

/// Four concurrent processes, each fetching and then hashing a blob.
const CURL_PULL_HASH: &str = r#"
mkdir "$TARGET"
curl -sSf -H "Accept: $MEDIA_TYPE" -o "$TARGET/$DIGEST" "http://$FROM_HOST/v2/$NAME/manifests/$DIGEST"
echo "$BLOBS" | xargs -n1 -P4 sh -ec '
    curl -sSf -o "$TARGET/$0" "http://$FROM_HOST/v2/$NAME/blobs/$0"
    openssl dgst -sha256 -r -out "$TARGET/$0.sum" "$TARGET/$0"'
"#;

/// Four concurrent processes, each uploading a blob; then the manifest.
const CURL_PUSH: &str = r#"
echo "$BLOBS" | xargs -n1 -P4 sh -ec '
    session=$(curl -sSf -o /dev/null -w "%header{location}" -X POST "http://$TO_HOST/v2/$NAME/blobs/uploads/")
    curl -sSf -o /dev/null -H "Content-Type: application/octet-stream" -T "$LAYOUT/blobs/sha256/${0#sha256:}" "http://$TO_HOST$session&digest=$0"'
curl -sSf -o /dev/null -H "Content-Type: $MEDIA_TYPE" -T "$LAYOUT/blobs/sha256/${DIGEST#sha256:}" "http://$TO_HOST/v2/$NAME/manifests/bench"
"#;

const CURL_PUSH_HASH: &str = r#"
echo "$BLOBS" | xargs -n1 -P4 sh -ec '
    openssl dgst -sha256 -r -out "$SCRATCH/$0.sum" "$LAYOUT/blobs/sha256/${0#sha256:}"
    session=$(curl -sSf -o /dev/null -w "%header{location}" -X POST "http://$TO_HOST/v2/$NAME/blobs/uploads/")
    curl -sSf -o /dev/null -H "Content-Type: application/octet-stream" -T "$LAYOUT/blobs/sha256/${0#sha256:}" "http://$TO_HOST$session&digest=$0"'
curl -sSf -o /dev/null -H "Content-Type: $MEDIA_TYPE" -T "$LAYOUT/blobs/sha256/${DIGEST#sha256:}" "http://$TO_HOST/v2/$NAME/manifests/bench"
"#;

const CURL_COPY: &str = r#"
echo "$BLOBS" | xargs -n1 -P4 sh -ec '
    session=$(curl -sSf -o /dev/null -w "%header{location}" -X POST "http://$TO_HOST/v2/$NAME/blobs/uploads/")
    curl -sSf "http://$FROM_HOST/v2/$NAME/blobs/$0" |
        curl -sSf -o /dev/null -H "Content-Type: application/octet-stream" -T - "http://$TO_HOST$session&digest=$0"'
curl -sSf -o "$SCRATCH/manifest" -H "Accept: $MEDIA_TYPE" "http://$FROM_HOST/v2/$NAME/manifests/$DIGEST"
curl -sSf -o /dev/null -H "Content-Type: $MEDIA_TYPE" -T "$SCRATCH/manifest" "http://$TO_HOST/v2/$NAME/manifests/bench"
"#;

const CURL_COPY_HASH: &str = r#"
echo "$BLOBS" | xargs -n1 -P4 sh -ec '
    session=$(curl -sSf -o /dev/null -w "%header{location}" -X POST "http://$TO_HOST/v2/$NAME/blobs/uploads/")
    { curl -sSf "http://$FROM_HOST/v2/$NAME/blobs/$0" | tee /dev/fd/3 | openssl dgst -sha256 -r -out "$SCRATCH/$0.sum"; } 3>&1 |
        curl -sSf -o /dev/null -H "Content-Type: application/octet-stream" -T - "http://$TO_HOST$session&digest=$0"'
curl -sSf -o "$SCRATCH/manifest" -H "Accept: $MEDIA_TYPE" "http://$FROM_HOST/v2/$NAME/manifests/$DIGEST"
curl -sSf -o /dev/null -H "Content-Type: $MEDIA_TYPE" -T "$SCRATCH/manifest" "http://$TO_HOST/v2/$NAME/manifests/bench"
"#;

/// The manifest and the configuration, on one connection. `BLOBS` begins with the configuration.
const CURL_INSPECT: &str = r#"
curl -sSf -H "Accept: $MEDIA_TYPE" "http://$FROM_HOST/v2/$NAME/manifests/bench" --output "$SCRATCH/manifest" \
    --next -sSf "http://$FROM_HOST/v2/$NAME/blobs/$(echo "$BLOBS" | head -n 1)"
"#;

/// Lists layers in order. Applies no whiteouts and computes no digests.
const CURL_LIST: &str = r#"
for layer in $LAYERS; do
    curl -sSf "http://$FROM_HOST/v2/$NAME/blobs/$layer" | gzip -dc | tar --list
done
"#;

/// The file from the one layer that has it, as if that were known.
const CURL_CAT: &str = r#"
curl -sSf "http://$FROM_HOST/v2/$NAME/blobs/$FILE_LAYER" | gzip -dc | tar --extract --to-stdout "$FILE"
"#;

/// The digest and the diff_id of each layer, two layers at a time.
const OPENSSL_VERIFY: &str = r#"
echo "$LAYERS" | xargs -n1 -P2 sh -ec '
    openssl dgst -sha256 -r "$LAYOUT/blobs/sha256/${0#sha256:}"
    gzip -dc "$LAYOUT/blobs/sha256/${0#sha256:}" | openssl dgst -sha256 -r'
"#;

/// Unpacks layers in order. Applies no whiteouts and computes no digests.
const TAR_UNPACK: &str = r#"
mkdir "$TARGET"
for layer in $LAYERS; do
    gzip -dc "$LAYOUT/blobs/sha256/${layer#sha256:}" | tar --extract --preserve-permissions --numeric-owner --directory "$TARGET"
done
"#;
