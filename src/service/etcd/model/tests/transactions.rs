//! Comparisons and branches.

use super::*;

fn compare(key: &str, relation: TxnRelation, target: TxnTarget) -> TxnCompare {
    TxnCompare { keys: KeyRange::key(key), relation, target }
}

fn holds(service: &mut LockService, compare: TxnCompare) -> bool {
    service.txn(Txn { compare: vec![compare], ..Txn::default() }).unwrap().succeeded
}

#[test]
fn comparisons_hold_and_fail_by_value_version_create_and_mod_revision() {
    use TxnRelation::*;
    use TxnTarget::*;
    let mut service = LockService::default();
    service.put(Put::new("k", "m")).unwrap();
    service.put(Put::new("k", "m")).unwrap();
    // Created at 2, put again at 3, so its version is 2.
    for (relation, target, expected) in [
        (Equal, Value("m".into()), true),
        (Less, Value("n".into()), true),
        (NotEqual, Value("m".into()), false),
        (Equal, Version(2), true),
        (Greater, Version(2), false),
        (Equal, CreateRevision(2), true),
        (Less, CreateRevision(2), false),
        (Greater, ModRevision(2), true),
        (Equal, ModRevision(2), false),
        (Equal, Lease(LeaseId(0)), true),
    ] {
        assert_eq!(holds(&mut service, compare("k", relation, target.clone())), expected, "{relation:?} {target:?}");
    }
}

#[test]
fn a_missing_key_has_revision_and_version_0_and_no_value_to_compare() {
    let mut service = LockService::default();
    for target in [TxnTarget::Version(0), TxnTarget::CreateRevision(0), TxnTarget::ModRevision(0)] {
        assert!(holds(&mut service, compare("missing", TxnRelation::Equal, target.clone())));
        assert!(!holds(&mut service, compare("missing", TxnRelation::Greater, target)));
    }
    for relation in [TxnRelation::Equal, TxnRelation::NotEqual] {
        assert!(!holds(&mut service, compare("missing", relation, TxnTarget::Value(Vec::new()))));
    }
}

#[test]
fn a_comparison_of_a_range_holds_for_every_key_or_not_at_all() {
    let mut service = LockService::default();
    service.put(Put::new("p/1", "x")).unwrap();
    service.put(Put::new("p/2", "y")).unwrap();
    let below = |version| TxnCompare { keys: KeyRange::prefix("p/"), relation: TxnRelation::Less, target: version };
    assert!(holds(&mut service, below(TxnTarget::ModRevision(4))));
    assert!(!holds(&mut service, below(TxnTarget::ModRevision(3))));
}

#[test]
fn a_transaction_is_one_revision_and_its_operations_see_one_another() {
    let mut service = LockService::default();
    let success = vec![
        TxnOp::Range(Query::of(KeyRange::key("a"))),
        TxnOp::Put(Put::new("a", "1")),
        TxnOp::Put(Put::new("b", "1")),
        TxnOp::Range(Query::of(KeyRange::key("a"))),
    ];
    let done = service.txn(Txn { success, ..Txn::default() }).unwrap();
    assert_eq!((done.succeeded, done.revision, service.revision()), (true, 2, 2));
    let read = |index: usize| match &done.results[index] {
        TxnOpResult::Range(range) => (range.revision, range.found.len()),
        other => panic!("{other:?} is no range"),
    };
    assert_eq!((read(0), read(3)), ((1, 0), (2, 1)));
    assert_eq!(get(&service, "b").unwrap().create_revision, 2);
}

#[test]
fn a_refused_transaction_does_nothing() {
    let mut service = with_leases();
    let put = |key: &str| TxnOp::Put(Put::new(key, ""));
    let unknown_lease = TxnOp::Put(Put::new("b", "").with_lease(LeaseId(99)));
    let before = service.clone();
    for (ops, refusal) in [
        (vec![put("a"), unknown_lease], Refusal::LeaseNotFound),
        (vec![put("a"), put("a")], Refusal::DuplicateKey),
        (vec![put("a"), TxnOp::Delete(KeyRange::prefix("a"))], Refusal::DuplicateKey),
        (vec![put("")], Refusal::EmptyKey),
        ((0..=MAX_TXN_OPS).map(|key| put(&key.to_string())).collect(), Refusal::TooManyOps),
    ] {
        assert_eq!(service.txn(Txn { success: ops, ..Txn::default() }), Err(refusal));
    }
    assert_eq!(service, before);
}
