//! A bound in words: what it allows, and what is not shown within it.

use crate::explore::{Bound, Fate, MAX_LANES};
use crate::terms::Profile;
use crate::world::OpKind;

/// What `--lanes` is where it is `any`.
pub(super) const ANY: u8 = 0;

/// It is no number of lanes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0} is not in 1..={MAX_LANES}, nor 'any'")]
pub(super) struct NotLanes(String);

/// A number of lanes, or `any`.
pub(super) fn lanes(text: &str) -> Result<u8, NotLanes> {
    let refused = || NotLanes(text.to_owned());
    match text {
        "any" => Ok(ANY),
        _ => text.parse().ok().filter(|lanes| (1..=MAX_LANES).contains(lanes)).ok_or_else(refused),
    }
}

/// The faults of a bound, in words.
pub(super) fn kinds(bound: &Bound) -> String {
    let name = |fate| match fate {
        Fate::RequestLost => Some("lost requests"),
        Fate::ReplyLost => Some("lost replies"),
        Fate::TimesOut => Some("late landings"),
        Fate::Crashes => Some("crashes"),
        Fate::Expires => Some("expired leases"),
        Fate::Arrives | Fate::Lands | Fate::Queues => None,
    };
    let repeats = bound.kinds.has_repeats().then_some("repeats on the way");
    bound.kinds.iter().filter_map(name).chain(repeats).collect::<Vec<_>>().join(", ")
}

/// The dimensions that were gone through no further than this, each with the flag that goes further. "None" is said of what was
/// gone through. Of a strategy that handles several deliveries at once, `batches` says so.
pub(super) fn not_tried(bound: &Bound, batches: bool) -> String {
    let some = |n: u8, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    let limits = [
        (some(bound.requesting(), "lane", "lanes"), "--lanes"),
        (some(bound.retries, "retry a lane", "retries a lane"), "--retries"),
        (some(bound.faults, "fault", "faults"), "--faults"),
        (some(bound.ids().max(1), "request", "requests"), "--requests"),
    ];
    let limits: Vec<String> = limits.into_iter().map(|(what, flag)| format!("{what} ({flag})")).collect();
    let late = if bound.kinds.contains(Fate::TimesOut) { "" } else { "; no late landings (--late)" };
    let forgotten = if bound.reaps { "" } else { " ids that are forgotten (--reaper)," };
    let batches = if batches && !bound.batch { " batches of deliveries (--batch)," } else { "" };
    let others = if bound.other_body { "" } else { " ids with another body (--other-body)," };
    format!(
        "Not tried: more than {}{late}; other accounts,{forgotten}{others}{batches} and a statement that waits half done.",
        limits.join(", ")
    )
}

/// What is explored where a store has no model of its own; nothing where it has one.
pub(super) fn stands_in(profile: Profile) -> Option<String> {
    match profile {
        Profile::Sqlite | Profile::Postgres => None,
        Profile::Mariadb => Some(
            "PostgreSQL's, at the level that each transaction asks for, since there is none of MariaDB. At READ COMMITTED they \
             agree, but for who waits for a row that is in the way of an INSERT IGNORE. At REPEATABLE READ MariaDB lets a transaction write over what was committed since its snapshot, and PostgreSQL \
             does not: --on-real --store mariadb searches on MariaDB itself."
                .to_owned(),
        ),
    }
}

/// What is said of a strategy that claims something else of the store than of the one whose model stands in for it.
pub(super) fn another_claim(profile: Profile) -> String {
    let (store, model) = (profile.store().name(), profile.modelled_as().name());
    format!(
        "Nothing is shown: its claim on {store} is another than on {model}, whose model this is, or it makes a transaction wait \
         where the two differ. Search on {store} itself: --on-real --store {store}"
    )
}

/// The option that asks for a model which is not the default.
pub(super) fn model_option(profile: Profile) -> &'static str {
    match profile {
        Profile::Sqlite => " --store-model sqlite",
        Profile::Postgres => "",
        Profile::Mariadb => " --store-model mariadb",
    }
}

/// What is said where an operation waits after it has taken its snapshot.
pub(super) fn waits_unmodelled(kind: OpKind) -> String {
    format!(
        "waits not modelled: {} is the first statement of a transaction with a snapshot, and it can wait for another transaction. A \
         server takes the snapshot before the wait, and the model after it. `oncelab run` shows what the server does.",
        kind.name()
    )
}
