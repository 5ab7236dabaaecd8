//! Puts, reads and deletions, and the revisions they make.

use super::*;

#[test]
fn a_put_counts_versions_and_revisions_and_a_deleted_key_begins_anew() {
    // Revision 1 is the empty store; each put and each deletion of something is one more.
    let mut service = LockService::default();
    assert_eq!(service.revision(), 1);
    service.put(Put::new("a", "x")).unwrap();
    let again = service.put(Put::new("a", "y")).unwrap();
    assert_eq!((again.revision, again.previous.unwrap().value), (3, b"x".to_vec()));
    let key = get(&service, "a").unwrap();
    assert_eq!((key.create_revision, key.mod_revision, key.version), (2, 3, 2));
    assert_eq!(service.delete_range(&KeyRange::key("a")).unwrap().revision, 4);
    service.put(Put::new("a", "z")).unwrap();
    let key = get(&service, "a").unwrap();
    assert_eq!((key.create_revision, key.mod_revision, key.version), (5, 5, 1));
}

#[test]
fn what_changes_nothing_keeps_the_revision() {
    let mut service = LockService::default();
    service.delete_range(&KeyRange::key("missing")).unwrap();
    service.grant(Some(ONE), 10).unwrap();
    service.revoke(ONE).unwrap();
    assert_eq!(service.put(Put::new("", "x")), Err(Refusal::EmptyKey));
    service.txn(Txn { success: vec![TxnOp::Delete(KeyRange::key("missing"))], ..Txn::default() }).unwrap();
    assert_eq!(service.revision(), 1);
}

#[test]
fn a_range_ends_before_its_end_and_a_prefix_takes_all_below_it() {
    let mut service = LockService::default();
    for key in ["a", "a/1", "a/2", "b"] {
        service.put(Put::new(key, "")).unwrap();
    }
    let names = |range: KeyRange| {
        let found = service.range(&Query::of(range)).unwrap().found;
        found.into_iter().map(|key| String::from_utf8(key.key).unwrap()).collect::<Vec<_>>()
    };
    let range = |start: &str, end: &str| KeyRange { start: start.into(), end: end.into() };
    assert_eq!(names(range("a", "b")), ["a", "a/1", "a/2"]);
    assert_eq!(names(range("a/2", "\0")), ["a/2", "b"]);
    assert_eq!(names(KeyRange::prefix("a/")), ["a/1", "a/2"]);
    assert_eq!(names(KeyRange::prefix([0xff])), [""; 0]);
    assert_eq!(names(range("b", "a")), [""; 0]);
    assert_eq!(names(range("\0", "\0")).len(), 4);
}

#[test]
fn a_query_filters_sorts_and_cuts_off_but_counts_the_whole_range() {
    let mut service = LockService::default();
    for (key, value) in [("b", "1"), ("a", "3"), ("c", "2")] {
        service.put(Put::new(key, value)).unwrap();
    }
    let all = Query::of(KeyRange::prefix("\0"));
    let all = Query { keys: KeyRange { end: vec![0], ..all.keys.clone() }, ..all };
    let newest = Query { sort_by: Some(SortBy::CreateRevision), descending: true, limit: 1, ..all.clone() };
    let found = service.range(&newest).unwrap();
    assert_eq!((found.found[0].key.as_slice(), found.count, found.more), (b"c".as_slice(), 3, true));
    let found = service.range(&Query { max_create_revision: 3, ..newest }).unwrap();
    assert_eq!(found.found[0].key, b"a");
    let found = service.range(&Query { min_mod_revision: 4, keys_only: true, ..all.clone() }).unwrap();
    assert_eq!((found.found.len(), found.found[0].value.len()), (1, 0));
    let found = service.range(&Query { count_only: true, ..all.clone() }).unwrap();
    assert_eq!((found.found.len(), found.count), (0, 3));
    assert_eq!(service.range(&Query { revision: 3, ..all.clone() }), Err(Refusal::Compacted));
    assert_eq!(service.range(&Query { revision: 5, ..all }), Err(Refusal::FutureRevision));
}

#[test]
fn a_put_can_keep_what_is_there_but_not_what_is_missing() {
    let mut service = with_leases();
    let keep = |value: Option<&str>| Put { value: value.map(Into::into), lease: Attach::Keep, ..Put::new("k", "") };
    assert_eq!(service.put(keep(None)), Err(Refusal::KeyNotFound));
    service.put(Put::new("k", "v").with_lease(ONE)).unwrap();
    service.put(keep(None)).unwrap();
    let key = get(&service, "k").unwrap();
    assert_eq!((key.value.as_slice(), key.lease, key.version), (b"v".as_slice(), Some(ONE), 2));
}
