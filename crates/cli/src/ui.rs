//! Text for people, and output to stdout and stderr.

use std::{
    env,
    fmt::Display,
    io::{self, BufWriter, IsTerminal, Write},
    sync::Arc,
};

use porthole_core::{
    calendar,
    failure::{Classify, Failure},
    hint::Hint,
};
use serde_json::{Value, json};

use crate::{
    args::{Color, Global, Progress},
    error::Error,
    json::json_line,
    printable::Printable,
    stderr::Stderr,
};

pub(crate) use crate::printable::{safe, safe_line};
pub(crate) use porthole_core::quantity::size;

/// The output of the program and its format.
pub(crate) struct Ui {
    pub(crate) json: bool,
    pub(crate) progress: Progress,
    pub(crate) stderr: Arc<Stderr>,
    color: bool,
    color_errors: bool,
}

impl Ui {
    pub(crate) fn new(global: &Global) -> Self {
        let wanted = |terminal: bool| match global.color {
            Color::Auto => terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            Color::Always => true,
            Color::Never => false,
        };
        Self {
            json: global.json,
            progress: if global.quiet { Progress::None } else { global.progress },
            stderr: Arc::new(Stderr::new(global.quiet, !global.quiet && global.progress == Progress::Json)),
            color: wanted(draws(&io::stdout())),
            color_errors: wanted(draws(&io::stderr())),
        }
    }

    /// Buffered stdout. The caller flushes it.
    pub(crate) fn out(&self) -> BufWriter<io::StdoutLock<'static>> {
        BufWriter::with_capacity(64 << 10, io::stdout().lock())
    }

    /// Flushes stdout while the bars are hidden.
    pub(crate) fn flush(&self, out: &mut impl Write) -> io::Result<()> {
        self.stderr.free(|| out.flush())
    }

    /// Returns `text` in the colour of a style, if stdout shows colours.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("\x1b[{}m{text}\x1b[0m", style.code()) } else { text.to_owned() }
    }

    /// Writes a note to stderr.
    pub(crate) fn note(&self, text: impl Display) {
        self.stderr.note(text);
    }

    /// Writes an error and its hints to stderr.
    pub(crate) fn error(&self, error: &Error) {
        let failure = error.failure();
        let mut hints: Vec<_> = failure.hints.iter().map(remedy).collect();
        hints.dedup();
        let row = || in_json(&error.to_string(), &failure, &hints, error.exit_code());
        if self.stderr.is_json() {
            let mut row = row();
            row["text"] = row["message"].take();
            if let Some(row) = row.as_object_mut() {
                row.remove("message");
            }
            return self.stderr.row("error", row);
        }
        if self.json {
            return self.stderr.write(&json_line(&json!({ "error": row() })));
        }
        let color = self.color_errors.then(|| Style::Bad.code());
        self.stderr.write(&Printable::lines(error).behind("porthole:", color));
        if !hints.is_empty() {
            self.line("");
        }
        for hint in hints {
            self.stderr.write(&Printable::line(hint).behind("hint:", None));
        }
    }

    /// Writes a line to stderr, or several that stay together.
    pub(crate) fn line(&self, text: &str) {
        self.stderr.write(&Printable::lines(text));
    }

    /// Writes a question to stderr without a line break.
    pub(crate) fn ask(&self, text: &str) {
        self.stderr.ask(text);
    }

    /// Writes a question to stderr and reads its answer without echo.
    pub(crate) fn ask_secret(&self, text: &str) -> io::Result<String> {
        self.stderr.ask_secret(text)
    }
}

/// An error as JSON.
pub(crate) fn in_json(message: &str, failure: &Failure, hints: &[String], exit_code: u8) -> Value {
    let mut row = json!({
        "message": message,
        "kind": failure.kind.word(),
        "blame": failure.blame.word(),
        "hints": hints,
        "exit_code": exit_code,
    });
    if let Some(layer) = failure.layer {
        row["layer"] = layer.number.get().into();
        if let Some(digest) = layer.digest {
            row["layer_digest"] = digest.to_string().into();
        }
    }
    row
}

/// Words a hint with the options of this program.
pub(crate) fn remedy(hint: &Hint) -> String {
    match hint {
        Hint::SignIn { registry } => {
            format!("sign in with `porthole login {registry}`, or give a file of credentials with --authfile")
        }
        Hint::CheckCredentials { registry } => {
            format!("check the user name and password for {registry}: `porthole login {registry}` replaces them")
        }
        Hint::TrustRealm { realm } => format!("if you trust it with your credentials, pass --trust-realm {realm}"),
        Hint::ChoosePlatform { available } if !available.is_empty() => {
            format!("choose one with --platform: {}", available.join(", "))
        }
        Hint::ChooseImage { .. } => {
            "append one of the names after a colon, as in oci:DIR:NAME or docker-archive:FILE:NAME".to_owned()
        }
        Hint::RaiseLimit { name, value } => format!("raise it with --limit {name}={value}"),
        Hint::PlainHttp { registry } => format!("if {registry} has no TLS, add --plain-http={registry}"),
        Hint::TrustAuthority { .. } => {
            "for a registry with its own certificate authority, pass its certificate with --ca".to_owned()
        }
        Hint::CheckProxy { registry } => format!("check the proxy, or list {registry} in NO_PROXY"),
        Hint::Foreign { .. } => "to download it from there, add --foreign".to_owned(),
        Hint::WithoutSeekIndex => "to read the whole layer instead, add --no-cache".to_owned(),
        Hint::WithoutToc => "to read the whole layer instead, leave --toc out".to_owned(),
        Hint::UseRelay { .. }
        | Hint::CheckRelay { .. }
        | Hint::ChoosePlatform { .. }
        | Hint::UseDigest
        | Hint::Decompress { .. }
        | Hint::RetryAfter { .. }
        | Hint::CheckClock { .. }
        | Hint::Text(_) => hint.to_string(),
    }
}

/// Whether a stream is a terminal that understands escape sequences. `TERM=dumb` means that it does not.
pub(crate) fn draws(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// A meaning that is shown by a colour. The text always has the same information.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    Good,
    Changed,
    Bad,
    Faint,
}

impl Style {
    /// The code of the colour (ECMA-48, SGR).
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Changed => "33",
            Self::Bad => "31",
            Self::Faint => "2",
        }
    }
}

/// Seconds since 1970 as `2026-01-02 03:04:05`, in UTC.
pub(crate) fn time(seconds: i64) -> String {
    calendar::iso(seconds).replace('T', " ").replace('Z', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_civil() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (-1, "1969-12-31 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_767_323_045, "2026-01-02 03:04:05"),
            (253_402_300_800, "+10000-01-01 00:00:00"),
        ] {
            assert_eq!(time(seconds), text);
        }
        time(i64::MAX);
        time(i64::MIN);
    }
}
