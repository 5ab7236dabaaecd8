//! A run in a few sentences: what held, which of it is fastest, what the lock cost.

use super::facts::{Fact, Facts};
use super::figure::{bound, grouped, range, three_digits};
use crate::results::{CellSummary, Summary};
use crate::terms::{Profile, StoreKind, Violation};

/// The violations that are about what happens inside a critical section. After any other an effect did not happen exactly once as it was
/// asked for, or its client was told something false about it.
const INSIDE: [Violation; 2] = [Violation::Overlap, Violation::Stale];

/// Whether a violation is about an effect or what its client was told.
fn is_of_effects(name: &str) -> bool {
    Violation::from_name(name).is_none_or(|violation| !INSIDE.contains(&violation))
}

/// Whether every effect happened once and every client was told so: also what the strategy's promise allows is looked at. Where
/// nothing was acknowledged, nothing shows it.
pub(super) fn is_exactly_once(cell: &CellSummary) -> bool {
    cell.verdict == "valid" && cell.acknowledged > 0 && !is_broken(cell)
}

/// Whether some effect did not happen exactly once, or its client was told something false.
fn is_broken(cell: &CellSummary) -> bool {
    cell.rates.iter().any(|(kind, rate)| rate.count > 0 && is_of_effects(kind))
}

/// The strategies that did every effect exactly once wherever the run tried them.
#[must_use]
pub fn held(summary: &Summary) -> Vec<&str> {
    let mut names: Vec<&str> = summary.cells.iter().map(|cell| cell.strategy.as_str()).collect();
    names.dedup();
    names.retain(|name| summary.cells.iter().filter(|cell| cell.strategy == *name).all(is_exactly_once));
    names
}

/// The sentences. A strategy is named as `[[name]]`, for a page to make links of.
#[must_use]
pub fn brief(facts: &Facts) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&Fact>)> = Vec::new();
    for fact in &facts.rows {
        let name = [format!("'{}'", fact.cell.faults), fact.cell.point.to_string()].join(" ").trim_end().to_owned();
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rows)) => rows.push(fact),
            None => groups.push((name, vec![fact])),
        }
    }
    let many = groups.len() > 1;
    if facts.rows.is_empty() {
        return vec!["No trial is finished: there is nothing to tell.".to_owned()];
    }
    if groups.len() > 4 {
        return across(facts);
    }
    let sentences = |(name, rows): (String, Vec<&Fact>)| {
        let under = if many { format!("Under {name}: ") } else { String::new() };
        of_group(facts, &rows).into_iter().map(move |sentence| format!("{under}{sentence}"))
    };
    groups.into_iter().flat_map(sentences).collect()
}

/// What held at every point of a sweep.
fn across(facts: &Facts) -> Vec<String> {
    let mut names: Vec<&str> = facts.rows.iter().map(|fact| fact.cell.strategy.as_str()).collect();
    names.sort_by_key(|name| facts.rows.iter().position(|fact| fact.cell.strategy == *name));
    names.dedup();
    let (mut held, mut broke, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let rows = || facts.rows.iter().filter(|fact| fact.cell.strategy == name);
        let (all, good) = (rows().count(), rows().filter(|fact| is_exactly_once(&fact.cell)).count());
        let bad = rows().filter(|fact| is_broken(&fact.cell)).count();
        if good == all {
            held.push(format!("{} ({all})", named(facts, name)));
        }
        if bad > 0 {
            broke.push(format!("[[{name}]] ({bad} of {all})"));
        }
        if good + bad < all {
            open.push(format!("[[{name}]] ({} of {all})", all - good - bad));
        }
    }
    let line = |what: &str, names: Vec<String>| (!names.is_empty()).then(|| format!("{what}: {}.", names.join(", ")));
    let lines = [
        line("Exactly once in every row, and in how many", held),
        line("Not exactly once, and in how many rows", broke),
        line("Not shown either way, and in how many rows", open),
    ];
    lines.into_iter().flatten().collect()
}

