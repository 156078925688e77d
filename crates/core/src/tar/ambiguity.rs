use std::fmt;

/// Why well-known readers list an entry differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ambiguity {
    /// A link, directory, device or FIFO states a size: some readers skip that many bytes of other entries.
    SizeOnNonFile,
    /// The PAX size differs from the header's.
    PaxSize,
    /// PAX and GNU extensions both give the name or the link target.
    TwoLongNames,
    /// Several PAX headers stand before one entry: some readers merge them, others take the last.
    SeveralPaxHeaders,
    /// An extension, or the entry after a PAX header, has the magic of neither POSIX nor GNU: some readers do not apply it.
    ExtensionWithoutMagic,
    /// A PAX record or a GNU long name is empty: some readers take the empty value, others the header's.
    EmptyExtension,
    /// A PAX record of a name or a size stands twice in one header: some readers take the first, others the last.
    RepeatedPaxRecord,
    /// Several GNU long names stand before one entry: some readers take the last, others refuse them.
    SeveralLongNames,
    /// A PAX name holds a newline: some readers end the record there.
    NewlineInName,
    /// A global PAX header gives what follows a name or a size: some readers apply it, Go does not.
    GlobalHeader,
    /// A global PAX header stands between an extension and the entry it is for: some readers keep the extension.
    LostExtension,
    /// A GNU long name goes on after its NUL.
    NulInName,
    /// A regular file's name ends with a slash: some readers make it a directory.
    TrailingSlash,
    /// A name prefix is stored where not every reader looks for one: in a header without POSIX magic and version.
    StrayPrefix,
    /// The header checksum is right only when summed with signed bytes.
    SignedChecksum,
    /// A sparse file: readers differ in its name, its size and whether they read it at all.
    Sparse,
    /// A time before 1970 with a fraction, which readers round differently.
    FractionBefore1970,
    /// A number that not every reader can represent, or that is written as only some read it.
    Number,
    /// An entry without a name, which some readers refuse.
    NoName,
    /// An extended header of Solaris: some readers apply it to the next entry, others list it as one.
    SolarisHeader,
}

impl Ambiguity {
    /// Every reason there is.
    pub const ALL: [Self; 20] = [
        Self::SizeOnNonFile,
        Self::PaxSize,
        Self::TwoLongNames,
        Self::SeveralPaxHeaders,
        Self::ExtensionWithoutMagic,
        Self::EmptyExtension,
        Self::RepeatedPaxRecord,
        Self::SeveralLongNames,
        Self::NewlineInName,
        Self::GlobalHeader,
        Self::LostExtension,
        Self::NulInName,
        Self::TrailingSlash,
        Self::StrayPrefix,
        Self::SignedChecksum,
        Self::Sparse,
        Self::FractionBefore1970,
        Self::Number,
        Self::NoName,
        Self::SolarisHeader,
    ];
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SizeOnNonFile => "states a size but can have no data",
            Self::PaxSize => "PAX and header sizes differ",
            Self::TwoLongNames => "named by PAX and GNU extensions",
            Self::SeveralPaxHeaders => "several PAX headers",
            Self::ExtensionWithoutMagic => "extension without POSIX or GNU magic",
            Self::EmptyExtension => "empty PAX record or long name",
            Self::RepeatedPaxRecord => "PAX record given twice",
            Self::SeveralLongNames => "several long names",
            Self::NewlineInName => "newline in a PAX name",
            Self::GlobalHeader => "global PAX header",
            Self::LostExtension => "extension before a global PAX header",
            Self::NulInName => "NUL in a GNU long name",
            Self::TrailingSlash => "regular file whose name ends with a slash",
            Self::StrayPrefix => "name prefix without POSIX magic",
            Self::SignedChecksum => "signed header checksum",
            Self::Sparse => "sparse file",
            Self::FractionBefore1970 => "time before 1970 with a fraction",
            Self::Number => "number out of the common range or form",
            Self::NoName => "entry without a name",
            Self::SolarisHeader => "extended header of Solaris",
        })
    }
}
