//! History entries as Dockerfile instructions.

use std::fmt;

/// An instruction, split into keyword and arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The keyword, such as `RUN` or `COPY`. Empty if it is not recognised.
    pub keyword: String,
    /// The text after the keyword.
    pub arguments: String,
}

/// One line: runs of white space, line breaks included, become one space.
impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.keyword.split_whitespace().chain(self.arguments.split_whitespace());
        for (number, word) in words.enumerate() {
            write!(f, "{}{word}", if number == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// Cleans the `created_by` text of a builder:
///
/// - `/bin/sh -c #(nop)  CMD ["x"]` becomes `CMD ["x"]` (classic builder);
/// - `/bin/sh -c apt-get update` and `RUN /bin/sh -c apt-get update # buildkit` become `RUN apt-get update`;
/// - `|1 VERSION=2 /bin/sh -c make` becomes `RUN make`: the values of build arguments are dropped.
///
/// Any other text is kept unchanged, without a keyword.
pub fn instruction(created_by: &str) -> Instruction {
    let text = created_by.trim();
    let text = text.strip_suffix("# buildkit").map_or(text, str::trim_end);
    if let Some(command) = strip_shell(text) {
        return match command.strip_prefix(NOT_RUN) {
            Some(statement) => statement_of(statement.trim_start()),
            None => run(command),
        };
    }
    match text.split_once(char::is_whitespace) {
        Some(("RUN", command)) => {
            let command = command.trim_start();
            run(strip_shell(command).unwrap_or(command))
        }
        _ => statement_of(text),
    }
}

const NOT_RUN: &str = "#(nop)";
const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

fn run(command: &str) -> Instruction {
    Instruction { keyword: "RUN".to_owned(), arguments: command.trim().to_owned() }
}

fn statement_of(text: &str) -> Instruction {
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if KEYWORDS.contains(&first) {
        Instruction { keyword: first.to_owned(), arguments: rest.trim().to_owned() }
    } else {
        Instruction { keyword: String::new(), arguments: text.to_owned() }
    }
}

/// Returns the command after a shell, without the build arguments before it (`|2 A=1 B=2 /bin/sh -c …`). `None` if there is no shell.
fn strip_shell(text: &str) -> Option<&str> {
    let command = match text.strip_prefix('|') {
        Some(counted) if counted.starts_with(|c: char| c.is_ascii_digit()) => {
            SHELLS.iter().filter_map(|shell| text.find(shell)).min().map_or(text, |at| &text[at..])
        }
        _ => text,
    };
    SHELLS.iter().find_map(|shell| command.strip_prefix(shell)).map(str::trim_start)
}

const SHELLS: [&str; 4] = ["/bin/sh -c ", "/bin/bash -c ", "/bin/bash -o pipefail -c ", "cmd /S /C "];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_prints_on_one_line() {
        assert_eq!(instruction("RUN a \\\n\t b\r\n").to_string(), "RUN a \\ b");
        assert_eq!(instruction(" x  y ").to_string(), "x y");
        assert_eq!(instruction("").to_string(), "");
    }

    #[test]
    fn builder_text_becomes_dockerfile_instructions() {
        for (created_by, keyword, arguments) in [
            (r#"/bin/sh -c #(nop)  CMD ["bash"]"#, "CMD", r#"["bash"]"#),
            ("/bin/sh -c #(nop) ADD file:293a6e in / ", "ADD", "file:293a6e in /"),
            ("/bin/sh -c apt-get update && true", "RUN", "apt-get update && true"),
            ("RUN /bin/sh -c apt-get update # buildkit", "RUN", "apt-get update"),
            ("|1 VERSION=2 /bin/sh -c make", "RUN", "make"),
            ("RUN |2 A=1 B=a b /bin/sh -c make install # buildkit", "RUN", "make install"),
            ("RUN make", "RUN", "make"),
            ("COPY /out / # buildkit", "COPY", "/out /"),
            (r#"ENTRYPOINT ["/x"]"#, "ENTRYPOINT", r#"["/x"]"#),
            ("WORKDIR\t/srv", "WORKDIR", "/srv"),
            ("umoci insert", "", "umoci insert"),
            ("# buildkit", "", ""),
            ("", "", ""),
            ("|", "", "|"),
            ("|1", "", "|1"),
            ("CMD", "CMD", ""),
            ("/bin/sh -c #(nop) ", "", ""),
        ] {
            let expected = Instruction { keyword: keyword.to_owned(), arguments: arguments.to_owned() };
            assert_eq!(instruction(created_by), expected, "{created_by}");
        }
    }
}
