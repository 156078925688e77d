//! Lines that match, whatever the split of the data.

use super::{
    Error, LineSearch, MatchedLine, PathGlob, PatternKind, PatternOptions, SHOWN_BYTES, SearchPattern, TextEncoding,
};
use porthole_testkit::chunks::{SPLITS, Split};
use proptest::prelude::*;

fn expression(text: &str) -> SearchPattern {
    SearchPattern::new(text, PatternOptions::default()).unwrap()
}

fn wide(text: &str) -> SearchPattern {
    SearchPattern::new(text, PatternOptions { utf16: true, ..PatternOptions::default() }).unwrap()
}

fn search(mut search: LineSearch, data: &[u8], split: Split) -> Vec<MatchedLine> {
    let mut lines = Vec::new();
    split.of(data).for_each(|piece| search.push(piece, &mut |line| lines.push(line)));
    search.end(&mut |line| lines.push(line));
    lines
}

fn whole(pattern: &SearchPattern, data: &[u8]) -> Vec<MatchedLine> {
    search(LineSearch::new(pattern), data, Split::Whole)
}

fn numbers(pattern: &str, data: &[u8]) -> Vec<u64> {
    whole(&expression(pattern), data).iter().map(|line| line.number).collect()
}

/// What a search in each line alone finds: number, offset and length of the first match.
fn line_by_line(pattern: &SearchPattern, data: &[u8]) -> Vec<(u64, u64, usize)> {
    let mut at = 0;
    let mut found = Vec::new();
    let body = data.strip_suffix(b"\n").unwrap_or(data);
    for (number, line) in (1..).zip(body.split(|&byte| byte == b'\n')) {
        if let Some(hit) = pattern.regex.find(line).filter(|_| !data.is_empty()) {
            found.push((number, (at + hit.start()) as u64, hit.len()));
        }
        at += line.len() + 1;
    }
    found
}

#[test]
fn matches_stay_within_their_lines() {
    let data = b"one\ntwo three\n\nfour\0\xff\n";
    assert_eq!(numbers("t", data), [2]);
    assert_eq!(numbers("o", data), [1, 2, 4]);
    assert_eq!(numbers("^$", data), [3], "behind the last line feed is no line");
    assert_eq!(numbers("e$", data), [1, 2]);
    assert_eq!(numbers(r"\Ao|\Af", data), [1, 4]);
    assert_eq!(numbers(r"e\z", data), [1, 2]);
    assert_eq!(numbers(r"[^x]{9}", data), [2]);
    assert_eq!(numbers(r"e\stwo", data), [0; 0]);
    assert_eq!(numbers("one\\ntwo", data), [0; 0]);
    assert_eq!(numbers("one\nfour", data), [1, 4], "a line feed separates alternatives");
    assert_eq!(numbers(r"(?-u)\xff", data), [4]);
    assert_eq!(numbers("", data), [1, 2, 3, 4]);
    assert_eq!(numbers("", b""), [0; 0]);
    assert_eq!(numbers("x*", b"no line feed"), [1]);
    assert_eq!(numbers(r"\bthree\b|\<two\>", data), [2]);
    assert_eq!(numbers("[[:upper:]]", data), [0; 0]);
}

#[test]
fn literals_and_case() {
    let options = PatternOptions { kind: PatternKind::Literal, ignore_case: true, utf16: false };
    let pattern = SearchPattern::new("A.b\nÉ", options).unwrap();
    let found: Vec<_> = whole(&pattern, "a.B\naxb\né\nÉ".as_bytes()).iter().map(|line| line.number).collect();
    assert_eq!(found, [1, 4], "only the case of ASCII letters is ignored");
}

#[test]
fn a_line_says_where_the_match_is() {
    let found = whole(&expression("b+"), b"a\nxbbx\r\n");
    let line = MatchedLine {
        number: 2,
        offset: 3,
        text: b"xbbx\r".into(),
        range: 1..3,
        cut: (false, false),
        encoding: TextEncoding::Bytes,
    };
    assert_eq!(found, [line]);
}

#[test]
fn long_lines_are_cut_around_the_match() {
    let filler = vec![b'.'; 5000];
    let data =
        [&b"short needle\n"[..], &filler, b"needle", &filler, b"\n", &filler, b"needle\nneedle", &filler].concat();
    let found = whole(&expression("needle"), &data);
    let shown: Vec<_> = found.iter().map(|line| (line.number, line.text.len(), line.cut)).collect();
    let (all, first, middle, last) = (SHOWN_BYTES, (false, true), (true, true), (true, false));
    assert_eq!(shown, [(1, 12, (false, false)), (2, all, middle), (3, all, last), (4, all, first)]);
    assert!(found.iter().all(|line| &line.text[line.range.clone()] == b"needle"));
    let all = &whole(&expression(r"\.+"), &filler)[0];
    assert_eq!((all.range.clone(), all.cut), (0..SHOWN_BYTES, (false, true)));
}

#[test]
fn a_line_longer_than_the_buffer_is_searched_in_pieces() {
    for at in 0..200 {
        let mut data = vec![b'.'; at];
        data.extend(b"needle");
        data.resize(260, b'.');
        data.extend(b"\nneedle");
        let pattern = expression("needle");
        for split in SPLITS {
            let found = search(LineSearch::with(&pattern, 64, 16), &data, split);
            let places: Vec<_> = found.iter().map(|line| (line.number, line.offset as usize)).collect();
            assert_eq!(places, [(1, at), (2, 261)], "{split:?}");
        }
    }
    let data = [&[b'a'; 300][..], b"b\nab"].concat();
    let anchored = |pattern: &str| search(LineSearch::with(&expression(pattern), 64, 16), &data, Split::Whole).len();
    assert_eq!([anchored("^a"), anchored("ab$"), anchored("^ab$"), anchored("a$"), anchored(r"\b.$")], [2, 2, 1, 0, 0]);
}

