//! Draws figures over sizes, both on logarithmic scales: what grows in proportion is a line at 45 degrees, and what does not grow is flat.

use std::fmt::Write as _;

/// One program's figures.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const MARGIN: f64 = 60.0;
const COLOURS: [&str; 4] = ["#777777", "#0a5fb4", "#b4540a", "#2f7d32"];

/// An SVG of the lines.
pub(crate) fn plot(figure: &str, unit: &str, lines: &[Line]) -> String {
    let (x, y) = (
        Scale::of(lines, |point| point.0, MARGIN, WIDTH - 150.0),
        Scale::of(lines, |point| point.1, HEIGHT - MARGIN, 20.0),
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    for value in x.marks() {
        let at = x.at(value);
        let _ = writeln!(svg, "<path d=\"M{at:.1} 20V{:.1}\" stroke=\"#ddd\"/>", HEIGHT - MARGIN);
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value}</text>",
            HEIGHT - MARGIN + 18.0
        );
    }
    for value in y.marks() {
        let at = y.at(value);
        let _ = writeln!(svg, "<path d=\"M{MARGIN} {at:.1}H{:.1}\" stroke=\"#ddd\"/>", WIDTH - 150.0);
        let _ =
            writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>", MARGIN - 6.0, at + 4.0);
    }
    let _ = writeln!(
        svg,
        "<text x=\"{MARGIN}\" y=\"14\">{figure}</text><text x=\"{MARGIN}\" y=\"{:.1}\">{unit}</text>",
        HEIGHT - 12.0
    );
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let points: Vec<String> =
            line.points.iter().map(|point| format!("{:.1},{:.1}", x.at(point.0), y.at(point.1))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        for point in &line.points {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x.at(point.0),
                y.at(point.1)
            );
        }
        if let Some(last) = line.points.last() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
                x.at(last.0) + 8.0,
                y.at(last.1) + 4.0,
                line.name
            );
        }
    }
    svg + "</svg>\n"
}

/// From powers of ten to places.
struct Scale {
    low: i32,
    high: i32,
    from: f64,
    to: f64,
}

impl Scale {
    fn of(lines: &[Line], value: impl Fn(&(f64, f64)) -> f64, from: f64, to: f64) -> Self {
        let logs = lines.iter().flat_map(|line| &line.points).map(|point| value(point).max(1e-3).log10());
        let (low, high) = logs.fold((f64::MAX, f64::MIN), |(low, high), log| (low.min(log), high.max(log)));
        let (low, high) = (low.min(high).floor() as i32, high.ceil() as i32);
        Self { low, high: high.max(low + 1), from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let part = (value.max(1e-3).log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        self.from + part * (self.to - self.from)
    }

    fn marks(&self) -> impl Iterator<Item = f64> {
        (self.low..=self.high).map(|power| 10_f64.powi(power))
    }
}
