use super::*;
use crate::service::modelled::Waits;
use crate::terms::Sessions;
use crate::terms::{Answer, ClientId, Delivery, Effect, Isolation, LeaseId, Request, Role, Token};
use std::num::NonZeroI64;

const A: Session = Session(0);
const B: Session = Session(1);
const K: MessageId = MessageId(0);
const DONE: Called<StoreResponse> = Ok(OutcomeOf::Ok(StoreResponse::Done));
const NONE_FOUND: Called<StoreResponse> = Ok(OutcomeOf::Ok(StoreResponse::Found(None)));
const UNSERIALIZABLE: Called<StoreResponse> = Ok(OutcomeOf::Failed(Failure::SerializationFailure));

/// A store with two accounts, and the ledger beside it.
struct Lab {
    store: Tables,
    ledger: Vec<Entry>,
}

impl Lab {
    fn new(profile: Profile) -> Self {
        Lab { store: Tables::new(profile, 2), ledger: Vec::new() }
    }

    fn postgres() -> Self {
        Lab::new(Profile::Postgres)
    }

    fn does(&mut self, session: Session, op: StoreOp) -> Called<StoreResponse> {
        self.store.call(session, &op, &Asker { by: Delivery::FIRST, role: Role::STORE, id: 0 }, &mut self.ledger)
    }

    fn begins(&mut self, session: Session, isolation: Isolation) {
        assert_eq!(self.does(session, StoreOp::begin(isolation)), DONE);
    }
}

fn request(account: u32) -> Request {
    let effect = Effect { account: AccountId(account), amount: 10 };
    Request { id: K, client: ClientId(0), sequence: 0, effect }
}

fn apply_to(account: u32) -> StoreOp {
    StoreOp::apply(&request(account))
}

fn apply_under(lease: i64) -> StoreOp {
    let request = request(0);
    StoreOp::apply_under_lease(&request, LeaseId(lease))
}

fn applied(balance: i64) -> Called<StoreResponse> {
    Ok(OutcomeOf::Ok(StoreResponse::Applied(Some(Answer(balance)))))
}

fn waits_for(session: Session) -> Called<StoreResponse> {
    Err(Waits::For(Sessions::only(session)))
}

fn check(token: i64) -> StoreOp {
    StoreOp::check_token(AccountId(0), Token(NonZeroI64::new(token).expect("not zero")))
}

#[test]
fn read_committed_sees_what_is_committed_and_its_own() {
    let mut lab = Lab::postgres();
    lab.begins(A, Isolation::ReadCommitted);
    lab.begins(B, Isolation::ReadCommitted);
    assert_eq!(lab.does(A, StoreOp::write_mark(K, Answer(7))), DONE);
    assert_eq!(lab.does(A, StoreOp::read_mark(K)), Ok(OutcomeOf::Ok(StoreResponse::Found(Some(Answer(7))))));
    assert_eq!(lab.does(B, StoreOp::read_mark(K)), NONE_FOUND);
    assert_eq!(lab.does(A, StoreOp::commit()), DONE);
    assert_eq!(lab.does(B, StoreOp::read_mark(K)), Ok(OutcomeOf::Ok(StoreResponse::Found(Some(Answer(7))))));
}

#[test]
fn repeatable_read_sees_what_was_committed_before_its_first_statement() {
    let mut lab = Lab::postgres();
    lab.begins(B, Isolation::RepeatableRead);
    assert_eq!(lab.does(A, apply_to(0)), applied(10));
    // The snapshot is taken now and not at BEGIN.
    assert_eq!(
        lab.does(B, StoreOp::read_balance(AccountId(0))),
        Ok(OutcomeOf::Ok(StoreResponse::Found(Some(Answer(10)))))
    );
    assert_eq!(lab.does(A, apply_to(0)), applied(20));
    assert_eq!(lab.does(A, StoreOp::write_mark(K, Answer(20))), DONE);
    assert_eq!(
        lab.does(B, StoreOp::read_balance(AccountId(0))),
        Ok(OutcomeOf::Ok(StoreResponse::Found(Some(Answer(10)))))
    );
    assert_eq!(lab.does(B, StoreOp::read_mark(K)), NONE_FOUND);
}

