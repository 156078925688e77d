//! Picks the databases out of a layer while it is read: one pass, and only the databases are held in memory.

use crate::database::{self, DatabaseKind, GoScan, Record, Unreadable};
use porthole_core::{
    path,
    tar::{Entry, Kind},
};

/// The package databases of one layer.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Its databases, in archive order.
    pub databases: Vec<Database>,
    /// Databases that could not be read.
    pub unread: Vec<Unread>,
    /// The layer could not be read. Its changes are not known, so none of them counts.
    pub lost: bool,
}

/// A database in one layer.
#[derive(Clone, Debug)]
pub struct Database {
    /// Clean path of its file, as the archive states it.
    pub path: Vec<u8>,
    /// Where its data starts in the archive of the layer.
    pub offset: u64,
    /// The records that it contains.
    pub records: Vec<Record>,
}

/// A database that could not be read, so that its packages are missing.
#[derive(Clone, Debug)]
pub struct Unread {
    /// Clean path of its file.
    pub path: Vec<u8>,
    /// Why it was not read.
    pub why: Unreadable,
}

/// Collects the databases of one layer. What it collects is provisional until the layer is verified.
#[derive(Debug, Default)]
pub struct DatabaseCollector {
    collected: Collected,
    taking: Option<Taking>,
    /// A database of rpm and the log beside it, until both are read.
    rpm: RpmFiles,
    /// Digests that dpkg keeps in files of their own are read as well.
    recorded: bool,
}

/// rpm's database in SQLite, and its write-ahead log, as files of one directory.
#[derive(Debug, Default)]
struct RpmFiles {
    /// Path, place, content.
    database: Option<(Vec<u8>, u64, Vec<u8>)>,
    /// Path and content of its write-ahead log.
    log: Option<(Vec<u8>, Vec<u8>)>,
}

impl RpmFiles {
    /// The database read together with its log, once both were collected from one directory.
    fn read(&self) -> Option<(&[u8], u64, ReadRecords)> {
        let ((path, offset, database), (of_log, log)) = (self.database.as_ref()?, self.log.as_ref()?);
        let is_beside = of_log.strip_suffix(LOG_SUFFIX) == Some(path);
        is_beside.then(|| (path.as_slice(), *offset, database::read_rpm_with_log(database, log)))
    }
}

/// The records of a database, or why it was not read.
type ReadRecords = Result<Vec<Record>, Unreadable>;

/// The suffix that SQLite appends to the name of a database for its log.
const LOG_SUFFIX: &[u8] = b"-wal";

/// The file whose data is being collected.
#[derive(Debug)]
struct Taking {
    kind: DatabaseKind,
    path: Vec<u8>,
    offset: u64,
    content: Held,
}

#[derive(Debug)]
enum Held {
    Whole(Vec<u8>),
    /// A program: all of it if it is small enough, and the search for Go's build information.
    Program {
        bytes: Vec<u8>,
        whole: bool,
        go: GoScan,
    },
    /// A file that is not a program, although its mode says so.
    Nothing,
}

/// How the files of programs start: ELF, PE, Mach-O (both widths, and both in one file).
const PROGRAMS: [&[u8]; 5] = [b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe"];

impl DatabaseCollector {
    /// A collector that also reads the digests that package managers record, in databases and in files of their own.
    pub fn with_recorded() -> Self {
        Self { recorded: true, ..Self::default() }
    }

    /// Starts with an entry. Returns whether its data is wanted.
    pub fn begin(&mut self, entry: &Entry) -> bool {
        self.taking = None;
        if entry.kind != Kind::File || entry.size == 0 {
            return false;
        }
        let path = path::clean(&entry.path);
        let Some(kind) = DatabaseKind::of(&path, entry.permissions()) else { return false };
        if kind == DatabaseKind::DpkgRecorded && !self.recorded {
            return false;
        }
        let (name, limit) = kind.limit();
        let content = match kind {
            DatabaseKind::Binary => {
                Held::Program { bytes: Vec::new(), whole: entry.size <= limit, go: GoScan::default() }
            }
            _ if entry.size > limit => {
                self.collected.unread.push(Unread { path, why: Unreadable::bytes(name, limit) });
                return false;
            }
            // The size is only a claim, so memory is allocated as bytes arrive.
            _ => Held::Whole(Vec::new()),
        };
        self.taking = Some(Taking { kind, path, offset: entry.offset, content });
        true
    }

    /// Takes data of the entry.
    pub fn push(&mut self, data: &[u8]) {
        let Some(taking) = &mut self.taking else { return };
        match &mut taking.content {
            Held::Whole(bytes) => bytes.extend_from_slice(data),
            Held::Program { bytes, whole, go } => {
                if bytes.is_empty() && !PROGRAMS.iter().any(|magic| data.starts_with(magic)) {
                    taking.content = Held::Nothing;
                    return;
                }
                go.push(data);
                if *whole || bytes.is_empty() {
                    bytes.extend_from_slice(data);
                }
            }
            Held::Nothing => {}
        }
    }

    /// Ends the entry and reads the data that was kept.
    pub fn end(&mut self) {
        let Some(Taking { kind, path, offset, content }) = self.taking.take() else { return };
        let content = match (kind, content) {
            (DatabaseKind::Rpm, Held::Whole(bytes)) if database::may_have_log(&bytes) => {
                self.rpm.database = Some((path.clone(), offset, bytes));
                return self.end_rpm(kind, path, offset);
            }
            (DatabaseKind::RpmLog, Held::Whole(bytes)) => {
                self.rpm.log = Some((path.clone(), bytes));
                return self.end_rpm(kind, path, offset);
            }
            (_, content) => content,
        };
        let records = match content {
            Held::Nothing => return,
            Held::Whole(bytes) => database::read(kind, &path, &bytes),
            Held::Program { bytes, whole, go } => match go.finish() {
                Some(found) => database::read_go(&found),
                None if whole => database::read(kind, &path, &bytes),
                None => return,
            },
        };
        self.add(path, offset, records);
    }

    /// Reads rpm's database with its log, as far as the log is known. The result replaces what was read without the log.
    fn end_rpm(&mut self, kind: DatabaseKind, path: Vec<u8>, offset: u64) {
        if let Some((of_database, offset, records)) = self.rpm.read() {
            let of_database = of_database.to_vec();
            self.collected.databases.retain(|known| (&known.path, known.offset) != (&of_database, offset));
            self.collected.unread.retain(|known| known.path.strip_suffix(LOG_SUFFIX) != Some(of_database.as_slice()));
            match records {
                // An empty result also replaces what was read without the log.
                Ok(records) => self.collected.databases.push(Database { path: of_database, offset, records }),
                Err(why) => self.collected.unread.push(Unread { path: of_database, why }),
            }
            return;
        }
        let bytes = match (kind, &self.rpm) {
            (DatabaseKind::Rpm, RpmFiles { database: Some((.., bytes)), .. }) => bytes.as_slice(),
            _ => &[],
        };
        let records = database::read(kind, &path, bytes);
        self.add(path, offset, records);
    }

    fn add(&mut self, path: Vec<u8>, offset: u64, records: ReadRecords) {
        match records {
            Ok(records) if records.is_empty() => {}
            Ok(records) => self.collected.databases.push(Database { path, offset, records }),
            Err(why) => self.collected.unread.push(Unread { path, why }),
        }
    }

    /// What was collected since the last call. A database that is still being read is not part of it.
    pub fn take(&mut self) -> Collected {
        std::mem::take(&mut self.collected)
    }

    /// Everything that was collected.
    pub fn finish(self) -> Collected {
        self.collected
    }
}
