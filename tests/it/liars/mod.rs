//! Strategies that lie, and what `run`, `explore` and `conform` call them.
//!
//! Each liar has an honest twin: the same code with the lie left out. A liar that is called valid, and a twin that is called anything
//! else, are both a wrong verdict. The files beside this one hold the strategies, by what they lie about, and the table of what must
//! be found. [`loaded`], [`explored`] and [`conformed`] try them.

mod amounts;
mod answers;
mod conformed;
mod explored;
mod frame;
mod known;
mod late;
mod ledger;
mod loaded;
mod races;
mod refusals;
mod strangers;
mod table;
mod tried;

use frame::{closed, liar, opened};
use table::{
    BROKEN_CHAIN, Bounded, Conformed, Liar, NEVER_ASKED_FOR, OTHER_ANSWER, OTHER_EFFECT, REPEATED, bound, twins, under,
};
use tried::tested;

/// Every liar.
fn every_liar() -> Vec<Liar> {
    let themes = [
        amounts::liars(),
        answers::liars(),
        ledger::liars(),
        refusals::liars(),
        late::liars(),
        strangers::liars(),
        races::liars(),
    ];
    themes.into_iter().flatten().collect()
}

#[test]
fn there_are_enough_liars_and_no_two_have_a_name() {
    let liars = every_liar();
    let names: std::collections::BTreeSet<&str> =
        liars.iter().flat_map(|liar| [liar.lies.name(), liar.honest.name()]).collect();
    assert_eq!(names.len(), 2 * liars.len());
    assert_eq!(liars.len(), 53);
    // What no lane shows alone, whatever fault it meets.
    assert_eq!(liars.iter().filter(|liar| liar.only_in_company).count(), 12);
    // What no model knows, and what asks a store for nothing: `conform` leaves these out.
    let left_out = |why: Conformed| liars.iter().filter(|liar| liar.conformed == why).count();
    assert_eq!((left_out(Conformed::OwnSql), left_out(Conformed::WithoutLiar)), (19, 3));
}
