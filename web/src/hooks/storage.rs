//! The person's choices, kept in this browser: how a relay is used, the theme, the width of the right pane, rules about signatures; and the references that
//! were opened, unless that is switched off. Never a password.

use porthole_viewer::protocol::{RelayMode, RelaySettings};
use porthole_viewer::state::{RecentReference, read_recent};

const RELAY_MODE: &str = "porthole.relay.mode";
const RELAY_URL: &str = "porthole.relay.url";
const PANE: &str = "porthole.pane";
const RECENT: &str = "porthole.recent";
const RECENT_OFF: &str = "porthole.recent.off";
const POLICY: &str = "porthole.policy";
const TRUST_ROOT: &str = "porthole.trust-root";
const THEME: &str = "porthole.theme";

fn read(key: &str) -> Option<String> {
    web_sys::window()?.local_storage().ok()??.get_item(key).ok()?
}

/// Keeps a value, or forgets it where it is empty. A browser may keep nothing at all; then the choice lasts as long as the page.
fn write(key: &str, value: &str) {
    let Some(Ok(Some(storage))) = web_sys::window().map(|window| window.local_storage()) else { return };
    let _ = if value.is_empty() { storage.remove_item(key) } else { storage.set_item(key, value) };
}

/// The choice about relays.
pub fn relay_settings() -> RelaySettings {
    RelaySettings { mode: mode_of(&read(RELAY_MODE).unwrap_or_default()), url: read(RELAY_URL).unwrap_or_default() }
}

/// Keeps the choice about relays.
pub fn keep_relay_settings(settings: &RelaySettings) {
    write(RELAY_MODE, if settings.mode == RelayMode::Auto { "" } else { name_of(settings.mode) });
    write(RELAY_URL, &settings.url);
}

/// The mode that a word names; `auto` is any other word.
pub fn mode_of(word: &str) -> RelayMode {
    match word {
        "always" => RelayMode::Always,
        "never" => RelayMode::Never,
        _ => RelayMode::Auto,
    }
}

/// The word that names a mode.
pub fn name_of(mode: RelayMode) -> &'static str {
    match mode {
        RelayMode::Auto => "auto",
        RelayMode::Always => "always",
        RelayMode::Never => "never",
    }
}

/// Width of the right pane in pixels, if the person chose one.
pub fn pane() -> Option<i32> {
    read(PANE)?.parse().ok().filter(|width| (200..=2_000).contains(width))
}

/// Keeps the width of the right pane.
pub fn keep_pane(width: i32) {
    write(PANE, &width.to_string());
}

/// The references that were opened on this machine.
pub fn recent() -> Vec<RecentReference> {
    read_recent(&read(RECENT).unwrap_or_default())
}

/// Whether references that are opened are kept.
pub fn keeps_recent() -> bool {
    read(RECENT_OFF).is_none()
}

/// Keeps them, and whether further ones are kept.
pub fn keep_recent(recent: &str, keep: bool) {
    write(RECENT, recent);
    write(RECENT_OFF, if keep { "" } else { "1" });
}

/// The rules about signatures.
pub fn policy() -> String {
    read(POLICY).unwrap_or_default()
}

/// Keeps the rules about signatures.
pub fn keep_policy(text: &str) {
    write(POLICY, text);
}

/// The trust root of signatures, empty for Sigstore's public one.
pub fn trust_root() -> String {
    read(TRUST_ROOT).unwrap_or_default()
}

/// Keeps the trust root.
pub fn keep_trust_root(text: &str) {
    write(TRUST_ROOT, text);
}

/// `light`, `dark`, or empty for the system's.
pub fn theme() -> String {
    read(THEME).unwrap_or_default()
}

/// Keeps the theme and puts it on the page.
pub fn keep_theme(theme: &str) {
    write(THEME, theme);
    show_theme(theme);
}

/// Puts a theme on the page.
pub fn show_theme(theme: &str) {
    let Some(root) =
        web_sys::window().and_then(|window| window.document()).and_then(|document| document.document_element())
    else {
        return;
    };
    let _ =
        if theme.is_empty() { root.remove_attribute("data-theme") } else { root.set_attribute("data-theme", theme) };
}
