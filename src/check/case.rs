//! The case: history and ledger of one trial, arranged so that each check looks only at what is suspicious.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use super::overlap;
use super::tally::Counted;
use super::told::Told;
use crate::history::{Event, What};
use crate::terms::{
    Balances, ByRole, ClientId, Delivery, Disturbance, Disturbed, Effect, Entry, MessageId, Request, Retries, Role,
    Shape, Target,
};
use crate::world::{Acts, Op, Outcome};

/// What was recorded of a trial.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// By message id: request `n` has the id `n`.
    pub requests: &'a [Request],
    /// In the order of time.
    pub events: &'a [Event],
    /// In the order of roles, and of the numbers in each ledger.
    pub ledger: &'a [Entry],
    /// The balance of each account of each store after everything had settled; none if it was not recorded, and then it is not
    /// judged.
    pub balances: Option<&'a ByRole<Balances>>,
    /// The roles of the stores that keep the strategy's effects.
    pub effects: &'a [Role],
    /// What was done to backends.
    pub disturbed: &'a [Disturbed],
    /// What clients of the strategy do without an answer.
    pub retries: Retries,
    /// The shape of the strategy's effects.
    pub shape: Shape,
    /// How long a lease lives.
    pub lease: Duration,
}

/// Whether an operation ends a transaction that it does not belong to: it bears the name of whose transaction it means, and the one that is
/// open when it lands need not be the one that was open when it was sent.
fn ends_whatever_is_open(op: &Op) -> bool {
    op.acts().any(Acts::ENDS) && op.acts().any(Acts::NAMES)
}

/// Evidence, grouped by message. Ids that no client ever sent belong to no group: see [`Case::strangers`].
pub struct Case<'a> {
    pub evidence: Evidence<'a>,
    /// Made when it is first asked for: an honest history is judged without it.
    events: OnceLock<Groups>,
    entries: Groups,
    told: Vec<Told>,
    /// What the clients were told that used a message's id for another body. Few messages have any.
    told_others: BTreeMap<MessageId, Told>,
    /// The roles, as bits, of the stores that are judged: those that keep effects, and those that hold any.
    judged: u8,
    overwrites: bool,
    /// When the end of a transaction of a client has landed late, in nanoseconds since the trial began, with the service that keeps it.
    strays: BTreeSet<(Role, ClientId, u64)>,
    thresholds: overlap::ThresholdWatch,
    counted: Counted,
}

impl<'a> Case<'a> {
    /// Arranges the evidence, in one pass over its events: there are millions of them, and reading them is what takes time.
    #[must_use]
    pub fn new(evidence: Evidence<'a>) -> Self {
        let messages = evidence.requests.len();
        let entries = Groups::new(messages, evidence.ledger.iter().map(|entry| entry.message));
        let keep = evidence.effects.iter().fold(0, |bits, role| bits | role.bit());
        let judged = evidence.ledger.iter().fold(keep, |bits, entry| bits | entry.role.bit());
        let mut told = vec![Told::default(); messages];
        let mut told_others = BTreeMap::new();
        let (mut overwrites, mut strays) = (false, BTreeSet::new());
        let (mut thresholds, mut counted) = (overlap::ThresholdWatch::default(), Counted::default());
        for event in evidence.events {
            thresholds.see(event);
            counted.see(event);
            if let What::Landed { op, outcome } = event.what
                && ends_whatever_is_open(&op)
                && !matches!(outcome, Some(Outcome::Failed(_)))
                && let Some(request) = evidence.requests.get(event.message.0 as usize)
            {
                strays.insert((op.role, request.client, event.at_ns));
            }
            let Some(mut of) = told.get_mut(event.message.0 as usize) else { continue };
            if event.delivery.has_other_body() {
                of = told_others.entry(event.message).or_default();
            }
            let given = || entries.of(event.message).iter().map(|index| evidence.ledger[*index as usize].balance);
            overwrites |= of.hear(event, given);
        }
        let thresholds = thresholds.ended();
        Case {
            evidence,
            events: OnceLock::new(),
            entries,
            told,
            told_others,
            judged,
            overwrites,
            strays,
            thresholds,
            counted,
        }
    }

    /// Every message id of the trial.
    pub fn messages(&self) -> impl Iterator<Item = MessageId> + use<> {
        (0..u32::try_from(self.told.len()).unwrap_or(u32::MAX)).map(MessageId)
    }

