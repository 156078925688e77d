//! Turns the echo of the terminal off while the user types a secret.

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::{
    io,
    sync::{Mutex, PoisonError},
};

/// The settings of the terminal on standard input from before the echo was turned off; `None` while the echo is on.
#[derive(Default)]
pub(crate) struct Echo(Mutex<Option<Termios>>);

impl Echo {
    /// Turns the echo off. Only line breaks are echoed.
    pub(crate) fn off(&self) -> io::Result<()> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        // Save the settings before changing them: a signal handler may restore them at any time.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        Ok(tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?)
    }

    /// Restores the settings of the terminal. Returns whether the echo was off.
    pub(crate) fn back(&self) -> bool {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // This fails if the terminal is closed. Then there is nothing to restore.
        before.is_some_and(|before| tcsetattr(io::stdin(), OptionalActions::Now, &before).is_ok())
    }
}
