//! The lexical structure of common types of file.

/// The lexical structure of a type of file.
pub(super) struct Language {
    /// What begins a comment to the end of the line.
    pub(super) line: &'static [&'static str],
    /// What begins and ends a comment over lines.
    pub(super) block: Option<(&'static str, &'static str)>,
    /// Strings; a longer mark stands before a shorter one that begins it.
    pub(super) quotes: &'static [Quote],
    /// Words that have a meaning.
    pub(super) keywords: &'static [&'static str],
    /// Its words may be written in capitals.
    pub(super) any_case: bool,
    /// A word or string before `=` or `:` is a key.
    pub(super) keys: bool,
    /// A line in brackets begins a section.
    pub(super) sections: bool,
    /// A dash belongs to a word, and a comment begins at the start of a word only.
    pub(super) words: bool,
    /// Tags and attributes.
    pub(super) tags: bool,
}

/// How a string is written.
pub(super) struct Quote {
    /// What begins and ends it.
    pub(super) open: &'static str,
    /// A backslash escapes the next character.
    pub(super) escapes: bool,
    /// It may go over lines.
    pub(super) lines: bool,
}

const fn quote(open: &'static str, escapes: bool, lines: bool) -> Quote {
    Quote { open, escapes, lines }
}

/// Values that are words.
pub(super) const LITERALS: &[&str] =
    &["true", "false", "null", "nil", "None", "True", "False", "undefined", "nullptr", "NULL"];

const NONE: Language = Language {
    line: &[],
    block: None,
    quotes: &[],
    keywords: &[],
    any_case: false,
    keys: false,
    sections: false,
    words: false,
    tags: false,
};

static SHELL: Language = Language {
    line: &["#"],
    quotes: &[quote("\"", true, true), quote("'", false, true)],
    keywords: &[
        "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "in", "function",
        "return", "exit", "local", "export", "set", "unset", "shift", "trap", "exec", "eval", "source", "readonly",
    ],
    words: true,
    ..NONE
};

static PYTHON: Language = Language {
    line: &["#"],
    quotes: &[quote("\"\"\"", true, true), quote("'''", true, true), quote("\"", true, false), quote("'", true, false)],
    keywords: &[
        "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
        "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass",
        "raise", "return", "try", "while", "with", "yield", "match", "case",
    ],
    ..NONE
};

static SCRIPT: Language = Language {
    line: &["#"],
    quotes: &[quote("\"", true, true), quote("'", true, true)],
    keywords: &[
        "BEGIN", "END", "and", "begin", "case", "class", "def", "do", "else", "elsif", "end", "ensure", "for",
        "foreach", "if", "in", "last", "local", "module", "my", "next", "not", "or", "our", "package", "proc",
        "require", "rescue", "return", "self", "sub", "then", "unless", "until", "use", "when", "while", "yield",
    ],
    ..NONE
};

static BRACES: Language = Language {
    line: &["//"],
    block: Some(("/*", "*/")),
    quotes: &[quote("\"", true, false), quote("'", true, false), quote("`", true, true)],
    keywords: &[
        "abstract",
        "as",
        "async",
        "await",
        "bool",
        "boolean",
        "break",
        "byte",
        "case",
        "catch",
        "chan",
        "char",
        "class",
        "const",
        "continue",
        "default",
        "defer",
        "delete",
        "do",
        "double",
        "else",
        "enum",
        "export",
        "extends",
        "extern",
        "final",
        "finally",
        "float",
        "fn",
        "for",
        "func",
        "function",
        "go",
        "goto",
        "if",
        "impl",
        "implements",
        "import",
        "in",
        "inline",
        "instanceof",
        "int",
        "interface",
        "let",
        "long",
        "loop",
        "map",
        "match",
        "mod",
        "mut",
        "namespace",
        "new",
        "package",
        "private",
        "protected",
        "pub",
        "public",
        "range",
        "return",
        "select",
        "self",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "super",
        "switch",
        "template",
        "this",
        "throw",
        "throws",
        "trait",
        "try",
        "type",
        "typedef",
        "typeof",
        "union",
        "unsafe",
        "unsigned",
        "use",
        "using",
        "var",
        "virtual",
        "void",
        "volatile",
        "where",
        "while",
        "yield",
    ],
    ..NONE
};

/// Rust and C have no strings in backquotes, and a quote of Rust may be a lifetime.
static RUST: Language = Language {
    quotes: &[quote("\"", true, true)],
    keywords: BRACES.keywords,
    line: &["//"],
    block: BRACES.block,
    ..NONE
};

static STYLES: Language = Language {
    block: Some(("/*", "*/")),
    quotes: &[quote("\"", true, false), quote("'", true, false)],
    keys: true,
    words: true,
    ..NONE
};

