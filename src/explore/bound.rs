//! The bound: how much is explored.

use crate::strategy::{Claim, Hazards, Strategy, claim_of, residents_of};
use crate::terms::{AccountId, ClientId, Delivery, Effect, FaultKind, MessageId, Profile, Request, Retries, StoreKind};

use super::rules::FINAL_ATTEMPT;
use super::schedule::Fate;

/// The most lanes that can be explored.
pub const MAX_LANES: u8 = 6;
/// The most retries of a lane.
pub const MAX_RETRIES: u8 = 14;

/// How much is explored: every schedule with so many lanes, each with so many retries, and at most so many faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bound {
    pub lanes: u8,
    /// How many of the lanes, the last ones, are copies that something on the way has made of a request that its client sends once.
    /// A copy has no client: nobody hears what it comes to, and nobody sends it again. Each costs a fault. None where clients retry:
    /// there a repeated message is a lane like any other.
    pub copies: u8,
    /// How many actors work beside the delivery of each lane with a request. Each is a lane of its own, right behind that one.
    pub actors: u8,
    /// Whether the ids that a strategy keeps are forgotten, by its reaper.
    pub reaps: bool,
    /// How many of the lanes, the very last ones, are turns of what works for the system: one for each request and each of those.
    pub residents: u8,
    /// How often the client of a lane sends its request again.
    pub retries: u8,
    /// Faults in one schedule, in all lanes together.
    pub faults: u8,
    /// Distinct requests, all on one account. The lanes carry them in turn.
    pub requests: u8,
    /// Whether the last of the requests has the id of the first, and another body.
    pub other_body: bool,
    /// Whether a handler takes the first deliveries of the first two requests at once, as a batch. They are retried apart.
    pub batch: bool,
    /// Which faults there are.
    pub kinds: Kinds,
    pub store: Profile,
}

/// A set of the faults that an exploration goes through: those that a schedule can name, and repeats on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kinds(u32);

/// The bit of repeats on the way, which are no fate of an operation.
const REPEATS: u32 = 1 << 31;

// Every fate has a bit of its own below that one.
const _: () = assert!(Fate::COUNT < 31);

impl Kinds {
    /// No fault at all.
    pub const NONE: Kinds = Kinds(0);

    /// Lost requests, lost replies, crashes, expiry and repeats: everything but late landings.
    #[must_use]
    pub fn usual() -> Self {
        let fates = [Fate::RequestLost, Fate::ReplyLost, Fate::Crashes, Fate::Expires];
        fates.into_iter().fold(Kinds(REPEATS), Kinds::with)
    }

    /// Every fault.
    #[must_use]
    pub fn all() -> Self {
        Kinds::usual().with(Fate::TimesOut)
    }

    /// These and another one. With time-outs come late landings.
    #[must_use]
    pub fn with(self, fate: Fate) -> Self {
        let landing = if fate == Fate::TimesOut { 1 << Fate::Lands as u32 } else { 0 };
        Kinds(self.0 | 1 << fate as u32 | landing)
    }

    /// Whether it is among them.
    #[must_use]
    pub fn contains(self, fate: Fate) -> bool {
        fate == Fate::Arrives || self.0 & 1 << fate as u32 != 0
    }

    /// Whether something on the way may repeat a request that its client sends once.
    #[must_use]
    pub fn has_repeats(self) -> bool {
        self.0 & REPEATS != 0
    }

    /// The faults that a fault of a load run can be in a schedule. Where clients retry, a message that is repeated or late is another
    /// lane, and so is one that is sent again because its answer was lost; a future that is dropped before or after an operation
    /// leaves behind what a crash does.
    #[must_use]
    pub fn of(fault: FaultKind) -> Self {
        match fault {
            FaultKind::RequestLost => Kinds::NONE.with(Fate::RequestLost),
            FaultKind::ReplyLost => Kinds::NONE.with(Fate::ReplyLost),
            FaultKind::LateLanding => Kinds::NONE.with(Fate::TimesOut),
            FaultKind::Crash | FaultKind::Cancel => Kinds::NONE.with(Fate::Crashes),
            FaultKind::Pause | FaultKind::ServerPaused => Kinds::NONE.with(Fate::Expires),
            FaultKind::Duplicated => Kinds(REPEATS),
            FaultKind::Delayed | FaultKind::OtherBody | FaultKind::ServerKilled | FaultKind::Partition => Kinds::NONE,
        }
    }

