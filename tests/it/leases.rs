//! An effect under a lease: SQLite, PostgreSQL and the model of each answer alike.

use oncelab::service::modelled::{Asker, Model as _};
use oncelab::service::store::model as store;
use oncelab::service::store::{StoreOp, StoreResponse};
use oncelab::service::{PostgresStore, SqliteStore, Store};
use oncelab::terms::{Answer, Delivery, Failure, Isolation, LeaseId, Profile, Role, Session};
use oncelab::world::{Op, Outcome, Response};

use crate::backends::{DONE, block_on, on_postgres, request, run};

const OTHER_LEASE: Outcome = Outcome::Failed(Failure::OtherLease);

fn applied(balance: i64) -> Outcome {
    Outcome::Ok(Response::Store(StoreResponse::Applied(Some(Answer(balance)))))
}

fn under(n: u32, lease: i64) -> Op {
    StoreOp::apply_under_lease(&request(n), LeaseId(lease)).into()
}

/// Operations of two connections, one after the other, with what comes back.
fn script() -> [(u8, Op, Outcome); 12] {
    let begin = StoreOp::begin(Isolation::ReadCommitted).into();
    [
        (0, begin, DONE),
        (0, under(0, 7), applied(10)),
        (0, under(1, 8), OTHER_LEASE),
        (0, StoreOp::rollback().into(), DONE),
        // What was rolled back was never seen: now 6 is the first.
        (1, under(1, 6), applied(10)),
        (0, under(0, 7), OTHER_LEASE),
        (0, under(2, 5), OTHER_LEASE),
        (0, under(2, 6), applied(20)),
        (1, begin, DONE),
        (1, under(3, 6), applied(30)),
        (1, StoreOp::commit().into(), DONE),
        (0, under(4, i64::MAX), OTHER_LEASE),
    ]
}

async fn agrees_with(real: &dyn Store, profile: Profile) {
    real.reset(1).await.unwrap();
    let mut sessions = [real.connect().await.unwrap(), real.connect().await.unwrap()];
    let (mut model, mut ledger) = (store::Tables::new(profile, 1), Vec::new());
    for (n, (session, op, expected)) in script().into_iter().enumerate() {
        let asker = Asker { by: Delivery::FIRST, role: Role::LOCK, id: 0 };
        let own = StoreOp::try_from(op.of).unwrap();
        let modelled = model.call(Session(session), &own, &asker, &mut ledger).map(|outcome| outcome.map(Into::into));
        assert_eq!(modelled, Ok(expected), "the model of {profile:?}, step {n}: {op}");
        assert_eq!(run(&mut sessions[usize::from(session)], op).await, expected, "{profile:?}, step {n}: {op}");
    }
    let outline = |entries: &[oncelab::terms::Entry]| {
        entries.iter().map(|entry| (entry.message, entry.balance, entry.token)).collect::<Vec<_>>()
    };
    assert_eq!(outline(&real.ledger().await.unwrap()), outline(&ledger));
    assert_eq!(ledger.len(), 3, "messages 1, 2 and 3");
}

#[test]
fn sqlite_and_its_model_agree_on_effects_under_leases() {
    block_on(async { agrees_with(&SqliteStore::new().unwrap(), Profile::Sqlite).await });
}

#[test]
fn postgres_and_its_model_agree_on_effects_under_leases() {
    on_postgres(|url| async move {
        let store = PostgresStore::connect(&url).await.unwrap();
        agrees_with(&store, Profile::Postgres).await;
        store.remove().await.unwrap();
    });
}
