//! The file tree as a table of rows, of which only those on the screen exist.

mod ahead;
mod columns;
mod row;
mod viewport;

use ahead::Ahead;
pub use columns::columns;
use porthole_viewer::protocol::{FileRow, FileView as Listing, RowKind, RowWindow, Selection};
use porthole_viewer::state::Action;
use row::row;
use std::{cell::Cell, rc::Rc};
use viewport::Viewport;
use wasm_bindgen::{JsCast as _, closure::Closure};
use web_sys::{HtmlElement, ResizeObserver};
use yew::prelude::*;

/// Properties of [`Tree`].
#[derive(Properties, PartialEq)]
pub struct TreeProps {
    /// The rows that the session sent last.
    pub rows: Rc<RowWindow>,
    /// What they list; another list starts at its top.
    pub listing: Listing,
    /// Number of the look.
    pub look: u32,
    /// The selected entry.
    pub selection: Option<Rc<Selection>>,
    /// The wanted path, selected or not yet.
    pub path: Option<String>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The file tree.
pub struct Tree {
    node: NodeRef,
    viewport: Viewport,
    /// Where to scroll to once the list has its new height.
    scroll: Option<f64>,
    /// Rows asked for last.
    asked: (u64, u64),
    /// The row that the keyboard is on.
    active: u64,
    /// The path asked for from here, whose row is on its way.
    wanted: Option<String>,
    /// The keyboard moved to a row that is not here yet: select it when it comes.
    follows: bool,
    /// The address named the selected row, and the person has not scrolled since: the row stays in sight while rows come above it.
    pinned: bool,
    /// The keyboard is in the tree.
    focused: bool,
    /// The beginning of a name that is being typed.
    ahead: Option<Ahead>,
    /// Rows are being removed and added: a focus that goes now did not go by itself.
    patching: Rc<Cell<bool>>,
    observer: Option<(ResizeObserver, Closure<dyn FnMut()>)>,
}

/// Events of the tree.
pub enum Message {
    /// It was scrolled or resized.
    Moved,
    /// It was drawn for another size than it has.
    Redraw,
    /// The user begins to scroll by hand.
    Touched,
    /// A key was pressed in it.
    Key(KeyboardEvent),
    /// A row was clicked.
    Clicked(u64),
    /// A row was clicked twice.
    Opened(u64),
    /// The focus came to a row, or to the tree itself.
    Focused(Option<u64>),
    /// The focus left.
    Blurred,
}

impl Component for Tree {
    type Message = Message;
    type Properties = TreeProps;

    fn create(ctx: &Context<Self>) -> Self {
        Self {
            node: NodeRef::default(),
            viewport: Viewport::new(ctx.props().rows.total),
            scroll: None,
            asked: (0, 0),
            active: ctx.props().selection.as_ref().and_then(|selection| selection.index).unwrap_or(0),
            wanted: ctx.props().path.clone(),
            follows: false,
            pinned: ctx.props().path.is_some(),
            focused: false,
            ahead: None,
            patching: Rc::default(),
            observer: None,
        }
    }

    fn changed(&mut self, ctx: &Context<Self>, old: &TreeProps) -> bool {
        let props = ctx.props();
        self.viewport.set_total(props.rows.total);
        if props.look != old.look {
            self.asked = (0, 0);
            self.wanted.clone_from(&props.path);
        }
        if props.look != old.look || props.listing != old.listing {
            self.active = 0;
            self.scroll = Some(0.0);
            self.wanted.clone_from(&props.path);
            self.pinned = props.path.is_some();
        } else if props.path != old.path && props.path.is_some() && self.wanted != props.path {
            self.wanted.clone_from(&props.path);
            self.pinned = true;
        }
        self.adopt_selection(ctx);
        self.active = self.active.min(props.rows.total.saturating_sub(1));
        if self.follows {
            self.select_active(ctx, true);
        }
        true
    }

