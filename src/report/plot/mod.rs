//! Plots as SVG, to stand in a page that has [`COLOURS`] and [`STYLE`]. No plot tells anything by colour alone: lines differ
//! by dash and mark and are named at their end, cells carry their number, verdicts a sign.

mod bars;
mod curves;
mod heat;
mod intervals;
mod scale;
mod timeline;

pub use bars::{Bar, Tone, bars};
pub use curves::{CurveAxis, Series, curves, percentiles};
pub use heat::{HeatAxis, HeatCell, heat};
pub use intervals::{RateRow, intervals};
pub use scale::ScaleKind;
pub use timeline::{Shade, Timeline, timelines};

/// The colours of a page, light and dark. The series are Okabe and Ito's, which the colour-blind tell apart.
pub const COLOURS: &str = "
:root { color-scheme: light dark; --ground: #ffffff; --card: #f6f8fa; --ink: #1f2328; --quiet: #57606a; --line: #d0d7de; --link: #0550ae;
  --good: #116329; --bad: #b3202c; --warn: #8a5a00; --mark: #fff8c5;
  --s1: #0072b2; --s2: #d55e00; --s3: #007a5a; --s4: #a8508a; --s5: #8a6d00; --s6: #2b83ba; --s7: #4d4d4d; --s8: #7b3294 }
@media (prefers-color-scheme: dark) { :root { --ground: #0d1117; --card: #161b22; --ink: #e6edf3; --quiet: #9198a1; --line: #30363d; --link: #79c0ff;
  --good: #56d364; --bad: #ff7b72; --warn: #e3b341; --mark: #3a3000;
  --s1: #56b4e9; --s2: #f0883e; --s3: #3fd0a4; --s4: #e08ac2; --s5: #e6c229; --s6: #8ab8ff; --s7: #c9d1d9; --s8: #c297ff } }
@media print { :root { --ground: #ffffff; --card: #ffffff; --ink: #000000; --quiet: #333333; --line: #999999; --link: #000000;
  --good: #000000; --bad: #000000; --warn: #000000; --mark: #ffffff } }";

/// How the parts of plots look.
pub const STYLE: &str = "
.plot { display: block; width: 100%; min-width: 560px; max-width: 860px; height: auto; background: var(--ground) }
.plot text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: var(--ink) } .plot .quiet { fill: var(--quiet) }
.plot .grid { stroke: var(--line); stroke-width: 1 } .plot .edge { stroke: var(--quiet); stroke-width: 1 }
.plot .end { text-anchor: end } .plot .mid { text-anchor: middle } .plot .strong { font-weight: 600 }
.plot .halo { paint-order: stroke; stroke: var(--ground); stroke-width: 4px; stroke-linejoin: round }
.plot .curve { fill: none; stroke-width: 2 } .plot .band { stroke: none; opacity: 0.15 } .plot .lead { stroke-width: 0.8; opacity: 0.7 }
.plot .good { stroke: var(--good); fill: var(--good) } .plot .bad { stroke: var(--bad); fill: var(--bad) } .plot .warn { stroke: var(--warn); fill: var(--warn) }
.plot text.good, .plot text.bad, .plot text.warn { stroke: none } .plot .open { fill: var(--ground) } .plot .bar { opacity: 0.35; stroke: none }
.plot .area { fill: var(--s1); opacity: 0.35; stroke: none } .plot .shade { fill: var(--bad); opacity: 0.14 } .plot .tick { stroke: var(--s2); stroke-width: 1 }
.plot .cell { fill: var(--bad); stroke: var(--line) } .plot .none { fill: none; stroke: var(--line) }";

/// The width of every plot, in units of its own.
const WIDTH: f64 = 760.0;
/// The width of a letter, roughly.
const LETTER: f64 = 7.0;

/// Text as it may stand in a document, also in an attribute: those are in double quotes.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A plot with its title for those who do not see it.
fn framed(id: &str, title: &str, height: f64, body: &str) -> String {
    let (id, title) = (escape(id), escape(title));
    format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-labelledby=\"{id}-title\">\n\
         <title id=\"{id}-title\">{title}</title>\n{body}</svg>\n"
    )
}

/// A plot of nothing.
fn empty(id: &str, title: &str) -> String {
    framed(id, title, 40.0, "<text class=\"quiet\" x=\"10\" y=\"24\">nothing to draw</text>\n")
}

/// Words at a place.
fn words(class: &str, x: f64, y: f64, text: &str) -> String {
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escape(text))
}

/// A straight line.
fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    format!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n")
}

/// How much room the longest of some labels takes.
fn room<'a>(labels: impl Iterator<Item = &'a str>) -> f64 {
    let longest = labels.map(|label| label.chars().count()).max().unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "the length of a label")]
    let letters = longest as f64;
    letters * LETTER
}

/// The place of something in a list, for arithmetic.
fn place(n: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a place in a short list")]
    let place = n as f64;
    place
}

#[cfg(test)]
mod tests;