/// A strategy, with what its safety owes to the store.
fn named(facts: &Facts, strategy: &str) -> String {
    let condition = facts.store_conditions.get(strategy);
    format!("[[{strategy}]]{}", condition.map_or(String::new(), |condition| format!(" ({condition})")))
}

/// The fewest faults with which a schedule breaks effects, as far as it is known; the most that there can be if none does.
fn fewest_faults(fact: &Fact) -> Option<u8> {
    let explored = fact.cell.explored.as_ref()?;
    let breaks = explored.breaks.iter().filter(|b| is_of_effects(&b.violation));
    let fewest = breaks.map(|b| b.faults).min();
    fewest.or_else(|| explored.complete.then_some(u8::MAX))
}

fn of_group(facts: &Facts, rows: &[&Fact]) -> Vec<String> {
    let mut safe: Vec<&Fact> = rows.iter().copied().filter(|fact| is_exactly_once(&fact.cell)).collect();
    if safe.is_empty() {
        return vec!["No strategy was seen to do every effect exactly once.".to_owned()];
    }
    safe.sort_by(|a, b| b.cell.goodput_per_s.total_cmp(&a.cell.goodput_per_s));
    // Safest is what no schedule breaks, or what it takes the most faults to break.
    let safest = safe.iter().filter_map(|fact| fewest_faults(fact)).max();
    let (best, others): (Vec<&Fact>, Vec<&Fact>) = safe.iter().copied().partition(|fact| fewest_faults(fact) == safest);
    let mut out = vec![safest_of(facts, &best, safest == Some(u8::MAX))];
    let proved: Vec<&Fact> = best.iter().copied().filter(|fact| is_proved(fact)).collect();
    let list =
        |rows: &[&Fact]| rows.iter().map(|fact| format!("[[{}]]", fact.cell.strategy)).collect::<Vec<_>>().join(", ");
    let (known, unknown): (Vec<&Fact>, Vec<&Fact>) =
        others.iter().copied().partition(|fact| fewest_faults(fact).is_some());
    if !proved.is_empty() {
        out.push(format!(
            "Proved for any number of deliveries, retries and faults: {}. The proof is about the model of the backends, not about the servers.",
            list(&proved)
        ));
    }
    if !known.is_empty() {
        out.push(format!("Nothing was seen of {} either, but schedules show how each of them breaks.", list(&known)));
    }
    if !unknown.is_empty() {
        out.push(format!(
            "Nothing was seen of {} either, but not all of their schedules were gone through.",
            list(&unknown)
        ));
    }
    // A run that was cut short may lack the trials that would say otherwise.
    if !facts.is_interrupted() {
        out.extend(fastest(&best));
        out.extend(lock_price(&best));
    }
    out
}

/// Whether the schedules of a run on this store were gone through on a model of the store itself.
fn has_own_model(store: &str) -> bool {
    StoreKind::from_name(store).and_then(StoreKind::model).is_none_or(Profile::has_own_model)
}

/// Whether it is proved that no number of deliveries, retries and faults breaks a strategy in the model.
fn is_proved(fact: &Fact) -> bool {
    fact.cell.explored.as_ref().is_some_and(|explored| explored.proved)
}

fn safest_of(facts: &Facts, best: &[&Fact], is_unbroken: bool) -> String {
    let least = best.iter().map(|fact| fact.cell.acknowledged).min().unwrap_or(0);
    let rate = best.iter().filter_map(|fact| fact.cell.upper_bound_95).fold(0.0, f64::max);
    let schedules = || best.iter().filter_map(|fact| fact.cell.explored.as_ref()?.schedules.parse::<u128>().ok());
    let covered = match schedules().max() {
        Some(most) if is_unbroken => {
            let each = if best.len() == 1 { "it" } else { "any of them" };
            let model = if best.iter().all(|fact| has_own_model(&fact.cell.store)) {
                ""
            } else {
                ", on the model of another store"
            };
            format!(
                ", and no schedule within the bound breaks {each} (up to {} gone through{model})",
                grouped(&most.to_string())
            )
        }
        _ => String::new(),
    };
    let names: Vec<String> = best.iter().map(|fact| named(facts, &fact.cell.strategy)).collect();
    let head = if facts.is_partial() {
        format!("Safest so far, judged from {} of {} trials", facts.trials, facts.trials_planned)
    } else {
        "Safest".to_owned()
    };
    let each = if best.len() == 1 { "It" } else { "Each" };
    format!(
        "{head}: {}. {each} did every effect exactly once in at least {least} acknowledged requests (violations below {} with 95 % confidence){covered}.",
        names.join(", "),
        bound(rate)
    )
}

