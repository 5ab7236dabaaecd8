//! A diagram in text of at most 80 columns.

use super::{DiagramRow, broken, rows, title};
use crate::explore::{Fate, Story, lane_name};
use crate::terms::Leg;

/// The columns that there are.
const WIDTH: usize = 80;
/// Where the first lane is, and how far the next one is from it.
const FIRST_LANE: usize = 3;
const LANE_STEP: usize = 5;

/// Where the life lines are.
struct Places {
    lanes: usize,
    store: usize,
    lock: Option<usize>,
}

impl Places {
    fn lane(lane: u8) -> usize {
        FIRST_LANE + LANE_STEP * usize::from(lane)
    }

    /// Where words begin: to the right of the lanes.
    fn words(&self) -> usize {
        FIRST_LANE + LANE_STEP * (self.lanes - 1) + 3
    }

    fn backend(&self, leg: Leg) -> usize {
        match leg {
            Leg::Lock => self.lock.unwrap_or(self.store),
            Leg::Store | Leg::Client => self.store,
        }
    }

    /// A line with nothing but life lines.
    fn empty(&self) -> Canvas {
        let mut canvas = Canvas(vec![' '; WIDTH]);
        for lane in 0..self.lanes {
            canvas.0[FIRST_LANE + LANE_STEP * lane] = '│';
        }
        for backend in std::iter::once(self.store).chain(self.lock) {
            canvas.0[backend] = '│';
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
    let lock = story.has_lock.then_some(WIDTH - 4);
    let store = if story.has_lock { WIDTH - 16 } else { WIDTH - 10 };
    let places = Places { lanes: story.bound.lanes.into(), store, lock };
    let mut head = Canvas(vec![' '; WIDTH]);
    for lane in 0..story.bound.lanes {
        head.put(Places::lane(lane), lane_name(lane));
    }
    head.write(places.store - 2, "store", WIDTH);
    if let Some(lock) = places.lock {
        head.write(lock - 2, "lock", WIDTH);
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
            let target = places.backend(*to);
            line.draw(words, target - 2, '╌');
            line.write(words + 2, &format!(" {}: {did} ", lane_name(*lane)), target - 2);
            line.put(target - 1, '▶');
            let mut answer = places.empty();
            answer.write(words + 2, &format!(" {learned}"), target);
            return vec![line, answer];
        }
        DiagramRow::Crash { lane, before } => {
            line.put(Places::lane(*lane), '✗');
            line.write(words, before, places.store);
        }
        DiagramRow::Expiry { lane } => {
            let lock = places.lock.unwrap_or(places.store);
            line.put(lock, '✗');
            line.write(words, &format!("the lease of {} expires", lane_name(*lane)), places.store);
        }
        DiagramRow::Told { lane, what } => {
            line.put(Places::lane(*lane), '◆');
            line.write(words, what, places.store);
        }
        DiagramRow::Broken { violation } => {
            let text = format!("▌ {} ▐", broken(*violation));
            let mut broken = Canvas(vec![' '; WIDTH]);
            broken.write(FIRST_LANE, &text, WIDTH);
            return vec![broken];
        }
        DiagramRow::Aside { what } => line.write(words, &format!("({what})"), places.store),
    }
    vec![line]
}

/// A request and its response: two lines, or one if there is no response.
fn message(places: &Places, (lane, to): (u8, Leg), fate: Fate, did: &str, learned: &str) -> Vec<Canvas> {
    let (from, target, words) = (Places::lane(lane), places.backend(to), places.words());
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
            request.write(until + 2, "lost", places.store);
            return vec![request];
        }
        Fate::TimesOut => {
            request.write(until + 2, "in flight", places.store);
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