    /// These and those.
    #[must_use]
    pub fn and(self, other: Kinds) -> Self {
        Kinds(self.0 | other.0)
    }

    /// The faults, in the order of [`Fate::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Fate> {
        Fate::ALL.into_iter().filter(move |fate| fate.is_fault() && self.contains(*fate))
    }
}

impl Bound {
    /// A bound of lanes, retries and faults, of every kind but late landings, on one request and PostgreSQL.
    #[must_use]
    pub fn new(lanes: u8, retries: u8, faults: u8) -> Self {
        Bound {
            lanes,
            copies: 0,
            actors: 0,
            reaps: false,
            residents: 0,
            retries,
            faults,
            requests: 1,
            other_body: false,
            batch: false,
            kinds: Kinds::usual(),
            store: Profile::Postgres,
        }
    }

    /// The bound as far as it makes sense for a strategy: where clients never retry, there is one lane for each request, no retries,
    /// and every other lane is a copy that something on the way has made, as far as the faults go.
    #[must_use]
    pub fn for_strategy(self, strategy: &dyn Strategy) -> Self {
        if self.copies > 0 || self.actors > 0 || self.residents > 0 {
            return self;
        }
        // What works beside a delivery works beside one, and a batch is two.
        let batch = self.batch && strategy.largest_batch() > 1 && strategy.actors().is_empty();
        let bound = Bound { batch, ..self };
        bound.with_copies_for(strategy).with_actors_of(strategy).with_residents_of(strategy).with_waits_of(strategy)
    }

    /// The bound of a search that has none: its clients send their requests as often as they like.
    #[must_use]
    pub(super) fn for_any_number(self, strategy: &dyn Strategy) -> Self {
        let bound = Bound { batch: false, ..self };
        bound.with_actors_of(strategy).with_residents_of(strategy).with_waits_of(strategy)
    }

    /// Whether there is a batch in it: the first lane carries it in its first attempt, and the second lane's request is in it.
    #[inline]
    pub(super) const fn has_batch(&self) -> bool {
        self.batch && self.requests > 1 && self.requesting() > 1
    }

    /// Whether an attempt of a lane is the one that carries a batch.
    #[inline]
    pub(super) const fn carries_batch(&self, lane: u8, attempt: u8) -> bool {
        lane == 0 && attempt == 0 && self.has_batch()
    }

    /// The lane whose request is in the batch that the first lane carries.
    pub(super) const IN_BATCH: u8 = 1;

    /// Whether the request of a lane's attempt is in a batch that another lane carries.
    #[inline]
    pub(super) const fn is_carried(&self, lane: u8, attempt: u8) -> bool {
        lane == Bound::IN_BATCH && attempt == 0 && self.has_batch()
    }

    /// Those of the requests that are in a batch, if there is one.
    pub(super) fn batched(&self, requests: &[Request]) -> Option<[Request; 2]> {
        requests.first_chunk().copied().filter(|_| self.has_batch())
    }

    /// With steps at which a statement begins and waits, where that makes a difference.
    fn with_waits_of(self, strategy: &dyn Strategy) -> Self {
        match strategy.waits_with_snapshot() {
            true => Bound { kinds: self.kinds.with(Fate::Queues), ..self },
            false => self,
        }
    }

    /// With the lanes of what works for the system, behind the others.
    fn with_residents_of(self, strategy: &dyn Strategy) -> Self {
        let kinds = u8::try_from(residents_of(strategy, self.reaps).len()).unwrap_or(u8::MAX);
        let residents = kinds.saturating_mul(self.requests.max(1));
        Bound { lanes: self.lanes.saturating_add(residents), residents, ..self }
    }

    /// What a strategy promises within it.
    #[must_use]
    pub fn claim_of(&self, strategy: &dyn Strategy) -> Claim {
        claim_of(strategy, self.store_kind(), Hazards { reaps: self.reaps, other_bodies: self.other_body })
    }

    /// With the lanes of the actors that a strategy has.
    fn with_actors_of(self, strategy: &dyn Strategy) -> Self {
        let actors = u8::try_from(strategy.actors().len()).unwrap_or(u8::MAX);
        Bound { lanes: self.lanes.saturating_mul(actors.saturating_add(1)), actors, ..self }
    }

