//! The embedded lock server as an unmodified etcd-client sees it, over loopback.

use std::time::{Duration, Instant};

use etcd_client::{
    Client, Compare, CompareOp, DeleteOptions, Error, GetOptions, LeaseGrantOptions, LeaseTimeToLiveOptions,
    LockOptions, PutOptions, SortOrder, SortTarget, Txn, TxnOp,
};
use oncelab::service::etcd::model::LockModelFlaw;
use oncelab::service::etcd::{LockOp, LockResponse};
use oncelab::service::{Backend, Connection, EmbeddedLockServer, EmbeddedOptions, EtcdBackend, EtcdOptions};
use oncelab::terms::{AccountId, Delivery, Failure, LeaseId, LockKey, Token};
use oncelab::world::{Op, Outcome, Response};
use tokio::time::timeout;

/// Longer than anything here takes, shorter than a patient person's patience.
const PATIENCE: Duration = Duration::from_secs(10);

/// Long enough for a message over loopback to have arrived, so that a call that has not answered by then is waiting.
const A_MOMENT: Duration = Duration::from_millis(100);

fn start(options: EmbeddedOptions) -> EmbeddedLockServer {
    EmbeddedLockServer::start(options).expect("a free port on the loopback interface")
}

async fn client(server: &EmbeddedLockServer) -> Client {
    server.endpoint().client(PATIENCE).await.unwrap()
}

async fn lease(client: &mut Client, ttl_s: i64) -> i64 {
    client.lease_grant(ttl_s, None).await.unwrap().id()
}

fn under(lease: i64) -> Option<LockOptions> {
    Some(LockOptions::new().with_lease(lease))
}

fn status(error: Error) -> (tonic::Code, String) {
    match error {
        Error::GRpcStatus(status) => (status.code(), status.message().to_owned()),
        other => panic!("{other} is no answer of the server's"),
    }
}

/// A call of Lock on its way, with a connection of its own.
fn spawn_lock(
    server: &EmbeddedLockServer,
    lease: i64,
) -> tokio::task::JoinHandle<Result<etcd_client::LockResponse, Error>> {
    let endpoint = server.endpoint();
    tokio::spawn(async move { endpoint.client(PATIENCE).await?.lock("l", under(lease)).await })
}

#[tokio::test]
async fn keys_are_put_read_and_deleted() {
    let server = start(EmbeddedOptions::default());
    let mut client = client(&server).await;
    for (key, value) in [("k/1", "b"), ("k/2", "a")] {
        client.put(key, value, None).await.unwrap();
    }
    let put = client.put("k/1", "c", Some(PutOptions::new().with_prev_key())).await.unwrap();
    assert_eq!(put.prev_key().unwrap().value(), b"b");
    assert_eq!(put.header().unwrap().revision(), 4);

    let sorted = GetOptions::new().with_prefix().with_sort(SortTarget::Value, SortOrder::Descend);
    let found = client.get("k/", Some(sorted)).await.unwrap();
    let found: Vec<_> = found.kvs().iter().map(|kv| (kv.key_str().unwrap(), kv.version(), kv.mod_revision())).collect();
    assert_eq!(found, [("k/1", 2, 4), ("k/2", 1, 3)]);

    let deleted = client.delete("k/", Some(DeleteOptions::new().with_prefix().with_prev_key())).await.unwrap();
    assert_eq!((deleted.deleted(), deleted.prev_kvs().len()), (2, 2));
    assert_eq!(client.get("k/1", None).await.unwrap().count(), 0);
}

#[tokio::test]
async fn a_transaction_takes_one_branch_in_one_revision() {
    let server = start(EmbeddedOptions::default());
    let mut client = client(&server).await;
    let claim = |value: &str| {
        Txn::new()
            .when([Compare::create_revision("k", CompareOp::Equal, 0)])
            .and_then([TxnOp::put("k", value, None), TxnOp::put("other", value, None)])
            .or_else([TxnOp::get("k", None)])
    };
    let first = client.txn(claim("first")).await.unwrap();
    assert_eq!((first.succeeded(), first.header().unwrap().revision()), (true, 2));
    let second = client.txn(claim("second")).await.unwrap();
    assert_eq!((second.succeeded(), second.header().unwrap().revision()), (false, 2));
    match &second.op_responses()[0] {
        etcd_client::TxnOpResponse::Get(found) => assert_eq!(found.kvs()[0].value(), b"first"),
        other => panic!("{other:?} is no answer to a get"),
    }
    let twice = Txn::new().and_then([TxnOp::put("k", "", None), TxnOp::put("k", "", None)]);
    let (code, message) = status(client.txn(twice).await.unwrap_err());
    assert_eq!(
        (code, message.as_str()),
        (tonic::Code::InvalidArgument, "etcdserver: duplicate key given in txn request")
    );
}

