//! The table of liars: what each of them is, and what must be found of it.

use std::sync::Arc;

use oncelab::explore::{Bound, Kinds};
use oncelab::strategy::Strategy;
use oncelab::terms::Profile;

/// One delivery in five comes twice, and one in ten takes longer.
pub(super) const REPEATED: &str = "client = { duplicated = 0.2, delayed = 0.1 }";

/// Why something is wrong.
pub(super) const OTHER_EFFECT: &[(&str, &str)] = &[("wrong", "another effect than the request's")];
pub(super) const OTHER_ANSWER: &[(&str, &str)] = &[("wrong", "an answer that no effect gave")];
pub(super) const BROKEN_CHAIN: &[(&str, &str)] = &[("wrong", "balance and ledger disagree")];
pub(super) const NEVER_ASKED_FOR: &[(&str, &str)] = &[("wrong", "never asked for")];

/// A liar and its twin.
pub(super) struct Liar {
    pub lies: Arc<dyn Strategy>,
    pub honest: Arc<dyn Strategy>,
    /// In one sentence.
    pub lie: &'static str,
    pub loaded: Loaded,
    pub bounded: Bounded,
    pub conformed: Conformed,
    /// One lane with one request shows nothing, whatever fault it meets: it takes a second lane, or load.
    pub only_in_company: bool,
}

/// What a load run must find.
pub(super) struct Loaded {
    /// The faults, in TOML.
    pub faults: &'static str,
    /// Few accounts make hot rows.
    pub accounts: u32,
    pub clients: u16,
    pub shown: Shown,
    /// The causes that must be among those of a violation.
    pub causes: &'static [(&'static str, &'static str)],
}

/// What `explore` must find.
pub(super) struct Bounded {
    pub bound: Bound,
    pub shown: Shown,
    /// Schedules, each with a violation and its cause; any cause, if there is none.
    pub stories: &'static [(&'static str, &'static str, &'static str)],
}

/// Violations by name.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub must: &'static [&'static str],
    /// What may be found beside them, as the timing has it.
    pub may: &'static [&'static str],
}

impl Shown {
    /// What is wrong with what was found, if anything is.
    pub fn objection(&self, found: &[&'static str]) -> Option<String> {
        let missing: Vec<_> = self.must.iter().filter(|name| !found.contains(name)).collect();
        let known = |name: &&&str| self.must.contains(name) || self.may.contains(name);
        let strange: Vec<_> = found.iter().filter(|name| !known(name)).collect();
        let is_fine = missing.is_empty() && strange.is_empty();
        (!is_fine).then(|| format!("found {found:?}; not found: {missing:?}; found beside: {strange:?}"))
    }
}

/// What `conform` must say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Conformed {
    /// The real store does what the model does, and shows what the model shows.
    Agrees,
    /// As [`Conformed::Agrees`], but the liar makes no operation: there is nothing of it to be held against the store.
    WithoutLiar,
    /// The liar speaks SQL, which no model knows.
    OwnSql,
}

/// A bound of lanes, retries and faults of every kind, on one request and SQLite.
pub(super) fn bound(lanes: u8, retries: u8, faults: u8) -> Bound {
    Bound { kinds: Kinds::all(), store: Profile::Sqlite, ..Bound::new(lanes, retries, faults) }
}

/// A liar and its twin, by the switch. Until it is said otherwise, it is tried without faults under load, on the model with two
/// lanes, one retry and one fault, and shows the same in all of them.
pub(super) fn twins<S: Strategy + 'static>(
    make: fn(bool) -> S,
    lie: &'static str,
    must: &'static [&'static str],
) -> Liar {
    let shown = Shown { must, may: &[] };
    Liar {
        lies: Arc::new(make(true)),
        honest: Arc::new(make(false)),
        lie,
        loaded: Loaded { faults: "", accounts: 16, clients: 8, shown, causes: &[] },
        bounded: Bounded { bound: bound(2, 1, 1), shown, stories: &[] },
        conformed: Conformed::Agrees,
        only_in_company: false,
    }
}

/// What a load run shows under these faults.
pub(super) fn under(faults: &'static str, must: &'static [&'static str]) -> Loaded {
    Loaded { faults, accounts: 16, clients: 8, shown: Shown { must, may: &[] }, causes: &[] }
}

impl Loaded {
    /// As many accounts.
    pub fn accounts(self, accounts: u32) -> Self {
        Loaded { accounts, ..self }
    }

    /// As many clients.
    pub fn clients(self, clients: u16) -> Self {
        Loaded { clients, ..self }
    }

    /// It may show these too.
    pub fn or(self, may: &'static [&'static str]) -> Self {
        Loaded { shown: Shown { may, ..self.shown }, ..self }
    }
}

impl Bounded {
    /// It may show these too.
    pub fn or(self, may: &'static [&'static str]) -> Self {
        Bounded { shown: Shown { may, ..self.shown }, ..self }
    }

    /// These schedules show a violation with a cause.
    pub fn told(self, stories: &'static [(&'static str, &'static str, &'static str)]) -> Self {
        Bounded { stories, ..self }
    }

    /// What `explore` shows within this bound.
    pub fn within(bound: Bound, must: &'static [&'static str]) -> Self {
        Bounded { bound, shown: Shown { must, may: &[] }, stories: &[] }
    }
}

impl Liar {
    /// What a load run must find.
    pub fn loaded(self, loaded: Loaded) -> Self {
        Liar { loaded, ..self }
    }

    /// What `explore` must find.
    pub fn bounded(self, bounded: Bounded) -> Self {
        Liar { bounded, ..self }
    }

    /// These causes are among those of the violations under load.
    pub fn because(self, causes: &'static [(&'static str, &'static str)]) -> Self {
        Liar { loaded: Loaded { causes, ..self.loaded }, ..self }
    }

    /// It speaks SQL: `explore` searches on the real SQLite.
    pub fn speaks_sql(self) -> Self {
        Liar { conformed: Conformed::OwnSql, ..self }
    }

    /// It makes no operation at all.
    pub fn asks_nothing(self) -> Self {
        Liar { conformed: Conformed::WithoutLiar, ..self }
    }

    /// One lane with one request shows nothing.
    pub fn only_in_company(self) -> Self {
        Liar { only_in_company: true, ..self }
    }
}