#[test]
fn repeatable_read_fails_to_change_what_was_changed_since() {
    let mut lab = Lab::postgres();
    lab.begins(B, Isolation::RepeatableRead);
    assert_eq!(lab.does(B, StoreOp::read_mark(K)), NONE_FOUND);
    assert_eq!(lab.does(A, apply_to(0)), applied(10));
    assert_eq!(lab.does(B, apply_to(1)), applied(10), "another row");
    assert_eq!(lab.does(B, apply_to(0)), UNSERIALIZABLE);
    // The transaction is over, though not in name.
    assert_eq!(lab.does(B, StoreOp::read_mark(K)), Ok(OutcomeOf::Failed(Failure::NoTransaction)));
    assert_eq!(lab.does(B, StoreOp::commit()), Ok(OutcomeOf::Failed(Failure::NoTransaction)));
    assert_eq!(lab.ledger.len(), 1, "what B had done to account 1 is undone");
}

#[test]
fn the_loser_of_a_claim_is_told_so_at_read_committed_and_fails_above() {
    for (isolation, told) in [
        (Isolation::ReadCommitted, Ok(OutcomeOf::Ok(StoreResponse::Claimed(false)))),
        (Isolation::RepeatableRead, UNSERIALIZABLE),
        (Isolation::Serializable, UNSERIALIZABLE),
    ] {
        let mut lab = Lab::postgres();
        lab.begins(A, isolation);
        lab.begins(B, isolation);
        assert_eq!(lab.does(B, StoreOp::read_mark(K)), NONE_FOUND);
        assert_eq!(lab.does(A, StoreOp::claim(K)), Ok(OutcomeOf::Ok(StoreResponse::Claimed(true))));
        assert_eq!(lab.does(B, StoreOp::claim(K)), waits_for(A));
        assert_eq!(lab.does(A, StoreOp::commit()), DONE);
        assert_eq!(lab.does(B, StoreOp::claim(K)), told);
    }
}

#[test]
fn a_claim_that_is_rolled_back_or_cut_off_never_was() {
    let mut lab = Lab::postgres();
    for cut in [false, true] {
        lab.begins(A, Isolation::ReadCommitted);
        assert_eq!(lab.does(A, StoreOp::claim(K)), Ok(OutcomeOf::Ok(StoreResponse::Claimed(true))));
        if cut { lab.store.cut(A) } else { assert_eq!(lab.does(A, StoreOp::rollback()), DONE) }
    }
    assert_eq!(lab.store, Lab::postgres().store, "nothing is left of it");
    assert_eq!(lab.does(B, StoreOp::claim(K)), Ok(OutcomeOf::Ok(StoreResponse::Claimed(true))));
    assert_eq!(lab.does(A, StoreOp::commit()), Ok(OutcomeOf::Failed(Failure::NoTransaction)));
}

#[test]
fn a_row_that_another_transaction_changed_is_waited_for_and_its_new_value_counts() {
    let mut lab = Lab::postgres();
    lab.begins(A, Isolation::ReadCommitted);
    lab.begins(B, Isolation::ReadCommitted);
    assert_eq!(lab.does(A, apply_to(0)), applied(10));
    assert_eq!(lab.does(B, apply_to(0)), waits_for(A));
    assert_eq!(lab.does(B, apply_to(1)), applied(10), "another row is free");
    assert_eq!(lab.does(A, apply_to(1)), waits_for(B), "and here both wait for each other");
    assert_eq!(lab.store.victim(A), OutcomeOf::Failed(Failure::Deadlock));
    assert_eq!(lab.does(B, apply_to(0)), applied(10), "the victim has let go");
    assert_eq!(lab.does(B, StoreOp::commit()), DONE);
    assert_eq!(lab.does(A, StoreOp::commit()), Ok(OutcomeOf::Failed(Failure::NoTransaction)));
    assert_eq!(lab.ledger.iter().map(|entry| (entry.number, entry.account.0)).collect::<Vec<_>>(), [(1, 1), (2, 0)]);
}

