//! What is typed on the terminal and not shown.

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::{
    io,
    sync::{Mutex, PoisonError},
};

/// The terminal on standard input, and how it was before it hid what is typed.
#[derive(Default)]
pub(crate) struct Echo(Mutex<Option<Termios>>);

impl Echo {
    /// From now on only the ends of lines are shown.
    pub(crate) fn off(&self) -> io::Result<()> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        // Kept first: a signal may come at any time.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        Ok(tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?)
    }

    /// The terminal is as it was before. Returns whether that makes a difference.
    pub(crate) fn back(&self) -> bool {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A terminal that is gone needs nothing.
        before.is_some_and(|before| tcsetattr(io::stdin(), OptionalActions::Now, &before).is_ok())
    }
}