/// The fastest of some strategies, if the intervals leave no doubt.
fn fastest(best: &[&Fact]) -> Option<String> {
    let (first, others) = best.split_first()?;
    let is_clear = !others.is_empty() && others.iter().all(|other| first.is_above(other));
    is_clear.then(|| {
        format!(
            "The fastest of the safest: [[{}]], {:.0} effects a second, p99 {} ms.",
            first.cell.strategy,
            first.cell.goodput_per_s,
            three_digits(Some(first.cell.latency_ms.p99))
        )
    })
}

/// What the lock cost: those that are as safe without one beside the fastest with one, where a range over the repetitions shows it.
fn lock_price(best: &[&Fact]) -> Option<String> {
    let locked = best.iter().find(|fact| fact.cell.lock.is_some())?;
    let beside = |fact: &&Fact| {
        let ratio = fact.ratio_to(locked).filter(|ratio| ratio.low > 1.0)?;
        Some((fact.cell.strategy.clone(), range(ratio.low, ratio.high)))
    };
    let mut others = best.iter().filter(|fact| fact.cell.lock.is_none()).filter_map(beside);
    let (first, times) = others.next()?;
    let further: String = others.map(|(name, times)| format!(", [[{name}]] {times} times")).collect();
    Some(format!(
        "What the lock cost: beside [[{}]], [[{first}]] makes {times} times as many effects a second without a lock service{further}.",
        locked.cell.strategy
    ))
}

