//! The part of a look that is on the screen: its view, open directories, the window and the selection.

use super::Look;
use crate::{
    listing::Expansion,
    protocol::{Event, FileView},
};
use porthole_core::path;

impl Look {
    /// Lists the rows of another view.
    pub(crate) fn set_view(&mut self, view: FileView) {
        if view.filter != self.view.filter {
            self.sifted = Expansion::all();
        }
        self.view = view;
        self.relist();
    }

    /// The window on the screen.
    pub(crate) fn set_window(&mut self, window: std::ops::Range<u64>, out: &mut Vec<Event>) {
        self.window = window;
        if !self.stale {
            self.show(out);
        }
    }

    /// Opens or closes a directory.
    pub(crate) fn open(&mut self, path: &str, open: bool) {
        if let Some(path) = path::unescape(path) {
            self.expansion_mut().set(&path, open);
            self.relist();
        }
    }

    /// Opens or closes every directory.
    pub(crate) fn open_all(&mut self, open: bool) {
        *self.expansion_mut() = if open { Expansion::all() } else { Expansion::default() };
        self.relist();
    }

    /// Selects a path and opens what is above it.
    pub(crate) fn select(&mut self, path: Option<&str>) {
        self.selected = path.and_then(path::unescape);
        self.reported = None;
        if let Some(selected) = &self.selected {
            self.expansion.reveal(selected);
            self.sifted.reveal(selected);
        }
        self.relist();
    }

    /// Finds a row of the list by the beginning of its name.
    pub(crate) fn name_row(&self, text: &str, from: u64, out: &mut Vec<Event>) {
        let Some(body) = &self.body else { return };
        let found = body.listing.begins_with(body.tree(&self.view), text, from);
        let path = found.map(|found| path::escape(&found).into_owned());
        out.push(Event::RowNamed { look: self.number, path });
    }

    /// The layer that must be read again for what is shown; it counts as asked for.
    pub(crate) fn ask_alone(&mut self) -> Option<u32> {
        let layer = self.body.as_mut()?.ask_alone(&self.view, self.limits.tree_nodes)?;
        self.relist();
        Some(layer)
    }

    pub(super) fn is_read_again(&mut self, layer: u32) -> bool {
        self.body.as_mut().is_some_and(|body| body.reading_alone(layer).is_some())
    }

    pub(super) fn sifting(&self) -> bool {
        !self.view.filter.is_empty() || !self.view.changes.all()
    }

    pub(super) fn expansion_mut(&mut self) -> &mut Expansion {
        if self.sifting() { &mut self.sifted } else { &mut self.expansion }
    }

    pub(super) fn relist(&mut self) {
        self.stale = true;
        self.listing.hurry();
    }
}
