//! Writes the content of a file as it arrives.

use std::{fs::File, io, os::unix::fs::FileExt};

/// Unit of holes: the block size of most file systems.
const BLOCK: usize = 4096;

/// A new file being written. It skips whole blocks of zeros, which become holes on file systems that support them. So a
/// sparse file in the archive stays sparse on disk.
pub(crate) struct FileWriter {
    file: File,
    position: u64,
    /// End of the data written so far.
    end: u64,
}

impl FileWriter {
    pub(crate) fn new(file: File) -> Self {
        Self { file, position: 0, end: 0 }
    }

    /// Appends data to the file.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (zeros, rest) = self.split_zeros(bytes);
            self.position += zeros as u64;
            let length = self.before_zeros(rest);
            let (now, later) = rest.split_at(length);
            if !now.is_empty() {
                self.file.write_all_at(now, self.position)?;
                self.position += length as u64;
                self.end = self.position;
            }
            bytes = later;
        }
        Ok(())
    }

    /// Completes the file and sets its length.
    pub(crate) fn finish(self) -> io::Result<File> {
        if self.position > self.end {
            self.file.set_len(self.position)?;
        }
        Ok(self.file)
    }

    /// Length of the leading whole blocks of zeros, and the data after them.
    fn split_zeros<'b>(&self, bytes: &'b [u8]) -> (usize, &'b [u8]) {
        if !self.position.is_multiple_of(BLOCK as u64) {
            return (0, bytes);
        }
        let blocks = bytes.chunks_exact(BLOCK).take_while(|block| is_zero(block)).count();
        (blocks * BLOCK, &bytes[blocks * BLOCK..])
    }

    /// Number of bytes before the next whole block of zeros.
    fn before_zeros(&self, bytes: &[u8]) -> usize {
        let unaligned = (self.position.next_multiple_of(BLOCK as u64) - self.position) as usize;
        let Some(aligned) = bytes.get(unaligned..) else { return bytes.len() };
        let blocks = aligned.chunks_exact(BLOCK).position(is_zero);
        blocks.map_or(bytes.len(), |blocks| unaligned + blocks * BLOCK)
    }
}

fn is_zero(block: &[u8]) -> bool {
    // Most blocks have a non-zero byte near their start, so check that first.
    let (head, rest) = block.split_at(16.min(block.len()));
    head.iter().all(|&byte| byte == 0) && rest.chunks(128).all(|part| part.iter().fold(0, |all, byte| all | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::MetadataExt};

    /// Writes the pieces. Returns the content and the disk space used.
    fn write(pieces: &[&[u8]]) -> (Vec<u8>, u64) {
        let place = tempfile::tempdir().expect("a temporary directory can be made");
        let path = place.path().join("file");
        let mut content = FileWriter::new(File::create(&path).expect("a file can be made"));
        for piece in pieces {
            content.write(piece).expect("it can be written");
        }
        let file = content.finish().expect("it can be finished");
        let blocks = file.metadata().expect("it is there").blocks();
        (fs::read(&path).expect("it can be read"), blocks * 512)
    }

    #[test]
    fn any_pieces_leave_the_same_content() {
        let zeros = [0; 5 * BLOCK];
        let mut noise = vec![7; 3 * BLOCK + 5];
        noise[BLOCK..2 * BLOCK].fill(0);
        for pieces in [
            vec![],
            vec![&b"a"[..]],
            vec![&zeros[..1]],
            vec![&zeros[..]],
            vec![&zeros[..BLOCK + 1]],
            vec![&noise[..], &zeros[..], &noise[..3], &zeros[..], &zeros[..7]],
            vec![&noise[..10], &noise[10..BLOCK + 20], &noise[BLOCK + 20..]],
            vec![&zeros[..100], &zeros[..], &b"x"[..], &zeros[..]],
            vec![&b"x"[..], &zeros[..], &b"y"[..]],
        ] {
            assert_eq!(write(&pieces).0, pieces.concat());
        }
    }

    #[test]
    fn zeros_take_no_room() {
        let zeros = vec![0; 64 << 20];
        let (content, room) = write(&[b"start", &zeros, b"end", &zeros]);
        assert_eq!(content.len(), 8 + 2 * zeros.len());
        assert!(room < 1 << 20, "{room} bytes on the disk");
    }
}
