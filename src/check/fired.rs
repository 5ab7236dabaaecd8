//! Which faults fired, and where; which operations were made. What a pass is worth depends on both.

use crate::fault::{Level, Probability};
use crate::history::{Event, What};
use crate::terms::{FaultKind, Leg};
use crate::world::OpKind;

/// How often each fault fired, on each leg. What happens to a handler happens on no leg.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fired {
    counts: [[u64; PLACES]; FaultKind::ALL.len()],
}

/// Every leg, and none.
const PLACES: usize = Leg::ALL.len() + 1;

/// Every place, in the order in which they are counted.
fn everywhere() -> impl Iterator<Item = Option<Leg>> {
    Leg::ALL.into_iter().map(Some).chain([None])
}

fn place(leg: Option<Leg>) -> usize {
    leg.map_or(PLACES - 1, Leg::number)
}

impl Fired {
    /// Counts the faults that an event shows.
    #[inline]
    pub(super) fn count(&mut self, event: &Event) {
        let leg = match event.what {
            What::Sent { .. } => Some(Leg::Client),
            What::Called { op, .. } => Some(op.leg()),
            What::Paused { .. } | What::Cancelled | What::Crashed => None,
            What::Arrived
            | What::Repeated { .. }
            | What::Landed { .. }
            | What::Answered { .. }
            | What::Received { .. }
            | What::TimedOut
            | What::GaveUp => return,
        };
        if let Some(fault) = event.fault() {
            self.add(fault, leg, 1);
        }
        if event.is_delayed() {
            self.add(FaultKind::Delayed, leg, 1);
        }
        if event.is_duplicate() {
            self.add(FaultKind::Duplicated, leg, 1);
        }
        if event.is_other_body() {
            self.add(FaultKind::OtherBody, leg, 1);
        }
    }

    /// Counts a fault so many times.
    pub fn add(&mut self, fault: FaultKind, leg: Option<Leg>, times: u64) {
        self.counts[fault as usize][place(leg)] += times;
    }

    /// Adds the counts of another trial.
    pub fn add_all(&mut self, other: &Fired) {
        for (fault, leg, count) in other.iter() {
            self.add(fault, leg, count);
        }
    }

    /// How often a fault fired in one place.
    #[must_use]
    pub fn on(&self, fault: FaultKind, leg: Option<Leg>) -> u64 {
        self.counts[fault as usize][place(leg)]
    }

    /// How often a fault fired anywhere.
    #[must_use]
    pub fn of(&self, fault: FaultKind) -> u64 {
        self.counts[fault as usize].iter().sum()
    }

    /// How many faults fired, of all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Those that fired, in the order of kinds.
    pub fn iter(&self) -> impl Iterator<Item = (FaultKind, Option<Leg>, u64)> + '_ {
        let all = FaultKind::ALL.into_iter().flat_map(|fault| everywhere().map(move |leg| (fault, leg)));
        let all = all.map(|(fault, leg)| (fault, leg, self.on(fault, leg)));
        all.filter(|(.., count)| *count > 0)
    }
}

/// How often each kind of operation was made, and how often outside a transaction: a driver repeats only those by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    counts: [(u64, u64); OpKind::PLACES],
}

impl Default for Made {
    fn default() -> Self {
        Made { counts: [(0, 0); OpKind::PLACES] }
    }
}

impl Made {
    #[inline]
    pub(super) fn count(&mut self, kind: OpKind, alone: bool) {
        self.add(kind, 1, u64::from(alone));
    }

    /// Counts a kind so many times, and so many of them outside a transaction.
    pub fn add(&mut self, kind: OpKind, times: u64, alone: u64) {
        let (all, outside) = &mut self.counts[kind.place()];
        *all += times;
        *outside += alone;
    }

    /// Adds the counts of another trial.
    pub fn add_all(&mut self, other: &Made) {
        for (kind, times, alone) in other.iter() {
            self.add(kind, times, alone);
        }
    }