    /// What a message asks for; none if no client ever sent it.
    #[must_use]
    pub fn request(&self, message: MessageId) -> Option<&'a Request> {
        self.evidence.requests.get(message.0 as usize)
    }

    /// What happened to a message, in the order of time.
    pub fn events_of(&self, message: MessageId) -> impl Iterator<Item = &'a Event> + '_ {
        let groups = self
            .events
            .get_or_init(|| Groups::new(self.told.len(), self.evidence.events.iter().map(|event| event.message)));
        groups.of(message).iter().map(|index| &self.evidence.events[*index as usize])
    }

    /// The stores that are judged, by their roles.
    pub fn stores(&self) -> impl Iterator<Item = Role> + use<> {
        Role::in_bits(self.judged)
    }

    /// Whether the store in a role keeps the strategy's effects: then each request should have one there.
    #[must_use]
    pub fn keeps_effects(&self, role: Role) -> bool {
        self.evidence.effects.contains(&role)
    }

    /// The ledger of the store in a role.
    #[must_use]
    pub fn ledger_of(&self, role: Role) -> &'a [Entry] {
        let ledger = self.evidence.ledger;
        let from = ledger.partition_point(|entry| entry.role < role);
        &ledger[from..ledger.partition_point(|entry| entry.role <= role)]
    }

    /// The effects of a message at the store in a role, in the order of its ledger.
    pub fn entries_at(&self, role: Role, message: MessageId) -> impl Iterator<Item = &'a Entry> + '_ {
        self.entries_of(message).filter(move |entry| entry.role == role)
    }

    /// The effects of a message, in the order of the ledger.
    pub fn entries_of(&self, message: MessageId) -> impl ExactSizeIterator<Item = &'a Entry> + '_ {
        self.entries.of(message).iter().map(|index| &self.evidence.ledger[*index as usize])
    }

    /// The effects of messages that no client ever sent.
    pub fn strangers(&self) -> impl Iterator<Item = &'a Entry> + '_ {
        self.evidence.ledger.iter().filter(|entry| self.request(entry.message).is_none())
    }

    /// Whether the store in a role holds the effect of a message.
    #[must_use]
    pub fn is_applied_at(&self, role: Role, message: MessageId) -> bool {
        self.entries_at(role, message).next().is_some()
    }

    /// Whether every store that keeps effects holds that of a message.
    #[must_use]
    pub fn is_applied(&self, message: MessageId) -> bool {
        self.evidence.effects.iter().all(|role| self.is_applied_at(*role, message))
    }

    /// What the client was told in the end; nothing of a message that no client ever sent.
    #[must_use]
    pub fn told(&self, message: MessageId) -> Told {
        self.told.get(message.0 as usize).copied().unwrap_or_default()
    }

    /// What the client was told that used a message's id for another body; none if no client did.
    #[must_use]
    pub fn told_other(&self, message: MessageId) -> Option<Told> {
        self.told_others.get(&message).copied()
    }

    /// The messages whose ids came with another body too.
    pub fn with_other_bodies(&self) -> impl Iterator<Item = MessageId> + '_ {
        self.told_others.keys().copied()
    }

    /// Whether an effect is what the other body asks for that came with its message's id.
    #[must_use]
    pub fn is_of_other_body(&self, entry: &Entry) -> bool {
        let is_asked_for = |request: &Request| {
            let Effect { account, amount } = request.with_other_body().effect;
            (entry.account, entry.amount) == (account, i64::from(amount))
        };
        self.told_others.contains_key(&entry.message) && self.request(entry.message).is_some_and(is_asked_for)
    }

    /// Who came into critical sections, and who left them.
    pub(super) fn thresholds(&self) -> &overlap::ThresholdWatch {
        &self.thresholds
    }

    /// When the server of a role was killed that keeps nothing on its disk, in nanoseconds since the trial began.
    pub(super) fn forgettings(&self, role: Role) -> impl Iterator<Item = u64> {
        let has_lost = move |it: &&Disturbed| {
            it.disturbed == Disturbance::Kill && it.target == Target::Cache && role == Role::CACHE
        };
        self.evidence.disturbed.iter().filter(has_lost).map(|it| it.from_ns)
    }

    /// Whether the end of a transaction that a message's client had sent to the service in this role landed late, and while somebody was at
    /// work on the message: the one that was open by then may have been this message's.
    pub(super) fn has_stray_end(&self, role: Role, message: MessageId) -> bool {
        let Some(&Request { client, .. }) = self.request(message) else { return false };
        if self.strays.is_empty() {
            return false;
        }
        let mut open: BTreeMap<Delivery, u64> = BTreeMap::new();
        self.events_of(message).any(|event| match event.what {
            What::Arrived => {
                open.insert(event.delivery, event.at_ns);
                false
            }
            What::Answered { .. } | What::Crashed | What::Cancelled => {
                open.remove(&event.delivery).is_some_and(|from| {
                    self.strays.range((role, client, from)..=(role, client, event.at_ns)).next().is_some()
                })
            }
            _ => false,
        })
    }

    /// What was counted on the way.
    pub(super) fn counted(&self) -> &Counted {
        &self.counted
    }

    /// Whether any operation of the trial may have been written over the effect of another.
    #[must_use]
    pub(super) fn has_overwrites(&self) -> bool {
        self.overwrites
    }
}