    fn update(&mut self, ctx: &Context<Self>, message: Message) -> bool {
        match message {
            Message::Moved => self.measure(),
            Message::Redraw => true,
            Message::Touched => {
                self.pinned = false;
                false
            }
            Message::Focused(row) => {
                self.focused = true;
                let moved = row.is_some_and(|row| row != self.active);
                self.active = row.unwrap_or(self.active);
                moved
            }
            Message::Blurred => {
                self.focused = false;
                self.ahead.take().is_some()
            }
            Message::Clicked(index) => {
                self.ahead = None;
                self.active = index;
                self.focused = true;
                self.select_active(ctx, false);
                if let Some(row) = self.row(ctx, index).filter(|row| row.has_children) {
                    ctx.props().dispatch.emit(Action::Expand(row.path.clone(), !row.expanded));
                }
                true
            }
            Message::Opened(index) => {
                self.read(ctx, index);
                false
            }
            Message::Key(event) => self.key(ctx, &event),
        }
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        let props = ctx.props();
        let rows = &props.rows;
        let link = ctx.link();
        let (from, to) = self.viewport.drawn();
        let selected = props.selection.as_ref().map(|selection| selection.row.path.as_str());
        let drawn = (from..to).map(|index| {
            let clicks =
                [link.callback(move |_| Message::Clicked(index)), link.callback(move |_| Message::Opened(index))];
            let active = index == self.active;
            row(self.row(ctx, index), index, rows.largest, selected, active, props.listing.mode, clicks)
        });
        let height = format!("height:{}px", self.viewport.scroll_height());
        let offset = format!("transform:translateY({}px)", self.viewport.offset_of(from) as i64);
        let onkeydown = link.callback(Message::Key);
        let patching = Rc::clone(&self.patching);
        patching.set(true);
        let onfocusout = link.batch_callback(move |event: FocusEvent| {
            let goes = !patching.get() && !stays_within(&event);
            goes.then_some(Message::Blurred)
        });
        html! {
            <>
                if let Some(ahead) = &self.ahead {
                    { ahead.draw(self.row(ctx, self.active).map(|row| row.name.as_str())) }
                }
                <div id="tree" ref={self.node.clone()} role={if rows.total == 0 { "region" } else { "tree" }} aria-label="Files" aria-busy={(!rows.complete).to_string()}
                    tabindex={if rows.total == 0 { "0" } else { "-1" }} data-total={rows.total.to_string()} data-complete={rows.complete.to_string()}
                    onscroll={link.callback(|_| Message::Moved)} onwheel={link.callback(|_| Message::Touched)}
                    onpointerdown={link.callback(|_| Message::Touched)} {onkeydown}
                    onfocusin={link.callback(|event: FocusEvent| Message::Focused(index_of(&event)))} {onfocusout}>
                    <div class="sizer" ~style={height} />
                    <div class="rows" role="presentation" ~style={offset}>{ for drawn }</div>
                    if rows.total == 0 {
                        <p class="note">{ if rows.complete { "Nothing to list here." } else { "Waiting for the first files…" } }</p>
                    }
                </div>
            </>
        }
    }

    fn rendered(&mut self, ctx: &Context<Self>, first: bool) {
        self.patching.set(false);
        let mut moved = false;
        if first {
            self.observe(ctx);
            // Where rows are here already, the first drawing was made for a list of no height.
            moved = self.measure();
            self.adopt_selection(ctx);
        }
        self.carry_out_scroll();
        if self.measure() || moved {
            ctx.link().send_message(Message::Redraw);
        }
        let wanted = self.viewport.wanted();
        if !(self.asked.0 <= wanted.0 && wanted.1 <= self.asked.1) {
            self.asked = self.viewport.ahead();
            ctx.props().dispatch.emit(Action::Window(self.asked.0, self.asked.1));
        }
        self.keep_focus();
    }

