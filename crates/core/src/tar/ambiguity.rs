use std::fmt;

/// Why widely used readers interpret an entry differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryAmbiguity {
    /// A link, directory, device or FIFO states a size: some readers skip that many bytes of other entries.
    SizeOnNonFile,
    /// The PAX size differs from the header's.
    PaxSize,
    /// PAX and GNU extensions both set the name or the link target.
    TwoLongNames,
    /// Several PAX headers precede one entry: some readers merge them, others use the last.
    SeveralPaxHeaders,
    /// An extension, or the entry after a PAX header, has the magic of neither POSIX nor GNU: some readers do not apply it.
    ExtensionWithoutMagic,
    /// A PAX record or a GNU long name is empty: some readers use the empty value, others the header's field.
    EmptyExtension,
    /// A PAX record for a name or size occurs twice in one header: some readers use the first, others the last.
    RepeatedPaxRecord,
    /// Several GNU long names precede one entry: some readers use the last, others reject them.
    SeveralLongNames,
    /// A PAX name holds a newline: some readers end the record there.
    NewlineInName,
    /// A global PAX header sets a name or size for later entries: some readers apply it, Go does not.
    GlobalHeader,
    /// A global PAX header between an extension and its entry: some readers keep the extension, Go drops it.
    LostExtension,
    /// A GNU long name continues after a NUL.
    NulInName,
    /// The name of a regular file ends with a slash: some readers create a directory.
    TrailingSlash,
    /// A header without POSIX magic and version has a name prefix: some readers ignore it.
    StrayPrefix,
    /// The header checksum is correct only when summed as signed bytes.
    SignedChecksum,
    /// A sparse file: readers differ on its name and its size, and some do not support it.
    Sparse,
    /// A time before 1970 with a fraction, which readers round differently.
    FractionBefore1970,
    /// A number that some readers cannot represent or parse.
    Number,
    /// An entry without a name, which some readers reject.
    NoName,
    /// A Solaris extended header (type `X`): some readers apply it to the next entry, others list it.
    SolarisHeader,
}

impl EntryAmbiguity {
    /// Every reason, in the order of declaration.
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

impl fmt::Display for EntryAmbiguity {
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