#[test]
fn a_lower_token_is_refused_and_its_row_stays_locked() {
    let mut lab = Lab::postgres();
    assert_eq!(lab.does(A, check(5)), DONE);
    lab.begins(A, Isolation::ReadCommitted);
    assert_eq!(lab.does(A, check(4)), Ok(OutcomeOf::Failed(Failure::StaleToken)));
    assert_eq!(lab.does(B, check(6)), waits_for(A));
    assert_eq!(lab.does(A, StoreOp::rollback()), DONE);
    assert_eq!(lab.does(B, check(6)), DONE);
}

const OTHER_LEASE: Called<StoreResponse> = Ok(OutcomeOf::Failed(Failure::OtherLease));

#[test]
fn only_the_lease_that_was_first_may_apply_and_no_newer_one() {
    let mut lab = Lab::postgres();
    assert_eq!(lab.does(A, apply_under(5)), applied(10));
    for other in [4, 6] {
        assert_eq!(lab.does(B, apply_under(other)), OTHER_LEASE);
    }
    assert_eq!(lab.does(B, apply_under(5)), applied(20));
    assert_eq!(lab.ledger.len(), 2);
}

#[test]
fn a_lease_that_is_rolled_back_was_never_seen_and_one_that_is_refused_locks_the_row() {
    let mut lab = Lab::postgres();
    lab.begins(A, Isolation::ReadCommitted);
    assert_eq!(lab.does(A, apply_under(5)), applied(10));
    assert_eq!(lab.does(B, apply_under(6)), waits_for(A));
    assert_eq!(lab.does(A, StoreOp::rollback()), DONE);
    assert_eq!(lab.store, Lab::postgres().store, "nothing is left of it");
    assert_eq!(lab.does(B, apply_under(6)), applied(10));
    lab.begins(A, Isolation::ReadCommitted);
    assert_eq!(lab.does(A, apply_under(5)), OTHER_LEASE);
    assert_eq!(lab.does(B, apply_to(0)), applied(20), "the account's own row is free");
    assert_eq!(lab.does(B, apply_under(6)), waits_for(A));
    assert_eq!(lab.does(A, StoreOp::commit()), DONE);
    assert_eq!(lab.does(B, apply_under(6)), applied(30));
}

#[test]
fn renaming_leases_renames_those_that_are_remembered_committed_or_not() {
    for open in [false, true] {
        let mut lab = Lab::postgres();
        if open {
            lab.begins(A, Isolation::ReadCommitted);
        }
        assert_eq!(lab.store.has_names(), open, "the name of a connection");
        assert_eq!(lab.does(A, apply_under(5)), applied(10));
        assert!(lab.store.has_names());
        lab.store.rename(&|session| session, &mut |_, lease| lease + 10);
        assert_eq!(lab.does(A, apply_under(5)), OTHER_LEASE);
        assert_eq!(lab.does(A, apply_under(15)), applied(20));
    }
}

/// Write skew: each reads what the other writes. Snapshot isolation lets both commit.
fn write_skew(isolation: Isolation) -> [Called<StoreResponse>; 2] {
    let mut lab = Lab::postgres();
    lab.begins(A, isolation);
    lab.begins(B, isolation);
    for session in [A, B] {
        assert_eq!(lab.does(session, StoreOp::read_mark(K)), NONE_FOUND);
    }
    for (session, account) in [(A, 0), (B, 1)] {
        assert_eq!(lab.does(session, apply_to(account)), applied(10));
        assert_eq!(lab.does(session, StoreOp::write_mark(K, Answer(10))), DONE);
    }
    [lab.does(A, StoreOp::commit()), lab.does(B, StoreOp::commit())]
}

#[test]
fn serializable_prevents_write_skew_and_repeatable_read_does_not() {
    assert_eq!(write_skew(Isolation::RepeatableRead), [DONE, DONE]);
    assert_eq!(write_skew(Isolation::Serializable), [DONE, UNSERIALIZABLE]);
}

#[test]
fn serializable_transactions_one_after_the_other_leave_nothing_behind() {
    let mut lab = Lab::postgres();
    for session in [A, B, A] {
        lab.begins(session, Isolation::Serializable);
        assert!(matches!(lab.does(session, StoreOp::read_mark(K)), Ok(OutcomeOf::Ok(_))));
        assert_eq!(lab.does(session, StoreOp::write_mark(K, Answer(1))), DONE);
        assert_eq!(lab.does(session, StoreOp::commit()), DONE);
    }
    assert_eq!(lab.store.serializable, Serializable::default());
}