    fn destroy(&mut self, _ctx: &Context<Self>) {
        if let Some((observer, _)) = self.observer.take() {
            observer.disconnect();
        }
    }
}

impl Tree {
    /// The row at an index, if the session has sent it.
    fn row<'c>(&self, ctx: &'c Context<Self>, index: u64) -> Option<&'c FileRow> {
        let rows = &ctx.props().rows;
        rows.rows.get(usize::try_from(index.checked_sub(rows.from)?).ok()?)
    }

    /// Reads where the browser has scrolled to. Returns whether that changes what is drawn.
    fn measure(&mut self) -> bool {
        let Some(node) = self.node.cast::<HtmlElement>() else { return false };
        self.viewport.measure(f64::from(node.scroll_top()), f64::from(node.client_height()))
    }

    fn reveal(&mut self, index: u64) {
        if let Some(top) = self.viewport.top_to_show(index) {
            self.scroll = Some(top);
        }
    }

    fn carry_out_scroll(&mut self) {
        if let (Some(top), Some(node)) = (self.scroll.take(), self.node.cast::<HtmlElement>()) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "scroll heights are capped far below the limit of an i32"
            )]
            node.set_scroll_top(top.round() as i32);
        }
    }

    /// Goes to the row of a path that was asked for, when it arrives.
    fn adopt_selection(&mut self, ctx: &Context<Self>) {
        let Some(selection) = &ctx.props().selection else { return };
        let asked_for = self.wanted.as_ref() == Some(&selection.row.path);
        let Some(index) = selection.index else { return };
        if asked_for {
            self.wanted = None;
            self.active = index;
            self.reveal(index);
        } else if !self.follows && self.wanted.is_none() {
            // Rows came or went above it.
            let before = std::mem::replace(&mut self.active, index);
            if self.pinned {
                self.reveal(index);
            } else if self.focused && before != index {
                self.scroll = Some(self.viewport.top_after(before, index));
            }
        }
    }

    /// Selects the row that the keyboard is on, now or when it arrives.
    fn select_active(&mut self, ctx: &Context<Self>, passing: bool) {
        let path = self.row(ctx, self.active).map(|row| row.path.clone());
        self.follows = path.is_none();
        if path.is_some() && path != ctx.props().path {
            self.wanted.clone_from(&path);
            ctx.props().dispatch.emit(match path {
                Some(path) if passing => Action::Pass(path),
                path => Action::Select(path),
            });
        }
    }

    /// Opens the reading view of a file.
    fn read(&self, ctx: &Context<Self>, index: u64) {
        let file = |row: &&FileRow| matches!(row.kind, RowKind::File | RowKind::Hardlink);
        if let Some(row) = self.row(ctx, index).filter(file) {
            if ctx.props().path.as_ref() != Some(&row.path) {
                ctx.props().dispatch.emit(Action::Select(Some(row.path.clone())));
            }
            ctx.props().dispatch.emit(Action::Reading(true));
        }
    }

    fn key(&mut self, ctx: &Context<Self>, event: &KeyboardEvent) -> bool {
        let is_part = matches!(event.key().as_str(), "Shift" | "CapsLock" | "AltGraph" | "Dead" | "Process");
        if is_part || event.ctrl_key() || event.meta_key() || event.alt_key() {
            return false;
        }
        if let Some(ahead) = &mut self.ahead {
            if let Some(from) = ahead.take(&event.key(), self.active) {
                event.prevent_default();
                if !ahead.text().is_empty() {
                    ctx.props().dispatch.emit(Action::NameRow(ahead.text().to_owned(), from));
                }
                return true;
            }
            // Any other key ends it, and means what it always does; Escape means no more than that.
            self.ahead = None;
            if event.key() == "Escape" {
                event.prevent_default();
                return true;
            }
        }
        let last = ctx.props().rows.total.saturating_sub(1);
        let page = self.viewport.page();
        let row = self.row(ctx, self.active).cloned();
        let expand = |row: &FileRow, open: bool| ctx.props().dispatch.emit(Action::Expand(row.path.clone(), open));
        let target = match (event.key().as_str(), row) {
            ("'", _) => {
                self.ahead = Some(Ahead::default());
                event.prevent_default();
                return true;
            }
            ("ArrowDown", _) => self.active.saturating_add(1).min(last),
            ("ArrowUp", _) => self.active.saturating_sub(1),
            ("PageDown", _) => self.active.saturating_add(page).min(last),
            ("PageUp", _) => self.active.saturating_sub(page),
            ("Home", _) => 0,
            ("End", _) => last,
            ("ArrowRight", Some(row)) if row.has_children && !row.expanded => {
                expand(&row, true);
                self.active
            }
            ("ArrowRight", Some(row)) if row.has_children => self.active.saturating_add(1).min(last),
            ("ArrowLeft", Some(row)) if row.expanded => {
                expand(&row, false);
                self.active
            }
            ("ArrowLeft", Some(row)) => {
                if let Some((parent, _)) = row.path.rsplit_once('/') {
                    self.wanted = Some(parent.to_owned());
                    ctx.props().dispatch.emit(Action::Pass(parent.to_owned()));
                }
                event.prevent_default();
                return false;
            }
            ("Enter" | " ", Some(row)) => {
                if row.kind == RowKind::Dir && row.has_children {
                    expand(&row, !row.expanded);
                } else if event.key() == "Enter" {
                    event.prevent_default();
                    self.read(ctx, self.active);
                    return false;
                }
                self.active
            }
            _ => return false,
        };
        event.prevent_default();
        self.pinned = false;
        self.active = target;
        self.focused = true;
        self.reveal(target);
        self.select_active(ctx, true);
        true
    }

    /// Rows are reused as the list moves, so the focus is put back on the row it belongs to.
    fn keep_focus(&self) {
        let Some(tree) = self.node.cast::<HtmlElement>().filter(|_| self.focused) else { return };
        let row = tree.query_selector(&format!("[data-index=\"{}\"]", self.active)).ok().flatten();
        let target = row.and_then(|row| row.dyn_into::<HtmlElement>().ok()).unwrap_or(tree);
        let document = web_sys::window().and_then(|window| window.document());
        if document.and_then(|document| document.active_element()).as_ref() != Some(target.as_ref()) {
            let options = web_sys::FocusOptions::new();
            options.set_prevent_scroll(true);
            let _ = target.focus_with_options(&options);
        }
    }

    fn observe(&mut self, ctx: &Context<Self>) {
        let link = ctx.link().clone();
        let callback = Closure::<dyn FnMut()>::new(move || link.send_message(Message::Moved));
        let observer = ResizeObserver::new(callback.as_ref().unchecked_ref()).ok();
        if let (Some(observer), Some(node)) = (observer, self.node.cast::<HtmlElement>()) {
            observer.observe(&node);
            self.observer = Some((observer, callback));
        }
    }
}

/// Whether the focus goes from one part of the tree to another.
fn stays_within(event: &FocusEvent) -> bool {
    let target = event.related_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.and_then(|target| target.closest("#tree").ok().flatten()).is_some()
}

/// The row that the focus came to.
fn index_of(event: &FocusEvent) -> Option<u64> {
    event.target()?.dyn_into::<HtmlElement>().ok()?.get_attribute("data-index")?.parse().ok()
}