#[tokio::test]
async fn a_lease_is_granted_listed_and_revoked_with_its_keys() {
    let server = start(EmbeddedOptions::default());
    let mut client = client(&server).await;
    let granted = client.lease_grant(1, Some(LeaseGrantOptions::new().with_id(77))).await.unwrap();
    assert_eq!((granted.id(), granted.ttl()), (77, 2));
    let (code, _) = status(client.lease_grant(9, Some(LeaseGrantOptions::new().with_id(77))).await.unwrap_err());
    assert_eq!(code, tonic::Code::FailedPrecondition);

    client.put("k", "v", Some(PutOptions::new().with_lease(77))).await.unwrap();
    let lived = client.lease_time_to_live(77, Some(LeaseTimeToLiveOptions::new().with_keys())).await.unwrap();
    assert_eq!((lived.granted_ttl(), lived.keys()), (2, [b"k".to_vec()].as_slice()));
    assert_eq!(client.leases().await.unwrap().leases().len(), 1);

    client.lease_revoke(77).await.unwrap();
    assert_eq!(client.get("k", None).await.unwrap().count(), 0);
    assert_eq!(client.lease_time_to_live(77, None).await.unwrap().ttl(), -1);
    let (code, message) = status(client.lease_revoke(77).await.unwrap_err());
    assert_eq!((code, message.as_str()), (tonic::Code::NotFound, "etcdserver: requested lease not found"));
    let put = client.put("k", "v", Some(PutOptions::new().with_lease(77))).await;
    assert_eq!(status(put.unwrap_err()).0, tonic::Code::NotFound);
}

#[tokio::test]
async fn a_fast_clock_expires_a_lease_that_is_not_kept_alive_and_spares_one_that_is() {
    // Leases of 20 s at 20 times the speed live 1 s; one is kept alive every 100 ms, for half as long again.
    let server = start(EmbeddedOptions { clock_speed: 20.0, ..EmbeddedOptions::default() });
    let mut client = client(&server).await;
    let (left, kept) = (lease(&mut client, 20).await, lease(&mut client, 20).await);
    client.put("left", "", Some(PutOptions::new().with_lease(left))).await.unwrap();
    client.put("kept", "", Some(PutOptions::new().with_lease(kept))).await.unwrap();
    let began = Instant::now();
    let (mut keeper, mut answers) = client.lease_keep_alive(kept).await.unwrap();
    while began.elapsed() < Duration::from_millis(1500) {
        keeper.keep_alive().await.unwrap();
        assert_eq!(answers.message().await.unwrap().unwrap().ttl(), 20);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(client.get("left", None).await.unwrap().count(), 0);
    assert_eq!(client.get("kept", None).await.unwrap().count(), 1);
    // etcd-client reads the first answer itself: a time to live of 0.
    let too_late = client.lease_keep_alive(left).await.unwrap_err();
    assert!(matches!(too_late, Error::LeaseKeepAliveError(_)), "{too_late}");
}

#[tokio::test]
async fn a_lock_waits_and_is_handed_on_in_order() {
    let server = start(EmbeddedOptions::default());
    let mut client = client(&server).await;
    let leases = [lease(&mut client, 60).await, lease(&mut client, 60).await, lease(&mut client, 60).await];
    let held = client.lock("l", under(leases[0])).await.unwrap();
    assert_eq!(held.key(), format!("l/{:x}", leases[0]).as_bytes());
    let mut second = spawn_lock(&server, leases[1]);
    tokio::time::sleep(A_MOMENT).await;
    let mut third = spawn_lock(&server, leases[2]);
    assert!(timeout(A_MOMENT, &mut second).await.is_err(), "it is held");

    client.unlock(held.key()).await.unwrap();
    let second = timeout(PATIENCE, second).await.unwrap().unwrap().unwrap();
    assert!(timeout(A_MOMENT, &mut third).await.is_err(), "the second holds it");
    client.unlock(second.key()).await.unwrap();
    let third = timeout(PATIENCE, third).await.unwrap().unwrap().unwrap();
    let revision = |held: &etcd_client::LockResponse| held.header().unwrap().revision();
    assert!(revision(&held) < revision(&second) && revision(&second) < revision(&third));
}

#[tokio::test]
async fn the_holders_lease_expires_by_itself_and_the_waiter_holds_the_lock() {
    let server = start(EmbeddedOptions { clock_speed: 20.0, ..EmbeddedOptions::default() });
    let mut client = client(&server).await;
    let long = lease(&mut client, 600).await;
    let began = Instant::now();
    let short = lease(&mut client, 10).await;
    client.lock("l", under(short)).await.unwrap();
    timeout(PATIENCE, client.lock("l", under(long))).await.unwrap().unwrap();
    // 10 s at 20 times the speed are 500 ms, of which the clock's resolution may take one.
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(499) && waited < Duration::from_secs(5), "waited {waited:?}");
}

