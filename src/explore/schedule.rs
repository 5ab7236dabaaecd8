//! Schedules: the exact order of steps and faults, on one readable line.

use std::str::FromStr;

use crate::service::contract::lane_name;

/// What happens to the operation that a lane is about to make, or to what it has left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// The operation runs and its response arrives.
    Arrives,
    /// The request is lost: it never reaches the backend.
    RequestLost,
    /// The reply is lost: the backend did it, and nobody heard.
    ReplyLost,
    /// The handler gives up waiting while the request is still in flight.
    TimesOut,
    /// The oldest request that this lane has in flight lands.
    Lands,
    /// The handler crashes before the operation is sent; its client retries.
    Crashes,
    /// The lease that the lane holds expires.
    Expires,
    /// The operation begins and must wait: for a lock that others hold, in the lock service's queue, or for another transaction, with a
    /// snapshot that is taken before the wait. What comes of it, the lane's next step tells. An exploration goes through these steps
    /// where the strategy has such snapshots; a schedule that is written down may have them.
    Queues,
}

impl Fate {
    /// Every fate that is explored, in the order of the declaration, which is the order in which they are tried.
    pub const ALL: [Fate; 7] =
        [Fate::Arrives, Fate::RequestLost, Fate::ReplyLost, Fate::TimesOut, Fate::Lands, Fate::Crashes, Fate::Expires];

    /// How many fates there are: every one's number is lower.
    pub(crate) const COUNT: u32 = Fate::Queues as u32 + 1;

    /// Every fate that a schedule can name.
    pub(crate) fn named() -> impl Iterator<Item = Fate> {
        Self::ALL.into_iter().chain([Fate::Queues])
    }

    /// What follows the lane's letter in a schedule.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Fate::Arrives => "",
            Fate::RequestLost => "!",
            Fate::ReplyLost => "?",
            Fate::TimesOut => "~",
            Fate::Lands => "+",
            Fate::Crashes => "x",
            Fate::Expires => "*",
            Fate::Queues => "&",
        }
    }

    /// Whether it is one of the faults that a bound limits. That a request lands late is the end of a fault, not another.
    #[must_use]
    pub fn is_fault(self) -> bool {
        !matches!(self, Fate::Arrives | Fate::Lands | Fate::Queues)
    }
}

/// One step of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// 0 is lane `a`.
    pub lane: u8,
    pub fate: Fate,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", lane_name(self.lane), self.fate.suffix())
    }
}

/// Steps in order. What lanes have left to do after the last one, they do without faults: the lane that moved last goes on
/// as long as it can, then the others in the order of their letters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Schedule(pub Vec<Step>);

impl Schedule {
    /// How many faults there are in it.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.0.iter().filter(|step| step.fate.is_fault()).count()
    }

    /// How many lanes move in it.
    #[must_use]
    pub fn lanes(&self) -> usize {
        let mut lanes: Vec<u8> = self.0.iter().map(|step| step.lane).collect();
        lanes.sort_unstable();
        lanes.dedup();
        lanes.len()
    }

    /// How often it goes from one lane to another.
    #[must_use]
    pub fn switches(&self) -> usize {
        self.0.windows(2).filter(|pair| pair[0].lane != pair[1].lane).count()
    }

    /// What makes one schedule simpler than another: fewer faults, then fewer switches, then fewer steps.
    #[must_use]
    pub fn cost(&self) -> (usize, usize, usize) {
        (self.faults(), self.switches(), self.0.len())
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{step}")?;
        }
        Ok(())
    }
}

/// A token that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "step {position} of the schedule, '{token}', is no token: a token is a lane's letter and nothing, or one of ! ? ~ + x * & after it"
)]
pub struct MalformedToken {
    /// The place in the schedule, from 1.
    pub position: usize,
    pub token: String,
}

impl FromStr for Schedule {
    type Err = MalformedToken;

    fn from_str(text: &str) -> Result<Self, MalformedToken> {
        let step = |(n, token): (usize, &str)| {
            let malformed = || MalformedToken { position: n + 1, token: token.to_owned() };
            let letter = token.bytes().next().filter(u8::is_ascii_lowercase).ok_or_else(malformed)?;
            let fate = Fate::named().find(|fate| fate.suffix() == &token[1..]).ok_or_else(malformed)?;
            Ok(Step { lane: letter - b'a', fate })
        };
        text.split_whitespace().enumerate().map(step).collect::<Result<_, _>>().map(Schedule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_reads_as_it_is_printed() {
        let line = "a b! a? c~ ax b* c+ b& a";
        let schedule: Schedule = line.parse().expect("it is well formed");
        assert_eq!(schedule.to_string(), line);
        assert_eq!(schedule.cost(), (5, 8, 9));
    }

    #[test]
    fn what_is_no_token_is_named_with_its_place() {
        for (text, position, token) in [("a A", 2, "A"), ("a b!!", 2, "b!!"), ("é", 1, "é"), ("a b 1", 3, "1")] {
            let error = text.parse::<Schedule>().expect_err("it is malformed");
            assert_eq!(error, MalformedToken { position, token: token.to_owned() });
        }
    }
}