#[test]
fn a_reader_alone_does_no_harm_to_a_writer() {
    let mut lab = Lab::postgres();
    lab.begins(A, Isolation::Serializable);
    lab.begins(B, Isolation::Serializable);
    assert_eq!(lab.does(A, StoreOp::read_mark(K)), NONE_FOUND);
    assert_eq!(lab.does(B, StoreOp::write_mark(K, Answer(1))), DONE);
    assert_eq!(lab.does(B, StoreOp::commit()), DONE);
    assert_eq!(lab.does(A, StoreOp::read_mark(K)), NONE_FOUND);
    assert_eq!(lab.does(A, StoreOp::commit()), DONE, "A before B is a serial order");
}

#[test]
fn sqlite_lets_one_write_at_a_time_and_everyone_read() {
    let mut lab = Lab::new(Profile::Sqlite);
    lab.begins(A, Isolation::ReadCommitted);
    assert_eq!(lab.does(A, apply_to(0)), applied(10));
    assert_eq!(lab.does(B, StoreOp::begin(Isolation::ReadCommitted)), waits_for(A));
    assert_eq!(lab.does(B, apply_to(1)), waits_for(A));
    assert_eq!(
        lab.does(B, StoreOp::read_balance(AccountId(0))),
        Ok(OutcomeOf::Ok(StoreResponse::Found(Some(Answer(0)))))
    );
    assert_eq!(lab.does(A, StoreOp::commit()), DONE);
    assert_eq!(lab.does(B, apply_to(0)), applied(20));
}

#[test]
fn what_waits_changes_nothing() {
    let mut lab = Lab::postgres();
    lab.begins(A, Isolation::ReadCommitted);
    assert_eq!(lab.does(A, apply_to(0)), applied(10));
    let before = lab.store.clone();
    let request = request(0);
    assert_eq!(lab.does(B, StoreOp::claim_and_apply(&request)), waits_for(A));
    assert_eq!(
        lab.does(B, StoreOp::apply_fenced(&request, Token(NonZeroI64::new(3).expect("not zero")))),
        waits_for(A)
    );
    assert_eq!(lab.does(B, apply_under(5)), waits_for(A));
    assert_eq!(lab.store, before);
}

#[test]
fn renaming_connections_renames_all_that_is_theirs() {
    let mut lab = Lab::postgres();
    lab.begins(A, Isolation::RepeatableRead);
    for op in [StoreOp::claim(K), apply_to(0), check(1), apply_under(5), StoreOp::write_mark(K, Answer(1))] {
        assert!(lab.does(A, op).is_ok());
    }
    lab.store.rename(&|session| if session == A { B } else { session }, &mut |_, id| id);
    assert!(lab.store.is_in_transaction(B) && !lab.store.is_in_transaction(A));
    assert_eq!(lab.does(A, apply_to(0)), waits_for(B));
    lab.store.cut(B);
    assert_eq!(lab.store, Lab::postgres().store);
}

#[test]
fn each_flaw_breaks_what_it_says() {
    let mut unconstrained =
        Lab { store: Lab::postgres().store.with_flaw(StoreModelFlaw::NoUniqueConstraint), ledger: vec![] };
    let mut unfenced =
        Lab { store: Lab::postgres().store.with_flaw(StoreModelFlaw::NoTokenComparison), ledger: vec![] };
    let mut unlocked = Lab { store: Lab::postgres().store.with_flaw(StoreModelFlaw::NoRowLocks), ledger: vec![] };
    let mut dirty = Lab { store: Lab::postgres().store.with_flaw(StoreModelFlaw::ReadsUncommitted), ledger: vec![] };
    for _ in 0..2 {
        assert_eq!(unconstrained.does(A, StoreOp::claim(K)), Ok(OutcomeOf::Ok(StoreResponse::Claimed(true))));
    }
    assert_eq!((unfenced.does(A, check(5)), unfenced.does(A, check(4))), (DONE, DONE));
    unlocked.begins(A, Isolation::ReadCommitted);
    assert_eq!((unlocked.does(A, apply_to(0)), unlocked.does(B, apply_to(0))), (applied(10), applied(10)));
    dirty.begins(A, Isolation::ReadCommitted);
    assert_eq!(dirty.does(A, StoreOp::write_mark(K, Answer(1))), DONE);
    assert_eq!(dirty.does(B, StoreOp::read_mark(K)), Ok(OutcomeOf::Ok(StoreResponse::Found(Some(Answer(1))))));
}

