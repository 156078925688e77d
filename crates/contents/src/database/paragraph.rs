//! Paragraphs of `Name: value` lines, as in Debian's control files, apk's database and Python's metadata.

/// Splits a text at its empty lines.
pub(super) fn paragraphs(text: &str) -> impl Iterator<Item = Paragraph<'_>> {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        let lines: Vec<&str> = lines
            .by_ref()
            .skip_while(|line| line.trim().is_empty())
            .take_while(|line| !line.trim().is_empty())
            .collect();
        (!lines.is_empty()).then_some(Paragraph(lines))
    })
}

/// The lines of one paragraph.
pub(super) struct Paragraph<'t>(Vec<&'t str>);

impl<'t> Paragraph<'t> {
    /// Name and value of each field in order. Of a value of several lines, the first.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'t str, &'t str)> {
        let fields = self.0.iter().filter(|line| !line.starts_with([' ', '\t']));
        fields.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim_end(), value.trim()))
    }

    /// The value of the first field of that name, in any case, if it is not empty.
    pub(super) fn get(&self, wanted: &str) -> Option<&'t str> {
        self.all(wanted).next()
    }

    /// The lines that follow that of the first field of that name.
    pub(super) fn continued(&self, wanted: &str) -> impl Iterator<Item = &'t str> {
        let is = |line: &&&str| line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let at = self.0.iter().position(|line| is(&line)).map_or(self.0.len(), |at| at + 1);
        self.0[at..].iter().take_while(|line| line.starts_with([' ', '\t'])).map(|line| line.trim())
    }

    /// The values of all fields of that name that are not empty.
    pub(super) fn all(&self, wanted: &str) -> impl Iterator<Item = &'t str> {
        self.fields()
            .filter(move |(name, value)| name.eq_ignore_ascii_case(wanted) && !value.is_empty())
            .map(|(_, v)| v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_end_at_empty_lines() {
        let text = "\n\nA: 1\nB: 2\n more: no field\nb:3\n\n \nA:x:y\r\nno field\n";
        let all: Vec<Vec<_>> = paragraphs(text).map(|paragraph| paragraph.fields().collect()).collect();
        assert_eq!(all, [vec![("A", "1"), ("B", "2"), ("b", "3")], vec![("A", "x:y")]]);
        let first = paragraphs(text).next().unwrap();
        assert_eq!((first.get("b"), first.get("C")), (Some("2"), None));
        assert_eq!(first.all("B").collect::<Vec<_>>(), ["2", "3"]);
        assert_eq!(first.continued("b").collect::<Vec<_>>(), ["more: no field"]);
        assert_eq!(first.continued("A").count() + first.continued("C").count(), 0);
    }
}