    /// With the copies that something on the way makes, for a strategy whose clients never retry.
    fn with_copies_for(self, strategy: &dyn Strategy) -> Self {
        if strategy.claim(self.store_kind()).retries != Retries::Never {
            return self;
        }
        let sent = self.lanes.min(self.requests.max(1));
        let copies = if self.kinds.has_repeats() { (self.lanes - sent).min(self.faults) } else { 0 };
        Bound { lanes: sent + copies, copies, retries: 0, ..self }
    }

    /// The bounds that an exploration of a strategy is made of: with no copy, with one, and so on. Their schedules are different ones.
    #[must_use]
    pub fn parts(self, strategy: &dyn Strategy) -> Vec<Self> {
        let whole = self.for_strategy(strategy);
        if self.copies > 0 {
            return vec![whole];
        }

        let sent = whole.requesting() - whole.copies;
        let lanes = |copies: u8| (sent + copies) * whole.stride() + whole.residents;
        (0..=whole.copies).map(|copies| Bound { lanes: lanes(copies), copies, ..whole }).collect()
    }

    /// What can happen to the step of a lane, faults and all, in the order in which it is tried.
    #[inline]
    pub(super) fn fates(&self) -> impl Iterator<Item = Fate> + use<> {
        let waits = self.kinds.contains(Fate::Queues).then_some(Fate::Queues);
        Fate::ALL.into_iter().chain(waits)
    }

    /// Whether a lane has a client, who hears what becomes of it.
    #[must_use]
    #[inline]
    pub fn has_client(&self, lane: u8) -> bool {
        lane < self.lanes - self.residents - self.copies * self.stride() && !self.is_actor(lane)
    }

    /// How far a lane with a request is from the next one.
    #[must_use]
    #[inline]
    pub const fn stride(&self) -> u8 {
        1 + self.actors
    }

    /// How many lanes carry a request: those that are no actors, of a delivery or of the system.
    #[must_use]
    pub const fn requesting(&self) -> u8 {
        (self.lanes - self.residents) / self.stride()
    }

    /// With so many lanes that carry a request.
    #[must_use]
    pub(crate) const fn with_requesting(self, lanes: u8) -> Self {
        Bound { lanes: lanes * self.stride() + self.residents, ..self }
    }

    /// Whether a lane is a turn of what works for the system.
    #[must_use]
    #[inline]
    pub const fn is_resident(&self, lane: u8) -> bool {
        self.residents > 0 && lane >= self.lanes - self.residents
    }

    /// The lanes that are turns of what works for the system.
    #[must_use]
    pub(super) const fn turns(&self) -> std::ops::Range<u8> {
        self.lanes - self.residents..self.lanes
    }

    /// Which of the residents a lane is a turn of.
    #[must_use]
    pub fn resident_of(&self, lane: u8) -> u8 {
        lane.saturating_sub(self.lanes - self.residents) / self.requests.max(1)
    }

    /// The lane of the delivery that a lane is, or works beside.
    #[must_use]
    #[inline]
    pub const fn host_of(&self, lane: u8) -> u8 {
        if self.actors == 0 { lane } else { lane - lane % self.stride() }
    }

    /// Whether a lane is an actor.
    #[must_use]
    #[inline]
    pub const fn is_actor(&self, lane: u8) -> bool {
        self.actors > 0 && !lane.is_multiple_of(self.stride())
    }

    /// Whether a lane is an actor of either sort, and no delivery.
    #[must_use]
    #[inline]
    pub const fn has_no_delivery(&self, lane: u8) -> bool {
        self.is_actor(lane) || self.is_resident(lane)
    }

    /// The actors beside a lane with a request.
    #[inline]
    pub fn actors_of(&self, host: u8) -> std::ops::Range<u8> {
        host + 1..host + self.stride()
    }

    /// Whether what is explored can speak for the store. Where another store's model stands in for its own, it can if the strategy claims
    /// the same of both, and does nothing by which they differ all the same: stores take a snapshot at different moments if a statement
    /// waits, and MariaDB locks the row that is in the way of an INSERT IGNORE, for which whoever works for the system has to wait.
    #[must_use]
    pub fn speaks_for(&self, strategy: &dyn Strategy) -> bool {
        let profile = self.store;
        let claims_the_same = || strategy.claim(profile.store()) == strategy.claim(profile.modelled_as());
        let waits_alike = || !strategy.waits_with_snapshot() && residents_of(strategy, self.reaps).is_empty();
        profile.has_own_model() || claims_the_same() && waits_alike()
    }