#[test]
fn a_row_that_is_deleted_is_seen_by_older_snapshots_alone_and_can_be_inserted_again() {
    let found = |answer| Ok(OutcomeOf::Ok(StoreResponse::Found(Some(Answer(answer)))));
    let claimed = |fresh| Ok(OutcomeOf::Ok(StoreResponse::Claimed(fresh)));
    let mut lab = Lab::postgres();
    assert_eq!(lab.does(A, StoreOp::claim(K)), claimed(true));
    assert_eq!(lab.does(A, StoreOp::write_mark(K, Answer(7))), DONE);
    lab.begins(B, Isolation::RepeatableRead);
    assert_eq!(lab.does(B, StoreOp::read_mark(K)), found(7));
    assert_eq!(lab.does(A, StoreOp::forget(K)), DONE);
    assert_eq!(lab.does(A, StoreOp::read_mark(K)), NONE_FOUND);
    assert_eq!(lab.does(B, StoreOp::read_mark(K)), found(7), "its snapshot is older");
    assert_eq!(lab.does(A, StoreOp::claim(K)), claimed(true));
    assert_eq!(lab.does(B, StoreOp::rollback()), DONE);
    assert_eq!(lab.does(A, StoreOp::forget(K)), DONE);
    assert_eq!(lab.store, Tables::new(Profile::Postgres, 2), "nothing is left of it");
}

#[test]
fn a_deletion_waits_for_another_and_is_taken_back_with_its_transaction() {
    let claimed = |fresh| Ok(OutcomeOf::Ok(StoreResponse::Claimed(fresh)));
    let mut lab = Lab::postgres();
    assert_eq!(lab.does(A, StoreOp::claim(K)), claimed(true));
    lab.begins(A, Isolation::ReadCommitted);
    assert_eq!(lab.does(A, StoreOp::forget(K)), DONE);
    assert_eq!(lab.does(B, StoreOp::forget(K)), waits_for(A));
    assert_eq!(lab.does(B, StoreOp::claim(K)), waits_for(A));
    assert_eq!(lab.does(A, StoreOp::claim(K)), claimed(true), "it does not stand in its own way");
    assert_eq!(lab.does(A, StoreOp::rollback()), DONE);
    assert_eq!(lab.does(B, StoreOp::claim(K)), claimed(false));
    // What is not committed is not there to be deleted.
    assert_eq!(lab.does(B, StoreOp::forget(K)), DONE);
    lab.begins(A, Isolation::ReadCommitted);
    assert_eq!(lab.does(A, StoreOp::claim(K)), claimed(true));
    assert_eq!(lab.does(B, StoreOp::forget(K)), DONE);
    assert_eq!(lab.does(A, StoreOp::commit()), DONE);
    assert_eq!(lab.does(B, StoreOp::claim(K)), claimed(false));
}

#[test]
fn what_another_has_deleted_since_the_snapshot_cannot_be_deleted_again() {
    let mut lab = Lab::postgres();
    assert_eq!(lab.does(A, StoreOp::write_mark(K, Answer(7))), DONE);
    lab.begins(B, Isolation::RepeatableRead);
    assert!(lab.does(B, StoreOp::read_mark(K)).is_ok());
    assert_eq!(lab.does(A, StoreOp::forget(K)), DONE);
    assert_eq!(lab.does(B, StoreOp::forget(K)), UNSERIALIZABLE, "could not serialize access due to concurrent delete");
    assert_eq!(lab.does(B, StoreOp::rollback()), DONE);
    // A snapshot that is newer does not show it: there is nothing to delete.
    lab.begins(B, Isolation::RepeatableRead);
    assert_eq!(lab.does(B, StoreOp::forget(K)), DONE);
}