#[tokio::test]
async fn a_waiter_whose_lease_expired_is_told_so_at_its_turn() {
    let server = start(EmbeddedOptions { clock_speed: 20.0, ..EmbeddedOptions::default() });
    let mut client = client(&server).await;
    let (holders, waiters) = (lease(&mut client, 600).await, lease(&mut client, 2).await);
    let held = client.lock("l", under(holders)).await.unwrap();
    let mut waiting = spawn_lock(&server, waiters);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(client.lease_time_to_live(waiters, None).await.unwrap().ttl(), -1);
    assert!(timeout(A_MOMENT, &mut waiting).await.is_err(), "etcd tells it at its turn and not before");
    client.unlock(held.key()).await.unwrap();
    let answer = timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert_eq!(status(answer.unwrap_err()), (tonic::Code::Unknown, "mutex: session is expired".to_owned()));
}

#[tokio::test]
async fn a_cancelled_lock_call_leaves_the_queue() {
    let server = start(EmbeddedOptions::default());
    let mut client = client(&server).await;
    let leases = [lease(&mut client, 60).await, lease(&mut client, 60).await, lease(&mut client, 60).await];
    let held = client.lock("l", under(leases[0])).await.unwrap();
    let gives_up = spawn_lock(&server, leases[1]);
    tokio::time::sleep(A_MOMENT).await;
    let stays = spawn_lock(&server, leases[2]);
    tokio::time::sleep(A_MOMENT).await;
    let queue = || GetOptions::new().with_prefix().with_count_only();
    assert_eq!(client.get("l/", Some(queue())).await.unwrap().count(), 3);

    gives_up.abort();
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(client.get("l/", Some(queue())).await.unwrap().count(), 2);
    client.unlock(held.key()).await.unwrap();
    timeout(PATIENCE, stays).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_lock_under_an_unknown_lease_is_refused_as_etcds_lock_service_does() {
    let server = start(EmbeddedOptions::default());
    let refused = client(&server).await.lock("l", under(99)).await.unwrap_err();
    assert_eq!(status(refused), (tonic::Code::Unknown, "etcdserver: requested lease not found".to_owned()));
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let server = start(EmbeddedOptions::default());
    let (code, message) = status(client(&server).await.compact(1, None).await.unwrap_err());
    assert_eq!(code, tonic::Code::Unimplemented);
    assert!(message.contains("KV/Compact"), "{message}");
    let (code, message) = status(client(&server).await.member_list().await.unwrap_err());
    assert_eq!(code, tonic::Code::Unimplemented);
    assert!(message.contains("Cluster/MemberList"), "{message}");
}

#[tokio::test]
async fn the_flawed_server_grants_a_lock_twice_and_the_sound_one_does_not() {
    for (flaw, twice) in [(Some(LockModelFlaw::GrantsTwice), true), (None, false)] {
        let server = start(EmbeddedOptions { flaw, ..EmbeddedOptions::default() });
        let mut client = client(&server).await;
        let (one, two) = (lease(&mut client, 60).await, lease(&mut client, 60).await);
        client.lock("l", under(one)).await.unwrap();
        let second = timeout(A_MOMENT, client.lock("l", under(two))).await;
        assert_eq!(second.is_ok(), twice);
    }
}

#[tokio::test]
async fn a_clock_that_does_not_run_is_refused_with_a_remedy() {
    for clock_speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = EmbeddedLockServer::start(EmbeddedOptions { clock_speed, ..EmbeddedOptions::default() });
        assert!(refused.unwrap_err().to_string().contains("give a clock speed above 0"));
    }
}

mod through_the_port {
    use super::*;

    const ACCOUNT: AccountId = AccountId(7);

    fn backend(server: &EmbeddedLockServer, timeout: Duration) -> EtcdBackend {
        let options = EtcdOptions { endpoints: vec![server.endpoint()], timeout, ..EtcdOptions::default() };
        EtcdBackend::new(options).unwrap()
    }

    async fn ask(session: &mut Box<dyn Connection>, op: Op) -> Outcome {
        timeout(PATIENCE, session.execute(op.of, Delivery::FIRST)).await.unwrap().unwrap()
    }