    /// The kind of store that the model stands for.
    #[must_use]
    pub fn store_kind(&self) -> StoreKind {
        self.store.store()
    }

    /// The number of the request that a lane carries, or works for.
    #[must_use]
    #[inline]
    pub fn request_of(&self, lane: u8) -> u8 {
        if self.requests <= 1 { 0 } else { lane / self.stride() % self.requests }
    }

    /// Which delivery of its request a lane's attempt is.
    #[must_use]
    #[inline]
    pub fn delivery(&self, lane: u8, attempt: u8) -> Delivery {
        if attempt == FINAL_ATTEMPT && self.is_resident(lane) {
            return Delivery { attempt: Delivery::FINAL_ATTEMPT, ..self.delivery(lane, 0) };
        }
        // Divisions are slow, and mostly there is one request and no actor.
        if self.requests <= 1 && self.actors == 0 {
            return delivery_of(1, lane, attempt);
        }
        let delivery = delivery_of(self.deliveries_apart(), lane, attempt);
        if self.other_body && self.is_other_body(self.request_of(lane)) { delivery.of_other_body() } else { delivery }
    }

    /// With one more request, which has the id of the first and another body; or as it is.
    #[must_use]
    pub const fn with_other_body(self, other_body: bool) -> Self {
        Bound { requests: self.requests + other_body as u8, other_body, ..self }
    }

    /// How many message ids there are.
    #[must_use]
    pub const fn ids(&self) -> u8 {
        self.requests - self.other_body as u8
    }

    /// Whether a request, by number, has the id of the first and another body.
    #[must_use]
    pub const fn is_other_body(&self, request: u8) -> bool {
        self.other_body && request + 1 == self.requests
    }

    /// The message that a request carries, by number.
    #[must_use]
    #[inline]
    pub(crate) const fn message_of(&self, request: u8) -> MessageId {
        MessageId(if self.is_other_body(request) { 0 } else { request as u32 })
    }

    /// How far a lane is from the next one that carries the same request.
    #[inline]
    pub(super) fn deliveries_apart(&self) -> u8 {
        self.requests.max(1) * self.stride()
    }

    /// The requests: each adds another amount to the same account.
    #[must_use]
    pub fn all_requests(&self) -> Vec<Request> {
        let own = (0..u32::from(self.ids().max(1))).map(request);
        own.chain(self.other_body.then(|| request(0).with_other_body())).collect()
    }

    /// The requests by their ids: with each id the body that its message has.
    pub(crate) fn requests_by_id(&self) -> Vec<Request> {
        (0..u32::from(self.ids().max(1))).map(request).collect()
    }
}

/// Which delivery of its request a lane's attempt is, where the lanes with one request are so far apart.
#[inline]
fn delivery_of(apart: u8, lane: u8, attempt: u8) -> Delivery {
    if attempt == FINAL_ATTEMPT {
        return Delivery::FINAL;
    }
    Delivery { attempt, copy: if apart <= 1 { lane } else { lane / apart } }
}

fn request(n: u32) -> Request {
    let amount = if n == 0 { 10 } else { 10 + i32::try_from(n).unwrap_or(0) };
    Request { id: MessageId(n), client: ClientId(0), sequence: n, effect: Effect { account: AccountId(0), amount } }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let some = |n: u8, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
        let retries = if self.retries == 1 { "1 retry".to_owned() } else { format!("{} retries", self.retries) };
        let copies = match self.copies {
            0 => String::new(),
            1 => " (one a copy made on the way)".to_owned(),
            copies => format!(" ({copies} of them copies made on the way)"),
        };
        write!(f, "{}{copies}, {retries}, {}", some(self.requesting(), "lane"), some(self.faults, "fault"))?;
        if self.ids() > 1 {
            write!(f, ", {} requests", self.ids())?;
        }
        if self.has_batch() {
            f.write_str(", two of them in a batch")?;
        }
        if self.other_body { f.write_str(", an id with another body") } else { Ok(()) }
    }
}