static JSON: Language = Language { quotes: &[quote("\"", true, false)], keys: true, ..NONE };

static CONFIG: Language = Language {
    line: &["#", ";"],
    quotes: &[quote("\"", true, false), quote("'", false, false)],
    keys: true,
    sections: true,
    words: true,
    ..NONE
};

static YAML: Language = Language {
    line: &["#"],
    quotes: &[quote("\"", true, true), quote("'", false, true)],
    keys: true,
    words: true,
    ..NONE
};

static SQL: Language = Language {
    line: &["--"],
    block: Some(("/*", "*/")),
    quotes: &[quote("'", false, true), quote("\"", false, true)],
    keywords: &[
        "add",
        "alter",
        "and",
        "as",
        "begin",
        "by",
        "case",
        "commit",
        "constraint",
        "create",
        "database",
        "delete",
        "distinct",
        "drop",
        "else",
        "end",
        "exists",
        "foreign",
        "from",
        "grant",
        "group",
        "having",
        "if",
        "in",
        "index",
        "insert",
        "into",
        "is",
        "join",
        "key",
        "left",
        "like",
        "limit",
        "not",
        "on",
        "or",
        "order",
        "primary",
        "references",
        "select",
        "set",
        "table",
        "then",
        "to",
        "union",
        "unique",
        "update",
        "values",
        "view",
        "when",
        "where",
    ],
    any_case: true,
    ..NONE
};

static DOCKER: Language = Language {
    line: &["#"],
    quotes: &[quote("\"", true, false)],
    keywords: &[
        "add",
        "arg",
        "cmd",
        "copy",
        "entrypoint",
        "env",
        "expose",
        "from",
        "healthcheck",
        "label",
        "maintainer",
        "onbuild",
        "run",
        "shell",
        "stopsignal",
        "user",
        "volume",
        "workdir",
    ],
    any_case: true,
    words: true,
    ..NONE
};

static LUA: Language = Language {
    line: &["--"],
    quotes: &[quote("\"", true, false), quote("'", true, false)],
    keywords: &[
        "and", "break", "do", "else", "elseif", "end", "for", "function", "if", "in", "local", "not", "or", "repeat",
        "return", "then", "until", "while",
    ],
    ..NONE
};

static MARKUP: Language = Language { tags: true, ..NONE };

impl Language {
    /// The type of a file by its name, else by its first line.
    pub(super) fn of(path: &str, text: &str) -> Option<&'static Self> {
        let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let named = match name.as_str() {
            "dockerfile" | "containerfile" => Some(&DOCKER),
            "makefile" | "gnumakefile" | ".bashrc" | ".profile" | "profile" | "bash.bashrc" | "apkbuild" => {
                Some(&SHELL)
            }
            "passwd" | "group" | "shadow" => None,
            _ => name.rsplit_once('.').and_then(|(_, extension)| Self::of_extension(extension)),
        };
        named.or_else(|| Self::of_first_line(text.lines().next().unwrap_or_default()))
    }

    fn of_extension(extension: &str) -> Option<&'static Self> {
        Some(match extension {
            "sh" | "bash" | "zsh" | "ksh" | "mk" | "postinst" | "preinst" | "postrm" | "prerm" => &SHELL,
            "py" | "pyi" => &PYTHON,
            "pl" | "pm" | "rb" | "gemspec" | "tcl" | "awk" | "r" => &SCRIPT,
            "c" | "h" | "cc" | "cpp" | "hpp" | "go" | "js" | "mjs" | "cjs" | "jsx" | "ts" | "tsx" | "java" | "kt"
            | "scala" | "cs" | "swift" | "php" | "proto" | "groovy" | "gradle" => &BRACES,
            "rs" => &RUST,
            "css" | "scss" => &STYLES,
            "json" | "jsonl" | "map" | "webmanifest" => &JSON,
            "yaml" | "yml" => &YAML,
            "toml" | "ini" | "conf" | "cfg" | "cnf" | "properties" | "service" | "socket" | "timer" | "desktop"
            | "env" | "list" | "sources" | "repo" | "pc" => &CONFIG,
            "sql" => &SQL,
            "lua" => &LUA,
            "xml" | "html" | "htm" | "xhtml" | "svg" | "xsl" | "xsd" | "plist" | "pom" | "csproj" => &MARKUP,
            _ => return None,
        })
    }

    fn of_first_line(line: &str) -> Option<&'static Self> {
        let program = line.strip_prefix("#!")?;
        Some(match program {
            _ if program.contains("python") => &PYTHON,
            _ if program.contains("perl") || program.contains("ruby") || program.contains("awk") => &SCRIPT,
            _ if program.contains("node") => &BRACES,
            _ if program.contains("lua") => &LUA,
            _ if program.contains("sh") => &SHELL,
            _ => return None,
        })
    }
}
