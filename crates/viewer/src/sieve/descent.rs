//! A filter on its way down a tree: what holds for a path follows from what holds for the directory above it, and from its name.

use super::{
    Expression, PathFilter,
    automaton::{Run, State},
};
use porthole_core::path;
use std::num::NonZeroU32;

/// One application of a filter to many paths. Names have numbers: equal names have equal ones.
pub(crate) struct Descent<'f> {
    engine: Engine<'f>,
    /// By the number of a name: the state that it was added to last, and the result.
    latest: Vec<Option<(State, Place)>>,
}

/// What is known of a path: twice the number after that of its state, and one more if the filter names the path. Never 0, so that an
/// option takes no more memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(NonZeroU32);

impl Place {
    fn new(state: State, fits: bool) -> Self {
        // No state has a larger number than `State::FITS`, so nothing is lost.
        let number = (state.0 + 1) << 1 | u32::from(fits);
        Self(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
    }

    fn state(self) -> State {
        State((self.0.get() >> 1) - 1)
    }

    /// Whether the filter names the path.
    pub(crate) fn fits(self) -> bool {
        self.0.get() & 1 == 1
    }
}

enum Engine<'f> {
    All,
    None,
    Text(&'f str, Vec<u32>),
    Name(&'f Expression, Option<Run<'f>>),
    Path(&'f Expression, Option<Run<'f>>),
}

impl<'f> Descent<'f> {
    /// Begins at the root, for a tree with this number of names.
    pub(crate) fn new(filter: &'f PathFilter, names: usize) -> Self {
        let run = |expression: &'f Expression| expression.automaton.as_ref().map(|automaton| automaton.run());
        let engine = match filter {
            PathFilter::All => Engine::All,
            PathFilter::Invalid(_) => Engine::None,
            PathFilter::Text(text) => Engine::Text(text, borders(text.as_bytes())),
            PathFilter::Name(expression) => Engine::Name(expression, run(expression)),
            PathFilter::Path(expression) => Engine::Path(expression, run(expression)),
        };
        Self { engine, latest: vec![None; names] }
    }

    /// The root, which no filter names.
    pub(crate) fn root(&mut self) -> Place {
        let state = match &mut self.engine {
            Engine::Path(_, run) => start(run),
            _ => State(0),
        };
        Place::new(state, false)
    }

    /// A path whose last component is `name`, in a directory at `above`; `top`: that is the root. `path` makes the whole path.
    pub(crate) fn enter(
        &mut self,
        above: Place,
        top: bool,
        name: (usize, &[u8]),
        path: impl FnOnce() -> Vec<u8>,
    ) -> Place {
        let (number, name) = name;
        if let Some(Some((from, to))) = self.latest.get(number)
            && *from == above.state()
            && !top
        {
            return *to;
        }
        let Some(place) = self.engine.add(above.state(), top, name) else {
            // The slow way, for all that follows.
            let fits = self.engine.fits(path);
            return Place::new(above.state(), fits);
        };
        if let Some(latest) = self.latest.get_mut(number).filter(|_| !top) {
            *latest = Some((above.state(), place));
        }
        place
    }
}

fn start(run: &mut Option<Run<'_>>) -> State {
    let state = run.as_mut().and_then(Run::start);
    if state.is_none() {
        *run = None;
    }
    state.unwrap_or(State(0))
}

impl Engine<'_> {
    fn add(&mut self, state: State, top: bool, name: &[u8]) -> Option<Place> {
        let of = |fits| Place::new(if fits { State::FITS } else { State::NEVER }, fits);
        let place = match self {
            Self::All => of(true),
            Self::None => of(false),
            Self::Text(text, borders) => {
                let state = find(text.as_bytes(), borders, state, name);
                Place::new(state, state == State::FITS)
            }
            Self::Name(expression, run) => {
                let first = start(run);
                let fits = match through(run, first, false, name) {
                    Some(place) => place.fits(),
                    None => expression.regex.is_match(&path::escape(name)),
                };
                // A name does not depend on those above, so its place is the same everywhere.
                Place::new(State(0), fits)
            }
            Self::Path(_, run) => through(run, state, !top, name)?,
        };
        Some(place)
    }

    /// Whether a path fits, without an automaton.
    fn fits(&self, path: impl FnOnce() -> Vec<u8>) -> bool {
        matches!(self, Self::Path(expression, _) if expression.regex.is_match(&path::escape(&path())))
    }
}

/// Lets an automaton read a name, after a slash if there is something before it.
fn through(run: &mut Option<Run<'_>>, state: State, slash: bool, name: &[u8]) -> Option<Place> {
    let read = |run: &mut Run<'_>| {
        let state = if slash { run.feed(state, b"/")? } else { state };
        let state = run.feed(state, path::escape(name).as_bytes())?;
        Some(Place::new(state, run.fits(state)?))
    };
    let place = read(run.as_mut()?);
    if place.is_none() {
        *run = None;
    }
    place
}

/// Searches on in a name, after a slash, for lower-case text. The state is the number of its bytes that match so far.
fn find(text: &[u8], borders: &[u32], state: State, name: &[u8]) -> State {
    if state.is_final() {
        return state;
    }
    let mut matched = state.0;
    let shown = path::escape(name);
    let lower;
    let shown = match shown.is_ascii() {
        true => shown.as_bytes(),
        false => {
            lower = shown.to_lowercase();
            lower.as_bytes()
        }
    };
    for byte in std::iter::once(b'/').chain(shown.iter().map(u8::to_ascii_lowercase)) {
        while matched > 0 && text.get(matched as usize) != Some(&byte) {
            matched = borders[matched as usize - 1];
        }
        matched += u32::from(text.get(matched as usize) == Some(&byte));
        if matched as usize == text.len() {
            return State::FITS;
        }
    }
    State(matched)
}

/// For each beginning of a text, the length of its longest part that is both a proper beginning and an end of it.
fn borders(text: &[u8]) -> Vec<u32> {
    let mut borders = vec![0_u32; text.len()];
    let mut length = 0;
    for at in 1..text.len() {
        while length > 0 && text[length] != text[at] {
            length = borders[length - 1] as usize;
        }
        length += usize::from(text[length] == text[at]);
        borders[at] = length as u32;
    }
    borders
}
