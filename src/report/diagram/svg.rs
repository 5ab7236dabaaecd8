//! A diagram as SVG that stands alone, and reads well in light and dark.

use super::{Crossing, DiagramRow, lane_title, rows, title};
use crate::explore::{Fate, Story, lane_name};
use crate::report::plot::escape;
use crate::terms::{Leg, Role};

const WIDTH: u32 = 760;
const TOP: u32 = 92;
/// How far apart the lanes are, and where the first is.
const LANE_STEP: u32 = 84;
/// How far the next service is from the last one.
const SERVICE_STEP: usize = 110;
const FIRST_LANE: u32 = 60;
/// The width of a letter, roughly.
const LETTER: u32 = 7;

const STYLE: &str = "
  .back { fill: #ffffff } text { fill: #1f2328; font: 13px ui-sans-serif, system-ui, sans-serif }
  .title { font-weight: 600; font-size: 15px } .schedule { font-family: ui-monospace, monospace }
  .head { font-weight: 600; text-anchor: middle } .life { stroke: #8c959f; stroke-width: 1.5; stroke-dasharray: 2 4 }
  .message { stroke: #0969da; stroke-width: 1.6; fill: none } .answer { stroke: #57606a; stroke-width: 1.3; fill: none }
  .dashed { stroke-dasharray: 6 4 } .tip { fill: #0969da } .back-tip { fill: #57606a }
  .quiet { fill: #57606a; font-style: italic } .fault { stroke: #bc4c00; stroke-width: 2.4 } .fault-words { fill: #bc4c00; font-weight: 600 }
  .broken-box { fill: #ffebe9; stroke: #cf222e; stroke-width: 1.6 } .broken { fill: #a40e26; font-weight: 700 }
  .told { fill: #1f2328 } .under { fill: #ffffff; opacity: 0.88 }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117 } text, .told { fill: #e6edf3 } .life { stroke: #6e7681 } .message { stroke: #58a6ff } .tip { fill: #58a6ff }
    .answer { stroke: #9198a1 } .back-tip { fill: #9198a1 } .quiet { fill: #9198a1 } .fault { stroke: #f0883e } .fault-words { fill: #f0883e }
    .broken-box { fill: #3d1215; stroke: #ff7b72 } .broken { fill: #ffa198 } .under { fill: #0d1117 }
  }";

/// What is drawn so far, and how far down it reaches.
struct Drawing {
    body: String,
    y: u32,
    services: Vec<(Role, u32)>,
    words: u32,
}

/// The diagram of a schedule as one SVG document, without anything from elsewhere.
#[must_use]
pub fn to_svg(story: &Story) -> String {
    let lanes = u32::from(story.bound.lanes);
    let last = if story.roles.len() > 1 { WIDTH - 60 } else { WIDTH - 70 };
    let places = story.roles.iter().rev().zip((0..=last).rev().step_by(SERVICE_STEP)).map(|(role, x)| (*role, x));
    let mut services: Vec<(Role, u32)> = places.collect();
    services.reverse();
    let words = FIRST_LANE + LANE_STEP * (lanes - 1) + 14;
    let mut drawing = Drawing { body: String::new(), y: TOP, services: services.clone(), words };
    for row in rows(story) {
        drawing.row(&row);
    }
    let height = drawing.y + 16;
    let lives = (0..story.bound.lanes).map(|lane| (lane_x(lane), lane_title(story, lane)));
    let backends = services.into_iter().map(|(role, x)| (x, role.title().to_owned()));
    let mut heads = String::new();
    for (x, name) in lives.chain(backends) {
        heads.push_str(&format!(
            "<text class=\"head\" x=\"{x}\" y=\"70\">{name}</text><line class=\"life\" x1=\"{x}\" y1=\"78\" x2=\"{x}\" y2=\"{}\"/>\n",
            height - 8
        ));
    }
    let (name, schedule) = (escape(story.strategy), escape(&story.schedule.to_string()));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-labelledby=\"title\">\n<title id=\"title\">{}</title>\n<style>{STYLE}\n</style>\n\
         <rect class=\"back\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>\n\
         <text class=\"title\" x=\"20\" y=\"26\">{name}</text>\n<text class=\"schedule\" x=\"20\" y=\"46\">{schedule}</text>\n\
         {heads}{}</svg>\n",
        escape(&title(story)),
        drawing.body
    )
}

/// The same to stand in a page that has [`inline_style`]; `id` is unique there.
pub(in crate::report) fn to_inline_svg(story: &Story, id: &str) -> String {
    let id = escape(id);
    to_svg(story)
        .replace(&format!("<style>{STYLE}\n</style>\n"), "")
        .replace("<svg xmlns=\"http://www.w3.org/2000/svg\" ", "<svg class=\"story\" ")
        .replace("id=\"title\"", &format!("id=\"{id}-title\""))
        .replace("aria-labelledby=\"title\"", &format!("aria-labelledby=\"{id}-title\""))
}

/// The style of diagrams in a page, for nothing but them.
pub(in crate::report) fn inline_style() -> String {
    format!(".story {{{STYLE}\n}}")
}

fn lane_x(lane: u8) -> u32 {
    FIRST_LANE + LANE_STEP * u32::from(lane)
}

impl Drawing {
    fn add(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    fn service(&self, leg: Leg) -> u32 {
        let place = self.services.iter().find(|(role, _)| Leg::Service(*role) == leg);
        place.or(self.services.first()).map_or(WIDTH, |(_, x)| *x)
    }

    fn line(&mut self, class: &str, from: (u32, u32), to: (u32, u32)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(&format!("<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"));
    }

    fn arrow(&mut self, class: &str, tip: &str, (x1, x2): (u32, u32)) {
        let y = self.y;
        self.line(class, (x1, y), (x2, y));
        let back = if x2 > x1 { x2 - 9 } else { x2 + 9 };
        self.add(&format!("<path class=\"{tip}\" d=\"M{x2} {y} L{back} {} L{back} {} Z\"/>", y - 4, y + 4));
    }

    fn cross(&mut self, x: u32) {
        let y = self.y;
        self.line("fault", (x - 6, y - 6), (x + 6, y + 6));
        self.line("fault", (x - 6, y + 6), (x + 6, y - 6));
    }

    /// Words over the line that was drawn last, on a ground that lets them be read across life lines.
    fn words(&mut self, class: &str, x: u32, words: &str) {
        let width = LETTER * u32::try_from(words.chars().count()).unwrap_or(0);
        let y = self.y;
        self.add(&format!(
            "<rect class=\"under\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"16\"/>",
            x - 3,
            y - 18,
            width + 6
        ));
        self.add(&format!("<text class=\"{class}\" x=\"{x}\" y=\"{}\">{}</text>", y - 6, escape(words)));
    }

    fn row(&mut self, row: &DiagramRow) {
        match row {
            DiagramRow::Message { lane, to, fate, did, learned } => self.message(*lane, *to, *fate, did, learned),
            DiagramRow::Landing { lane, to, did, learned } => {
                self.y += 30;
                let target = self.service(*to);
                self.arrow("message dashed", "tip", (self.words, target));
                self.words("fault-words", self.words + 6, &format!("{}: {did}", lane_name(*lane)));
                self.y += 20;
                self.words("quiet", self.words + 6, learned);
            }
            DiagramRow::Crash { lane, before } => {
                self.y += 28;
                self.cross(lane_x(*lane));
                self.y += 5;
                self.words("fault-words", self.words + 6, before);
            }
            DiagramRow::Expiry { lane, at, what } => {
                self.y += 28;
                self.cross(self.service(*at));
                self.y += 5;
                self.words("fault-words", self.words + 6, &format!("the {what} of {} expires", lane_name(*lane)));
            }
            DiagramRow::Crossing { lane, way, what } => {
                self.y += 28;
                let (x, y) = (lane_x(*lane), self.y);
                let triangle = match way {
                    Crossing::Lost => None,
                    Crossing::In => Some(("tip", format!("M{} {} L{} {} L{x} {y} Z", x - 6, y - 10, x + 6, y - 10))),
                    Crossing::Out => Some(("back-tip", format!("M{} {y} L{} {y} L{x} {} Z", x - 6, x + 6, y - 10))),
                    Crossing::Late | Crossing::Held => {
                        Some(("message", format!("M{} {} L{} {} L{x} {y} Z", x - 6, y - 10, x + 6, y - 10)))
                    }
                };
                match triangle {
                    Some((class, path)) => self.add(&format!("<path class=\"{class}\" d=\"{path}\"/>")),
                    None => self.cross(x),
                }
                self.y += 5;
                let class = if matches!(way, Crossing::In | Crossing::Out) { "told" } else { "fault-words" };
                self.words(class, self.words + 6, what);
            }
            DiagramRow::Told { lane, what } => {
                self.y += 24;
                let (x, y) = (lane_x(*lane), self.y - 11);
                self.add(&format!("<circle class=\"tip\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>"));
                self.words("told", self.words + 6, what);
            }
            DiagramRow::Broken { what } => {
                self.y += 36;
                let (y, text) = (self.y, escape(what));
                self.add(&format!(
                    "<rect class=\"broken-box\" x=\"20\" y=\"{}\" width=\"{}\" height=\"26\" rx=\"4\"/>\
                     <text class=\"broken\" x=\"32\" y=\"{}\">✗ {text}</text>",
                    y - 24,
                    WIDTH - 40,
                    y - 6
                ));
            }
            DiagramRow::Aside { what } => {
                self.y += 26;
                self.words("quiet", self.words + 6, what);
            }
        }
    }

    fn message(&mut self, lane: u8, to: Leg, fate: Fate, did: &str, learned: &str) {
        self.y += 32;
        let (from, target) = (lane_x(lane), self.service(to));
        let middle = self.words + 24 + LETTER * u32::try_from(did.chars().count()).unwrap_or(0);
        match fate {
            Fate::RequestLost => {
                self.line("message", (from, self.y), (middle, self.y));
                self.cross(middle);
                self.words("told", self.words + 6, did);
                self.y += 5;
                self.words("fault-words", middle + 14, "lost");
                self.y -= 5;
            }
            Fate::TimesOut => {
                self.arrow("message dashed", "tip", (from, middle));
                self.words("told", self.words + 6, did);
                self.y += 10;
                self.words("fault-words", middle + 14, "times out, still in flight");
                self.y -= 10;
            }
            Fate::ReplyLost => {
                self.arrow("message", "tip", (from, target));
                self.words("told", self.words + 6, did);
                self.y += 24;
                let at = self.words + 140;
                self.line("answer", (target, self.y), (at, self.y));
                self.cross(at);
                self.words("fault-words", at + 14, "the reply is lost");
            }
            Fate::Arrives | Fate::Lands | Fate::Crashes | Fate::Expires | Fate::Queues => {
                self.arrow("message", "tip", (from, target));
                self.words("told", self.words + 6, did);
                self.y += 24;
                self.arrow("answer", "back-tip", (target, from));
                self.words("quiet", self.words + 6, learned);
            }
        }
    }
}