/// Whether a statement begins and waits.
fn begins_and_waits(lab: &mut Lab, session: Session, op: StoreOp) -> bool {
    lab.store.queue(session, op, &Asker { by: Delivery::FIRST, role: Role::STORE, id: 0 })
}

#[test]
fn whoever_waits_with_a_snapshot_does_not_see_what_the_other_has_committed() {
    for (begins_first, seen) in [(true, None), (false, Some(Answer(7)))] {
        let mut lab = Lab::postgres();
        [A, B].into_iter().for_each(|session| lab.begins(session, Isolation::RepeatableRead));
        assert_eq!(lab.does(A, StoreOp::advisory_lock(K)), DONE);
        assert_eq!(lab.does(A, StoreOp::write_mark(K, Answer(7))), DONE);
        let before = lab.store.clone();
        assert_eq!(
            lab.does(B, StoreOp::advisory_lock(K)),
            Err(Waits::WithSnapshot(Sessions::only(A))),
            "it takes its snapshot before it waits"
        );
        assert_eq!(lab.store, before, "who cannot go changes nothing");
        assert_eq!(begins_first, begins_first && begins_and_waits(&mut lab, B, StoreOp::advisory_lock(K)));
        if begins_first {
            assert_eq!(lab.store.take_turn(B), Err(Waits::For(Sessions::NONE)), "the other has not let go");
        }
        assert_eq!(lab.does(A, StoreOp::commit()), DONE);
        assert_eq!(if begins_first { lab.store.take_turn(B) } else { lab.does(B, StoreOp::advisory_lock(K)) }, DONE);
        assert_eq!(lab.does(B, StoreOp::read_mark(K)), Ok(OutcomeOf::Ok(StoreResponse::Found(seen))));
    }
}

#[test]
fn whoever_began_to_wait_first_goes_on_first_and_at_once() {
    let mut lab = Lab::postgres();
    let late = Session(2);
    [A, B, late].into_iter().for_each(|session| lab.begins(session, Isolation::RepeatableRead));
    assert_eq!(lab.does(A, StoreOp::claim(K)), Ok(OutcomeOf::Ok(StoreResponse::Claimed(true))));
    assert!(begins_and_waits(&mut lab, B, StoreOp::claim(K)));
    assert_eq!(lab.does(A, StoreOp::rollback()), DONE);
    assert!(!begins_and_waits(&mut lab, A, StoreOp::claim(K)), "it has no transaction");
    // The insert of the one that waited is there before its answer is heard.
    assert_eq!(lab.does(late, StoreOp::claim(K)), Err(Waits::WithSnapshot(Sessions::only(B))));
    assert!(begins_and_waits(&mut lab, late, StoreOp::claim(K)));
    assert_eq!(lab.store.take_turn(B), Ok(OutcomeOf::Ok(StoreResponse::Claimed(true))));
    assert_eq!(lab.does(B, StoreOp::commit()), DONE);
    assert_eq!(lab.store.take_turn(late), UNSERIALIZABLE, "its snapshot does not show the row");
}

#[test]
fn a_statement_begins_before_its_wait_only_where_that_makes_a_difference() {
    for isolation in [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable] {
        let mut lab = Lab::postgres();
        [A, B].into_iter().for_each(|session| lab.begins(session, isolation));
        assert!(!begins_and_waits(&mut lab, B, StoreOp::advisory_lock(K)), "nobody is in the way");
        assert_eq!(lab.does(A, StoreOp::advisory_lock(K)), DONE);
        assert_eq!(begins_and_waits(&mut lab, B, StoreOp::advisory_lock(K)), isolation != Isolation::ReadCommitted);
    }
    let mut lab = Lab::postgres();
    [A, B].into_iter().for_each(|session| lab.begins(session, Isolation::RepeatableRead));
    assert_eq!(lab.does(A, StoreOp::advisory_lock(K)), DONE);
    assert_eq!(lab.does(B, StoreOp::read_mark(K)), NONE_FOUND);
    assert!(!begins_and_waits(&mut lab, B, StoreOp::advisory_lock(K)), "it has its snapshot already");
    assert_eq!(lab.does(B, StoreOp::advisory_lock(K)), waits_for(A));
    lab.store.cut(A);
    assert_eq!(lab.does(B, StoreOp::advisory_lock(K)), DONE);
}
