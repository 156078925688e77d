//! Which rows are on the screen. Browsers lose pixels in very tall elements, so beyond a cap the scroll position stands for a
//! proportion of the list instead of a pixel.

/// Height of a row in pixels.
pub(super) const ROW: u64 = 24;
/// The tallest element that is asked of a browser, in pixels.
const CAP: u64 = 20_000_000;
/// Rows drawn beyond each edge of the screen.
const OVERSCAN: u64 = 8;
/// Rows asked for beyond each edge of the screen.
const AHEAD: u64 = 48;

/// Where the screen is in the list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Viewport {
    total: u64,
    top: f64,
    height: f64,
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixels of at most 2^32 rows of 24 are exact in a double, and none is negative"
)]
impl Viewport {
    pub(super) fn new(total: u64) -> Self {
        Self { total, top: 0.0, height: 0.0 }
    }

    pub(super) fn set_total(&mut self, total: u64) {
        self.total = total;
    }

    /// Takes the browser's measures. Returns whether other rows are to be drawn, or the same ones elsewhere.
    pub(super) fn measure(&mut self, top: f64, height: f64) -> bool {
        let before = (self.drawn(), self.is_capped().then_some(self.top));
        self.top = top.max(0.0);
        self.height = height.max(0.0);
        before != (self.drawn(), self.is_capped().then_some(self.top))
    }

    /// Height of the scrolled element.
    pub(super) fn scroll_height(&self) -> u64 {
        self.total.saturating_mul(ROW).min(CAP)
    }

    fn is_capped(&self) -> bool {
        self.total.saturating_mul(ROW) > CAP
    }

    /// The pixel of the whole list that is at the top of the screen.
    fn pixel(&self) -> f64 {
        if !self.is_capped() {
            return self.top;
        }
        let (list, range) = (self.total.saturating_mul(ROW) as f64 - self.height, CAP as f64 - self.height);
        if range <= 0.0 { 0.0 } else { (self.top / range).clamp(0.0, 1.0) * list }
    }

    /// First row on the screen, and one past the last.
    fn visible(&self) -> (u64, u64) {
        let first = (self.pixel() / ROW as f64) as u64;
        let count = (self.height / ROW as f64) as u64 + 2;
        (first.min(self.total), first.saturating_add(count))
    }

    /// The rows to draw.
    pub(super) fn drawn(&self) -> (u64, u64) {
        let (from, to) = self.visible();
        (from.saturating_sub(OVERSCAN), to.saturating_add(OVERSCAN).min(self.total))
    }

    /// The rows that must have been asked for, in the list as it is or as it grows.
    pub(super) fn wanted(&self) -> (u64, u64) {
        let (from, to) = self.visible();
        (from.saturating_sub(OVERSCAN), to.saturating_add(OVERSCAN))
    }

    /// The rows to ask for.
    pub(super) fn ahead(&self) -> (u64, u64) {
        let (from, to) = self.visible();
        (from.saturating_sub(AHEAD), to.saturating_add(AHEAD))
    }

    /// Where a row is drawn in the scrolled element.
    pub(super) fn offset_of(&self, index: u64) -> f64 {
        let pixel = index.saturating_mul(ROW) as f64;
        if self.is_capped() { (self.top + pixel - self.pixel()).round() } else { pixel }
    }

    /// Rows in a page, less one so that one stays in sight.
    pub(super) fn page(&self) -> u64 {
        ((self.height / ROW as f64) as u64).saturating_sub(1).max(1)
    }

    /// Where to scroll to so that a row that moved in the list stays where it is on the screen.
    pub(super) fn top_after(&self, before: u64, after: u64) -> f64 {
        let list = self.total.saturating_mul(ROW) as f64 - self.height;
        let scale = if self.is_capped() { (CAP as f64 - self.height) / list } else { 1.0 };
        (self.top + (after as f64 - before as f64) * ROW as f64 * scale).max(0.0)
    }

    /// Where to scroll to so that a row is wholly on the screen; `None`: it is.
    pub(super) fn top_to_show(&self, index: u64) -> Option<f64> {
        let row = index.saturating_mul(ROW) as f64;
        let top = self.pixel();
        let bottom = row + ROW as f64 - self.height;
        let target = if row < top {
            row
        } else if bottom > top {
            bottom
        } else {
            return None;
        };
        // What is far away comes to the middle, where its neighbours are seen too.
        let far = (target - top).abs() > self.height;
        let target = if far { (row - self.height / 2.0).max(0.0) } else { target };
        if !self.is_capped() {
            return Some(target);
        }
        let list = self.total.saturating_mul(ROW) as f64 - self.height;
        Some(target / list * (CAP as f64 - self.height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewport(total: u64, top: f64) -> Viewport {
        let mut viewport = Viewport::new(total);
        viewport.measure(top, 480.0);
        viewport
    }

    #[test]
    fn short_lists_are_drawn_whole() {
        let viewport = viewport(5, 0.0);
        assert_eq!((viewport.drawn(), viewport.wanted()), ((0, 5), (0, 30)));
        assert_eq!((viewport.scroll_height(), viewport.top_to_show(4)), (120, None));
    }

    #[test]
    fn only_what_is_near_the_screen_is_drawn() {
        let viewport = viewport(1_000, 2_400.0);
        assert_eq!(viewport.drawn(), (92, 130));
        assert_eq!(viewport.ahead(), (52, 170));
        assert!((viewport.offset_of(92) - 2_208.0).abs() < f64::EPSILON);
        assert_eq!(viewport.top_to_show(99), Some(2_376.0));
        assert_eq!(viewport.top_to_show(120), Some(2_424.0));
        assert_eq!(viewport.page(), 19);
        assert!((viewport.top_after(110, 112) - 2_448.0).abs() < f64::EPSILON);
    }

    #[test]
    fn tall_lists_are_proportional() {
        let total = 5_000_000;
        assert_eq!(viewport(total, 0.0).drawn().0, 0);
        let end = viewport(total, (CAP - 480) as f64);
        assert_eq!(end.drawn().1, total);
        assert_eq!(end.offset_of(total), CAP as f64);
        for index in [0, 1, 1_234_567, total - 1] {
            let top = viewport(total, 9_000_000.0).top_to_show(index);
            let shown = viewport(total, top.map_or(0.0, f64::round));
            let (from, to) = shown.drawn();
            assert!((from..to).contains(&index), "{index} in {from}..{to}");
        }
    }

    #[test]
    fn nothing_overflows() {
        let viewport = viewport(u64::MAX, 1e9);
        let (from, to) = viewport.drawn();
        assert!(from <= to && viewport.scroll_height() == CAP);
    }
}