/// Indices grouped by message, each group in the order of the indices: a counting sort. Messages beyond the last are left out.
struct Groups {
    /// Where the group of each message begins, and where the last one ends.
    starts: Vec<u32>,
    indices: Vec<u32>,
}

impl Groups {
    fn new(messages: usize, of: impl Iterator<Item = MessageId> + Clone) -> Self {
        let mut starts = vec![0_u32; messages + 1];
        for message in of.clone() {
            if let Some(count) = starts.get_mut(message.0 as usize + 1) {
                *count += 1;
            }
        }
        for n in 0..messages {
            starts[n + 1] += starts[n];
        }
        let mut next = starts.clone();
        let mut indices = vec![0_u32; starts[messages] as usize];
        for (index, message) in (0..).zip(of) {
            if (message.0 as usize) < messages {
                let place = &mut next[message.0 as usize];
                indices[*place as usize] = index;
                *place += 1;
            }
        }
        Groups { starts, indices }
    }

    fn of(&self, message: MessageId) -> &[u32] {
        let n = message.0 as usize;
        match (self.starts.get(n), self.starts.get(n + 1)) {
            (Some(from), Some(to)) => &self.indices[*from as usize..*to as usize],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Case;
    use crate::check::Told;
    use crate::check::testing::{FIRST, RETRY, Story};
    use crate::history::What;
    use crate::service::kafka::KafkaOp;
    use crate::terms::{
        Answer, ClientId, Failure, MessageId, Producer, ProducerId, Role, TransactionProtocol, Transactions,
    };
    use crate::world::Outcome;

    #[test]
    fn events_and_entries_are_those_of_their_message_in_their_order() {
        let mut story = Story::of(3);
        for (us, message) in (0..).zip([1, 0, 1, 2, 0]) {
            story.at(us, message, FIRST, What::Arrived).entry(message, FIRST);
        }
        let case = Case::new(story.evidence());
        let numbers = |n| case.entries_of(MessageId(n)).map(|entry| entry.number).collect::<Vec<_>>();
        let times = |n| case.events_of(MessageId(n)).map(|event| event.at_ns / 1_000).collect::<Vec<_>>();
        assert_eq!(case.messages().map(|message| message.0).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!([0, 1, 2, 3].map(numbers), [vec![2, 5], vec![1, 3], vec![4], vec![]]);
        assert_eq!([0, 1, 2, 3].map(times), [vec![1, 4], vec![0, 2], vec![3], vec![]]);
    }

    #[test]
    fn what_no_client_sent_is_a_stranger_and_no_message() {
        let mut story = Story::of(2);
        story.entry(0, FIRST).entry(2, FIRST).entry(1, FIRST).entry(u32::MAX, RETRY);
        let case = Case::new(story.evidence());
        let strangers: Vec<u32> = case.strangers().map(|entry| entry.message.0).collect();
        assert_eq!(strangers, [2, u32::MAX]);
        assert!(case.request(MessageId(2)).is_none() && !case.is_applied(MessageId(2)));
        assert_eq!(case.told(MessageId(2)), Told::default());
    }

    #[test]
    fn the_end_of_another_transaction_strays_into_what_is_at_work_when_it_lands() {
        let producer = Producer { id: ProducerId(1), epoch: 0 };
        let session = Transactions { client: ClientId(0), producer, protocol: TransactionProtocol::One };
        let strays = |landed_us: u64, outcome| {
            let mut events = vec![
                (10, 1, What::Arrived),
                (20, 1, What::Answered { reply: Ok(Answer(0)), heard: true }),
                (landed_us, 0, What::Landed { op: KafkaOp::commit_transaction(session).into(), outcome }),
            ];
            events.sort_by_key(|(us, ..)| *us);
            let mut story = Story::of(2);
            for (us, message, what) in events {
                story.at(us, message, FIRST, what);
            }
            let case = Case::new(story.evidence());
            assert!(!case.has_stray_end(Role::STORE, MessageId(1)));
            case.has_stray_end(Role::BROKER, MessageId(1))
        };
        assert_eq!([5, 15, 30].map(|us| strays(us, None)), [false, true, false]);
        assert!(!strays(15, Some(Outcome::Failed(Failure::SessionOver))), "it was refused");
    }
}
