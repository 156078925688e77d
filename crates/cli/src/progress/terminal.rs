//! The terminal on stderr, for drawing bars.

use std::{
    io::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

use indicatif::TermLike;

/// Writes each frame at once, and leaves the cursor at the start of a line. The `^C` that the terminal echoes then does not
/// shift the bars.
#[derive(Debug, Default)]
pub(super) struct Terminal(Mutex<Vec<u8>>);

impl Terminal {
    /// Rows and columns of the terminal; 24 and 80 if they are unknown.
    pub(super) fn size() -> (u16, u16) {
        let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
        size.filter(|size| size.ws_row > 0 && size.ws_col > 0).map_or((24, 80), |size| (size.ws_row, size.ws_col))
    }

    fn drawn(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn go(&self, count: usize, direction: char) -> io::Result<()> {
        if count > 0 { write!(self.drawn(), "\x1b[{count}{direction}") } else { Ok(()) }
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        Self::size().1
    }

    fn height(&self) -> u16 {
        Self::size().0
    }

    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        self.go(count, 'A')
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        self.go(count, 'B')
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        self.go(count, 'C')
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        self.go(count, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        writeln!(self.drawn(), "{text}")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.drawn().write_all(text.as_bytes())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let mut drawn = std::mem::take(&mut *self.drawn());
        drawn.push(b'\r');
        io::stderr().write_all(&drawn)
    }
}
