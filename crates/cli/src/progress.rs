//! How far things are, on stderr.

mod moving;
mod reading;

pub(crate) use self::{moving::Show, reading::Meter};

use crate::{args::Progress, ui::Ui};
use std::{
    io::{self, IsTerminal},
    time::Duration,
};

/// The form that it takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Line,
    Plain,
    Json,
    None,
}

impl Look {
    fn of(ui: &Ui) -> Self {
        match ui.progress {
            Progress::Auto if io::stderr().is_terminal() => Self::Line,
            Progress::Auto | Progress::None => Self::None,
            Progress::Plain => Self::Plain,
            Progress::Json => Self::Json,
        }
    }
}

/// How often a person, or a program, wants to be told.
const EVERY: Duration = Duration::from_millis(100);