/// A sentence without the brackets around names.
#[must_use]
pub fn plain(sentence: &str) -> String {
    sentence.replace("[[", "").replace("]]", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::MadeUp;
    use crate::results::ShardOrigin;
    use crate::terms::Cause;

    const TWICE: [(Violation, Cause, u64); 1] = [(Violation::Duplicate, Cause::Redelivery, 3)];

    fn said(run: &MadeUp) -> String {
        brief(&run.facts()).join("\n")
    }

    #[test]
    fn what_acknowledged_nothing_is_not_safe() {
        let run = MadeUp::new("").acknowledging(0, "dedup-table", "", 0.0, &[]).with("at-least-once", "", 1.0, &TWICE);
        assert_eq!(said(&run), "No strategy was seen to do every effect exactly once.");
        assert!(held(&run.summary()).is_empty());
    }

    #[test]
    fn what_is_safe_on_one_store_alone_says_so_beside_its_name() {
        let mut run = MadeUp::new("").with("check-then-act-transaction", "", 1.0, &[]);
        let condition = "[[check-then-act-transaction]] (on SQLite, which has one writer; it breaks on PostgreSQL at READ COMMITTED)";
        assert!(
            said(&run).starts_with(&format!("Safest: {condition}. It did every effect exactly once in at least 1000 "))
        );
        run.meta.store = StoreKind::Postgres.name().to_owned();
        assert!(!said(&run).contains("SQLite"), "{}", said(&run));
        // No other strategy's promise depends on the store.
        let others = MadeUp::new("").with("dedup-table", "", 1.0, &[]).with("etcd-lock", "", 1.0, &[]);
        assert!(others.facts().store_conditions.is_empty());
    }

    /// Three repetitions of two strategies.
    fn beside(lines: &str, one: [f64; 3], other: [f64; 3]) -> String {
        let mut run = MadeUp::new(lines);
        for (one, other) in one.into_iter().zip(other) {
            run = run.with("dedup-table", "", one, &[]).with("etcd-lock-fenced-transaction", "", other, &[]);
        }
        said(&run)
    }

    #[test]
    fn a_strategy_is_the_fastest_only_if_the_intervals_are_apart() {
        // From 200 to 220, and from 50 to 199: a ratio of 200/199 to 220/50.
        let apart = beside("", [200.0, 210.0, 220.0], [199.0, 60.0, 50.0]);
        assert!(apart.contains("The fastest of the safest: [[dedup-table]], 210 effects a second"), "{apart}");
        assert!(apart.contains("[[dedup-table]] makes 1.01 to 4.40 times as many effects a second without"), "{apart}");
        // They overlap, and yet each repetition says the same: 1.25 to 2.
        let paired = beside("", [100.0, 200.0, 400.0], [80.0, 100.0, 200.0]);
        assert!(!paired.contains("fastest") && paired.contains("makes 1.25 to 2.00 times"), "{paired}");
        let mixed = beside("", [100.0, 200.0, 400.0], [110.0, 100.0, 200.0]);
        assert!(!mixed.contains("fastest") && !mixed.contains("times"), "{mixed}");
    }

    #[test]
    fn where_the_load_sets_the_rate_nothing_is_the_fastest() {
        let (fast, slow) = ([200.0, 210.0, 220.0], [1.0, 2.0, 3.0]);
        let open = beside("load = { rate_per_s = 100.0 }", fast, slow);
        assert!(open.starts_with("Safest") && !open.contains("fastest") && !open.contains("times"), "{open}");
        let mut two = MadeUp::new("");
        for _ in 0..2 {
            two = two.with("dedup-table", "", 200.0, &[]).with("etcd-lock-fenced-transaction", "", 1.0, &[]);
        }
        assert!(!said(&two).contains("fastest") && !said(&two).contains("times"), "{}", said(&two));
    }

    /// With more shards than repetitions the rows of one repetition were made on several machines.
    #[test]
    fn where_a_repetition_was_dealt_out_to_shards_no_speed_is_compared() {
        for (shards, compares) in [(1, true), (3, true), (4, false)] {
            let mut run = MadeUp::new("repeats = 3\nbaseline = \"dedup-table\"");
            for _ in 0..3 {
                run = run.with("dedup-table", "", 200.0, &[]).with("etcd-lock-fenced-transaction", "", 1.0, &[]);
            }
            run.meta.shards = (1..=shards).map(|number| ShardOrigin::of(&run.meta, number, shards)).collect();
            assert_eq!(said(&run).contains("fastest"), compares, "{shards} shards: {}", said(&run));
            assert_eq!(said(&run).contains("times as many"), compares, "{shards} shards: {}", said(&run));
            let has_ratio = run.summary().cells.iter().all(|cell| cell.ratio_to_baseline.is_some());
            assert_eq!(has_ratio, compares, "{shards} shards");
        }
    }

    #[test]
    fn a_run_that_was_cut_short_has_a_safest_so_far_and_no_fastest() {
        let mut run = MadeUp::new("");
        for _ in 0..3 {
            run = run.with("dedup-table", "", 200.0, &[]).with("etcd-lock-fenced-transaction", "", 1.0, &[]);
        }
        run.meta.trials_planned = 39;
        let said = said(&run);
        assert!(said.starts_with("Safest so far, judged from 6 of 39 trials: ") && !said.contains("fastest"), "{said}");
    }

    #[test]
    fn over_a_sweep_rows_are_counted() {
        let sweep = "[[sweep]]\nname = \"clients\"\nkeys = [\"load.clients\"]\nvalues = [1, 2, 3, 4, 5]";
        let mut run = MadeUp::new(sweep);
        for n in 0..5 {
            let point = format!("clients={}", n + 1);
            run = run.with("dedup-table", &point, 1.0, &[]);
            run = run.with("etcd-lock", &point, 1.0, if n > 2 { &TWICE } else { &[] });
            run = run.acknowledging(if n == 0 { 0 } else { 1_000 }, "act-then-mark", &point, 1.0, &[]);
        }
        assert_eq!(
            said(&run),
            "Exactly once in every row, and in how many: [[dedup-table]] (5).\n\
             Not exactly once, and in how many rows: [[etcd-lock]] (2 of 5).\n\
             Not shown either way, and in how many rows: [[act-then-mark]] (1 of 5)."
        );
    }
}
