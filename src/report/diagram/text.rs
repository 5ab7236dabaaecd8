//! A diagram in text of at most 80 columns.

use super::{Crossing, DiagramRow, rows, title};
use crate::explore::{Fate, Story, lane_name};
use crate::terms::{Leg, Role};

/// The columns that there are.
const WIDTH: usize = 80;
/// Where the first lane is, and how far the next one is from it.
const FIRST_LANE: usize = 3;
const LANE_STEP: usize = 5;
/// How far the next service is from the last one.
const SERVICE_STEP: usize = 12;

/// Where the life lines are.
struct Places {
    lanes: usize,
    services: Vec<(Role, usize)>,
}

impl Places {
    fn lane(lane: u8) -> usize {
        FIRST_LANE + LANE_STEP * usize::from(lane)
    }

    /// Where words begin: to the right of the lanes.
    fn words(&self) -> usize {
        FIRST_LANE + LANE_STEP * (self.lanes - 1) + 3
    }

    fn service(&self, leg: Leg) -> usize {
        let place = self.services.iter().find(|(role, _)| Leg::Service(*role) == leg);
        place.map_or(self.end(), |(_, place)| *place)
    }

    /// Where words end: before the first service.
    fn end(&self) -> usize {
        self.services.first().map_or(WIDTH, |(_, place)| *place)
    }

    /// A line with nothing but life lines.
    fn empty(&self) -> Canvas {
        let mut canvas = Canvas(vec![' '; WIDTH]);
        for lane in 0..self.lanes {
            canvas.0[FIRST_LANE + LANE_STEP * lane] = '│';
        }
        for (_, place) in &self.services {
            canvas.0[*place] = '│';
        }
        canvas
    }
}

/// One line.
struct Canvas(Vec<char>);

impl Canvas {
    /// Draws a line from one column to another, over life lines.
    fn draw(&mut self, from: usize, to: usize, with: char) {
        for place in &mut self.0[from..=to] {
            *place = if *place == '│' { '┼' } else { with };
        }
    }

    /// Writes words, as far as there is room before `until`.
    fn write(&mut self, at: usize, words: &str, until: usize) {
        let room = until.saturating_sub(at);
        let long = words.chars().count() > room;
        let fit = words.chars().take(if long { room.saturating_sub(1) } else { room });
        for (place, letter) in self.0[at..].iter_mut().zip(fit.chain(long.then_some('…'))) {
            *place = letter;
        }
    }

    fn put(&mut self, at: usize, letter: char) {
        self.0[at] = letter;
    }

    fn text(self) -> String {
        let line: String = self.0.into_iter().collect();
        line.trim_end().to_owned() + "\n"
    }
}

/// The diagram of a schedule, at most 80 columns wide.
#[must_use]
pub fn to_diagram(story: &Story) -> String {
    let last = if story.roles.len() > 1 { WIDTH - 4 } else { WIDTH - 10 };
    let places =
        story.roles.iter().rev().zip((0..=last).rev().step_by(SERVICE_STEP)).map(|(role, place)| (*role, place));
    let mut services: Vec<(Role, usize)> = places.collect();
    services.reverse();
    let places = Places { lanes: story.bound.lanes.into(), services };
    let mut head = Canvas(vec![' '; WIDTH]);
    for lane in 0..story.bound.lanes {
        head.put(Places::lane(lane), lane_name(lane));
    }
    for (role, place) in &places.services {
        head.write(place - 2, role.name(), WIDTH);
    }
    let mut out = title(story) + "\n\n" + &head.text();
    for row in rows(story) {
        for line in lines(&row, &places) {
            out.push_str(&line.text());
        }
    }
    out
}

fn lines(row: &DiagramRow, places: &Places) -> Vec<Canvas> {
    let words = places.words();
    let mut line = places.empty();
    match row {
        DiagramRow::Message { lane, to, fate, did, learned } => {
            return message(places, (*lane, *to), *fate, did, learned);
        }
        DiagramRow::Landing { lane, to, did, learned } => {
            let target = places.service(*to);
            line.draw(words, target - 2, '╌');
            line.write(words + 2, &format!(" {}: {did} ", lane_name(*lane)), target - 2);
            line.put(target - 1, '▶');
            let mut answer = places.empty();
            answer.write(words + 2, &format!(" {learned}"), target);
            return vec![line, answer];
        }
        DiagramRow::Crash { lane, before } => {
            line.put(Places::lane(*lane), '✗');
            line.write(words, before, places.end());
        }
        DiagramRow::Crossing { lane, way, what } => {
            let mark = match way {
                Crossing::In => '▼',
                Crossing::Late => '▽',
                Crossing::Out => '▲',
                Crossing::Held => '▷',
                Crossing::Lost => '✗',
            };
            line.put(Places::lane(*lane), mark);
            line.write(words, what, places.end());
        }
        DiagramRow::Expiry { lane, at, what } => {
            line.put(places.service(*at), '✗');
            line.write(words, &format!("the {what} of {} expires", lane_name(*lane)), places.end());
        }
        DiagramRow::Told { lane, what } => {
            line.put(Places::lane(*lane), '◆');
            line.write(words, what, places.end());
        }
        DiagramRow::Broken { what } => {
            let text = format!("▌ {} ▐", what);
            let mut broken = Canvas(vec![' '; WIDTH]);
            broken.write(FIRST_LANE, &text, WIDTH);
            return vec![broken];
        }
        DiagramRow::Aside { what } => line.write(words, &format!("({what})"), places.end()),
    }
    vec![line]
}

/// A request and its response: two lines, or one if there is no response.
fn message(places: &Places, (lane, to): (u8, Leg), fate: Fate, did: &str, learned: &str) -> Vec<Canvas> {
    let (from, target, words) = (Places::lane(lane), places.service(to), places.words());
    let mut request = places.empty();
    let lost = words + 2 + did.chars().count() + 4;
    let (until, head, with) = match fate {
        Fate::RequestLost => (lost.min(target - 2), '✗', '─'),
        Fate::TimesOut => (lost.min(target - 2), '▷', '╌'),
        Fate::Arrives | Fate::ReplyLost | Fate::Lands | Fate::Crashes | Fate::Expires | Fate::Queues => {
            (target - 1, '▶', '─')
        }
    };
    request.draw(from + 1, until, with);
    request.put(from, '●');
    request.put(until, head);
    request.write(words, &format!(" {did} "), until);
    let mut response = places.empty();
    match fate {
        Fate::RequestLost => {
            request.write(until + 2, "lost", places.end());
            return vec![request];
        }
        Fate::TimesOut => {
            request.write(until + 2, "in flight", places.end());
            return vec![request];
        }
        Fate::ReplyLost => {
            let until = words + 3;
            response.draw(until, target - 1, '─');
            response.put(until, '✗');
            response.write(until + 2, " the reply is lost ", target);
        }
        Fate::Arrives | Fate::Lands | Fate::Crashes | Fate::Expires | Fate::Queues => {
            response.draw(from + 1, target - 1, '─');
            response.put(from + 1, '◀');
            response.write(words, &format!(" {learned} "), target);
        }
    }
    vec![request, response]
}