    /// Those that were made, in the order of kinds: how often, and how often outside a transaction.
    pub fn iter(&self) -> impl Iterator<Item = (OpKind, u64, u64)> + '_ {
        let all = OpKind::everywhere().map(|kind| {
            let (times, alone) = self.counts[kind.place()];
            (kind, times, alone)
        });
        all.filter(|(_, times, _)| *times > 0)
    }

    /// Whether any operation could meet a fault that a level has.
    fn can_meet(&self, level: &Level, fault: FaultKind, leg: Option<Leg>) -> bool {
        let is_possible = |probability: Probability| probability.get() > 0.0;
        let has_message_fault = |kind: OpKind| is_possible(level.message_faults(kind).probability(fault));
        let has_mishap = |kind: OpKind| is_possible(level.handler_faults(kind).probability(fault));
        let mut made = self.iter();
        match leg {
            None => made.any(|(kind, ..)| has_mishap(kind)),
            Some(Leg::Client) => is_possible(level.client.probability(fault)),
            Some(leg) => {
                let is_done_to_server = level.backend.iter().any(|b| b.fault.kind() == fault && b.target.leg() == leg);
                made.any(|(kind, _, alone)| {
                    let is_met = has_message_fault(kind) && (fault != FaultKind::Duplicated || alone > 0);
                    kind.leg() == leg && (is_met || is_done_to_server)
                })
            }
        }
    }
}

/// Faults in places, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults(u128);

const _: () = assert!(FaultKind::ALL.len() * PLACES <= 128);

impl Faults {
    /// The faults of a level that operations of these kinds can meet, and that never fired. Where it was not written down which
    /// operations were made, nothing is missing as soon as any fault fired.
    #[must_use]
    pub fn missing(level: &Level, made: &Made, fired: &Fired) -> Faults {
        let mut missing = Faults::default();
        let is_unknown = made.iter().next().is_none();
        if is_unknown && fired.total() > 0 {
            return missing;
        }
        for (n, fault) in FaultKind::ALL.into_iter().enumerate() {
            for leg in everywhere() {
                let can_meet = match leg {
                    Some(leg) if is_unknown => level.can_happen(fault, leg),
                    _ => made.can_meet(level, fault, leg),
                };
                if fired.on(fault, leg) == 0 && can_meet {
                    missing.0 |= 1 << (n * PLACES + place(leg));
                }
            }
        }
        missing
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One by one, in the order of kinds.
    pub fn iter(self) -> impl Iterator<Item = (FaultKind, Option<Leg>)> {
        let all = FaultKind::ALL
            .into_iter()
            .enumerate()
            .flat_map(|(n, fault)| everywhere().map(move |leg| (1_u128 << (n * PLACES + place(leg)), (fault, leg))));
        all.filter(move |(bit, _)| self.0 & bit != 0).map(|(_, it)| it)
    }
}

impl std::fmt::Display for Faults {
    /// Prints `client.reply_lost, store.late_landing, handler.pause`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, (fault, leg)) in self.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}{}.{fault}", leg.map_or("handler", Leg::name))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{ForOps, HandlerFaults, MessageFaults, OpName};
    use crate::terms::{BackendFault, Disturbance, Target};

    fn level() -> Level {
        let mut level = Level::none();
        level.client.reply_lost = Probability::new(0.1).unwrap();
        level.store.late_landing = Probability::new(0.1).unwrap();
        level.lock.delayed = Probability::new(0.1).unwrap();
        level.handler.pause = Probability::new(0.1).unwrap();
        level
    }

    fn made(kinds: &[OpKind]) -> Made {
        let mut made = Made::default();
        kinds.iter().for_each(|kind| made.count(*kind, true));
        made
    }

    #[test]
    fn a_fault_that_can_be_met_and_never_fired_is_missing() {
        let missing = Faults::missing(&level(), &made(&[OpKind::named("apply")]), &Fired::default());
        // Nothing was asked of the lock service: its delays cannot be met.
        assert_eq!(missing.to_string(), "client.reply_lost, store.late_landing, handler.pause");
        let with_lock =
            Faults::missing(&level(), &made(&[OpKind::named("apply"), OpKind::named("acquire")]), &Fired::default());
        assert_eq!(with_lock.to_string(), "client.reply_lost, store.late_landing, lock.delayed, handler.pause");
    }

    #[test]
    fn what_fired_in_another_place_is_missing_all_the_same() {
        let mut fired = Fired::default();
        fired.add(FaultKind::ReplyLost, Some(Leg::STORE), 9);
        fired.add(FaultKind::LateLanding, Some(Leg::STORE), 1);
        fired.add(FaultKind::Pause, None, 1);
        let missing = Faults::missing(&level(), &made(&[OpKind::named("apply")]), &fired);
        assert_eq!(missing.iter().collect::<Vec<_>>(), [(FaultKind::ReplyLost, Some(Leg::Client))]);
        fired.add(FaultKind::ReplyLost, Some(Leg::Client), 1);
        assert!(Faults::missing(&level(), &made(&[OpKind::named("apply")]), &fired).is_empty());
        assert_eq!((fired.of(FaultKind::ReplyLost), fired.total()), (10, 12));
        let mut twice = fired.clone();
        twice.add_all(&fired);
        assert_eq!((twice.on(FaultKind::ReplyLost, Some(Leg::STORE)), twice.total()), (18, 24));
    }