    async fn grant(session: &mut Box<dyn Connection>) -> LockKey {
        match ask(session, LockOp::GrantLease.into()).await {
            Outcome::Ok(Response::Etcd(LockResponse::Granted(lease))) => LockKey { account: ACCOUNT, lease },
            other => panic!("{other:?} is no lease"),
        }
    }

    async fn acquire(session: &mut Box<dyn Connection>, key: LockKey) -> Token {
        match ask(session, LockOp::acquire(key).into()).await {
            Outcome::Ok(Response::Etcd(LockResponse::Held(token))) => token,
            other => panic!("{other:?} is no lock"),
        }
    }

    #[tokio::test]
    async fn a_lock_is_acquired_handed_on_and_fenced_by_growing_tokens() {
        let server = start(EmbeddedOptions::default());
        let backend = backend(&server, PATIENCE);
        let (mut one, mut two) = (backend.connect().await.unwrap(), backend.connect().await.unwrap());
        let (ours, theirs) = (grant(&mut one).await, grant(&mut two).await);
        let first = acquire(&mut one, ours).await;
        let waiting = tokio::spawn(async move { acquire(&mut two, theirs).await });
        tokio::time::sleep(A_MOMENT).await;
        assert!(!waiting.is_finished());
        assert_eq!(ask(&mut one, LockOp::release(ours).into()).await, Outcome::Ok(Response::Etcd(LockResponse::Done)));
        assert!(waiting.await.unwrap() > first);
        assert_eq!(
            ask(&mut one, LockOp::Revoke(ours.lease).into()).await,
            Outcome::Ok(Response::Etcd(LockResponse::Done))
        );

        let probed = backend.probe().await.unwrap();
        assert!(probed.version.contains("embedded") && probed.granted_ttl_s == 10, "{probed:?}");
    }

    #[tokio::test]
    async fn a_lease_that_is_gone_is_a_certain_failure() {
        let server = start(EmbeddedOptions::default());
        let backend = backend(&server, PATIENCE);
        let (mut one, mut two) = (backend.connect().await.unwrap(), backend.connect().await.unwrap());
        let expired = Outcome::Failed(Failure::LeaseExpired);
        let unknown = LockKey { account: ACCOUNT, lease: LeaseId(99) };
        assert_eq!(ask(&mut one, LockOp::acquire(unknown).into()).await, expired);
        assert_eq!(ask(&mut one, LockOp::Revoke(unknown.lease).into()).await, expired);
        assert_eq!(
            ask(&mut one, LockOp::release(unknown).into()).await,
            Outcome::Ok(Response::Etcd(LockResponse::Done))
        );

        let (ours, theirs) = (grant(&mut one).await, grant(&mut one).await);
        acquire(&mut one, ours).await;
        let waiting = tokio::spawn(async move { ask(&mut two, LockOp::acquire(theirs).into()).await });
        tokio::time::sleep(A_MOMENT).await;
        ask(&mut one, LockOp::Revoke(theirs.lease).into()).await;
        ask(&mut one, LockOp::release(ours).into()).await;
        assert_eq!(waiting.await.unwrap(), expired);
    }

    #[tokio::test]
    async fn without_an_answer_in_time_the_outcome_is_unknown() {
        let server = start(EmbeddedOptions::default());
        let backend = backend(&server, A_MOMENT);
        let mut session = backend.connect().await.unwrap();
        let (ours, theirs) = (grant(&mut session).await, grant(&mut session).await);
        acquire(&mut session, ours).await;
        assert_eq!(ask(&mut session, LockOp::acquire(theirs).into()).await, Outcome::Unknown);
    }

    #[tokio::test]
    async fn a_server_that_goes_cuts_the_call_under_way_and_the_next_one_finds_nobody() {
        let server = start(EmbeddedOptions::default());
        let backend = backend(&server, PATIENCE);
        let (mut one, mut two) = (backend.connect().await.unwrap(), backend.connect().await.unwrap());
        let (ours, theirs) = (grant(&mut one).await, grant(&mut one).await);
        acquire(&mut one, ours).await;
        let waiting = tokio::spawn(async move { ask(&mut two, LockOp::acquire(theirs).into()).await });
        tokio::time::sleep(A_MOMENT).await;
        drop(server);
        assert_eq!(waiting.await.unwrap(), Outcome::Unknown);
        assert_eq!(ask(&mut one, LockOp::GrantLease.into()).await, Outcome::Failed(Failure::Unavailable));
        let mut late = backend.connect().await.unwrap();
        assert_eq!(ask(&mut late, LockOp::GrantLease.into()).await, Outcome::Failed(Failure::Unavailable));
        assert!(backend.probe().await.unwrap_err().to_string().contains("check that etcd runs there"));
    }
}
