//! Space-time diagrams of a schedule: lanes, store and lock service as life lines, messages as arrows, time downwards, and the
//! moment marked at which it goes wrong. After L. Lamport, "Time, Clocks, and the Ordering of Events in a Distributed
//! System" (1978).

mod mermaid;
mod svg;
mod text;

pub use mermaid::to_mermaid;
pub use svg::to_svg;
pub(super) use svg::{inline_style, to_inline_svg};
pub use text::to_diagram;

use crate::explore::{Did, Fate, Line, Story, lane_name};
use crate::terms::{Leg, Violation};
use crate::world::Acts;

/// One thing that is drawn, from top to bottom.
enum DiagramRow {
    /// A message to a backend, and what became of it.
    Message {
        lane: u8,
        to: Leg,
        fate: Fate,
        did: String,
        learned: String,
    },
    /// A request that was in flight reaches its backend.
    Landing {
        lane: u8,
        to: Leg,
        did: String,
        learned: String,
    },
    Crash {
        lane: u8,
        before: String,
    },
    /// A message between client and handler, which are one life line: the lane.
    Crossing {
        lane: u8,
        way: Crossing,
        what: String,
    },
    /// A timer of a lane runs out.
    Expiry {
        lane: u8,
        at: Leg,
        what: String,
    },
    /// What the client of a lane is told.
    Told {
        lane: u8,
        what: String,
    },
    /// Here it is broken.
    Broken {
        what: String,
    },
    /// Words across the diagram.
    Aside {
        what: String,
    },
}

/// How a message crosses the hop between client and handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crossing {
    /// To the handler.
    In,
    /// To the handler, late.
    Late,
    /// To the client.
    Out,
    /// It is under way.
    Held,
    Lost,
}

impl Crossing {
    /// The way of a step's message, if it is one that crosses.
    fn of(line: &Line) -> Option<Crossing> {
        let op = match line.event {
            Did::Made { op, .. } | Did::Landed { op, .. } => op,
            Did::Crashed { .. } | Did::Expired { .. } | Did::Queued { .. } => return None,
        };
        if op.leg() != Leg::Client {
            return None;
        }
        Some(match line.step.fate {
            Fate::RequestLost | Fate::ReplyLost => Crossing::Lost,
            Fate::TimesOut => Crossing::Held,
            Fate::Lands => Crossing::Late,
            Fate::Arrives | Fate::Crashes | Fate::Expires | Fate::Queues => {
                if op.acts().any(Acts::ANSWERS) {
                    Crossing::Out
                } else {
                    Crossing::In
                }
            }
        })
    }
}

/// The diagram, from top to bottom.
fn rows(story: &Story) -> Vec<DiagramRow> {
    let mut rows = Vec::new();
    let mut ran_on = false;
    for line in &story.lines {
        if line.ran_on && !ran_on {
            ran_on = true;
            rows.push(DiagramRow::Aside { what: "and then, without faults".to_owned() });
        }
        rows_of(story, line, &mut rows);
    }
    let shown = story.shown_in_the_end();
    rows.extend(story.settling().into_iter().map(|what| DiagramRow::Aside { what }));
    rows.extend(shown.into_iter().map(|violation| DiagramRow::Broken { what: story.words_for(violation) }));
    rows
}

fn rows_of(story: &Story, line: &Line, rows: &mut Vec<DiagramRow>) {
    let lane = line.step.lane;
    let (did, learned) = (line.did.clone(), line.learned.clone());
    if line.waited {
        rows.push(DiagramRow::Aside { what: "the lease of who is gone expires".to_owned() });
    }
    let crossing = Crossing::of(line);
    rows.push(match (line.step.fate, crossing) {
        (_, Some(way)) => DiagramRow::Crossing { lane, way, what: format!("{did}: {learned}") },
        (Fate::Crashes, None) => DiagramRow::Crash { lane, before: did },
        (Fate::Expires, None) => {
            DiagramRow::Expiry { lane, at: line.leg, what: did.trim_end_matches(" expires").to_owned() }
        }
        (Fate::Lands, None) => DiagramRow::Landing { lane, to: line.leg, did, learned },
        (fate @ (Fate::Arrives | Fate::RequestLost | Fate::ReplyLost | Fate::TimesOut | Fate::Queues), None) => {
            DiagramRow::Message { lane, to: line.leg, fate, did, learned }
        }
    });
    let (by_telling, by_doing) = line.shows.iter().partition::<Vec<Violation>, _>(|it| **it == Violation::Deviating);
    let broken = |violation: Violation| DiagramRow::Broken { what: story.words_for(violation) };
    rows.extend(by_doing.into_iter().map(broken));
    rows.extend(line.told.clone().map(|what| DiagramRow::Told { lane, what }));
    rows.extend(by_telling.into_iter().map(broken));
}

/// The title of a diagram.
fn title(story: &Story) -> String {
    format!("{}: {}", story.strategy, story.schedule)
}

/// What a lane's life line is called.
fn lane_title(story: &Story, lane: u8) -> String {
    let host = story.bound.host_of(lane);
    if host == lane { format!("lane {}", lane_name(lane)) } else { format!("beside {}", lane_name(host)) }
}