    #[test]
    fn nothing_repeats_an_operation_inside_a_transaction() {
        let mut level = Level::none();
        level.store.duplicated = Probability::new(0.1).unwrap();
        let mut inside = Made::default();
        inside.add(OpKind::named("apply"), 5, 0);
        assert!(Faults::missing(&level, &inside, &Fired::default()).is_empty());
        inside.add(OpKind::named("read-mark"), 5, 1);
        assert_eq!(Faults::missing(&level, &inside, &Fired::default()).to_string(), "store.duplicated");
    }

    #[test]
    fn an_exception_counts_only_where_its_operation_is_made() {
        let faults = MessageFaults { reply_lost: Probability::new(0.1).unwrap(), ..MessageFaults::default() };
        let mut level = Level::none();
        level.for_ops =
            vec![ForOps { ops: vec![OpName(OpKind::named("commit"))], message: Some(faults), handler: None }];
        assert!(Faults::missing(&level, &made(&[OpKind::named("apply")]), &Fired::default()).is_empty());
        let missing =
            Faults::missing(&level, &made(&[OpKind::named("apply"), OpKind::named("commit")]), &Fired::default());
        assert_eq!(missing.to_string(), "store.reply_lost");
    }

    #[test]
    fn only_what_happened_is_listed_and_it_adds_up() {
        let mut fired = Fired::default();
        fired.add(FaultKind::Crash, None, 2);
        fired.add(FaultKind::ReplyLost, Some(Leg::LOCK), 3);
        let mut sum = fired.clone();
        sum.add_all(&fired);
        let expected = [(FaultKind::ReplyLost, Some(Leg::LOCK), 6), (FaultKind::Crash, None, 4)];
        assert_eq!(sum.iter().collect::<Vec<_>>(), expected);
        let mut made = Made::default();
        made.add(OpKind::named("claim"), 5, 2);
        made.add(OpKind::named("begin"), 3, 0);
        let mut sum = made.clone();
        sum.add_all(&made);
        assert_eq!(sum.iter().collect::<Vec<_>>(), [(OpKind::named("begin"), 6, 0), (OpKind::named("claim"), 10, 4)]);
    }

    #[test]
    fn every_fault_in_every_place_is_one_of_its_own() {
        let likely = Probability::new(0.1).unwrap();
        let anything = MessageFaults::all_at(likely);
        let mut level =
            Level { client: anything, store: anything, lock: anything, second: anything, peer: anything, ..level() };
        (level.cache, level.broker) = (anything, anything);
        level.handler = HandlerFaults::all_at(likely);
        let every = ["apply", "acquire", "second.apply", "post", "set-lock", "produce"].map(OpKind::named);
        let missing = Faults::missing(&level, &made(&every), &Fired::default());
        // In the order of kinds, and of legs: the kinds are declared in this order.
        let expected: Vec<_> =
            MessageFaults::KINDS.iter().flat_map(|kind| Leg::ALL.map(|leg| (*kind, Some(leg)))).collect();
        let (on_legs, own): (Vec<_>, Vec<_>) = missing.iter().partition(|(_, leg)| leg.is_some());
        assert_eq!(on_legs, expected);
        assert_eq!(own, HandlerFaults::KINDS.iter().map(|kind| (*kind, None)).collect::<Vec<_>>());
        assert!(on_legs.len() >= 5 * Leg::ALL.len() && own.len() >= 3);
    }

    #[test]
    fn what_is_done_to_a_server_is_met_by_the_operations_that_go_there() {
        let mut level = Level::none();
        let paused =
            BackendFault { fault: Disturbance::Pause, target: Target::Store, at_ms: None, every_ms: None, for_ms: 1 };
        level.backend = vec![paused];
        let missing = |kinds: &[OpKind]| Faults::missing(&level, &made(kinds), &Fired::default()).to_string();
        assert_eq!(missing(&[OpKind::named("apply"), OpKind::named("acquire")]), "store.server_paused");
        assert_eq!(missing(&[OpKind::named("acquire")]), "");
    }
}