#[test]
fn utf16_is_found_at_any_alignment() {
    let units = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    for (big, mark, encoding) in
        [(false, b"\xff\xfe", TextEncoding::Utf16Le), (true, b"\xfe\xff", TextEncoding::Utf16Be)]
    {
        let data = [mark, &units("Erste é Zeile\nzweite Zeile\n", big)[..]].concat();
        let shown = |pattern: &str| -> Vec<(u64, String)> {
            let lines = whole(&wide(pattern), &data);
            assert!(lines.iter().all(|line| line.encoding == encoding));
            lines.iter().map(|line| (line.number, String::from_utf8(line.text.clone()).unwrap())).collect()
        };
        let both = [(1, "Erste é Zeile".to_owned()), (2, "zweite Zeile".to_owned())];
        assert_eq!(shown("Zeile"), both);
        assert_eq!(shown("Z[a-f]i.e$"), both);
        assert_eq!(shown("é"), both[..1]);
        assert_eq!(shown("e . Z"), both[..1]);
        assert_eq!(shown("^(Erste|zweite)"), both);
        let odd = [b"x", &data[..]].concat();
        assert_eq!(whole(&wide("zweite"), &odd)[0].text, b"zweite Zeile");
        assert!(whole(&expression("Zeile"), &data).is_empty(), "only when asked");
    }
    assert_eq!(whole(&wide("plain"), b"plain")[0].encoding, TextEncoding::Bytes);
}

#[test]
fn patterns_that_are_refused() {
    let error = |text: &str, utf16| {
        SearchPattern::new(text, PatternOptions { utf16, ..PatternOptions::default() }).unwrap_err()
    };
    assert_eq!(error("a(b", false).to_string(), "expected a regular expression: unclosed group, at character 2");
    assert!(error(r"(a)\1", false).to_string().contains("backreferences"), "{}", error(r"(a)\1", false));
    assert!(matches!(error(r"\w{1000}{1000}", false), Error::TooLarge { .. }));
    assert!(matches!(error(&format!("{}a{}", "(".repeat(5000), ")".repeat(5000)), false), Error::Syntax { .. }));
    assert_eq!(error(r"\ba", true), Error::Wide("word boundaries"));
    assert_eq!(error(r"[\x90\xa0]", true), Error::Wide("classes with some characters beyond ASCII"));
    assert_eq!(PathGlob::new("[z-a]").unwrap_err(), Error::Glob("[z-a]".into()));
}

#[test]
fn globs_are_of_names_or_of_paths() {
    let fits = |glob: &str, path: &[u8]| PathGlob::new(glob).unwrap().fits(path);
    assert!(fits("*.conf", b"etc/nginx/a.conf") && fits("a?conf", b"a.conf"));
    assert!(!fits("*.conf", b"etc/a.conf.d") && !fits("*.conf", b"etc/a.CONF"));
    assert!(fits("/etc/**", b"etc/nginx/a") && fits("etc/*", b"etc/a") && !fits("etc/*", b"etc/nginx/a"));
    assert!(fits("/*", b"a") && !fits("/*", b"a/b"));
    assert!(fits("*", b"odd\n\xff") && fits("a+(b)", b"a+(b)") && fits("[!a]", b"b"));
}

proptest! {
    #[test]
    fn any_split_gives_the_lines_of_a_search_line_by_line(
        data in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), Just(b'b'), Just(b' '), any::<u8>()], 0..600),
        pattern in prop_oneof![
            Just("a"), Just("ab"), Just("a+b*"), Just("^a"), Just("a$"), Just("^$"), Just("[^a]+b"), Just("a.*b"), Just(r"\ba"), Just(""),
            Just("b|^ "), Just(r"\s+$"),
        ],
        seed in any::<u64>(),
        most in 1..300usize,
    ) {
        let pattern = expression(pattern);
        let lines = whole(&pattern, &data);
        let places: Vec<_> = lines.iter().map(|line| (line.number, line.offset, line.range.len())).collect();
        prop_assert_eq!(places, line_by_line(&pattern, &data));
        for split in [Split::Bytes, Split::Random { seed, most }] {
            prop_assert_eq!(&search(LineSearch::new(&pattern), &data, split), &lines);
            // A buffer in which every line has room changes nothing.
            prop_assert_eq!(&search(LineSearch::with(&pattern, 601, 16), &data, split), &lines);
            // In a smaller one, the split still does not matter.
            let small = |split| search(LineSearch::with(&pattern, 48, 16), &data, split);
            prop_assert_eq!(small(split), small(Split::Whole));
        }
    }

    #[test]
    fn any_pattern_is_compiled_or_refused(text in ".{0,40}", utf16 in any::<bool>(), data in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(pattern) = SearchPattern::new(&text, PatternOptions { utf16, ..PatternOptions::default() }) {
            for line in whole(&pattern, &data) {
                prop_assert!(line.range.start <= line.range.end && line.range.end <= line.text.len());
            }
        }
    }
}
