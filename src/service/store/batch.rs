//! Several operations at once, for stores that have no one statement for them: a transaction.

use crate::service::store::{StoreOp, StoreOutcome, TwoAnswers};
use crate::service::{AnyOp, BackendError, Connection, Outcome, Response};
use crate::terms::{Delivery, Isolation};

/// Carries out several operations in a transaction of their own, together or not at all. One alone needs none.
///
/// # Errors
/// As [`Connection::execute`].
pub(super) async fn in_a_transaction(
    on: &mut dyn Connection,
    ops: Vec<(AnyOp, Delivery)>,
) -> Result<Vec<Outcome>, BackendError> {
    if let [(op, by)] = ops.as_slice() {
        return Ok(vec![on.execute(*op, *by).await?]);
    }
    let Some((_, first)) = ops.first().copied() else { return Ok(Vec::new()) };
    let all = |outcome: Outcome| vec![outcome; ops.len()];
    let begun = on.execute(StoreOp::begin(Isolation::ReadCommitted).into(), first).await?;
    if !matches!(begun, Outcome::Ok(_)) {
        return Ok(all(begun));
    }
    let mut outcomes = Vec::with_capacity(ops.len());
    for (op, by) in &ops {
        match on.execute(*op, *by).await? {
            Outcome::Unknown => return Ok(all(Outcome::Unknown)),
            failed @ Outcome::Failed(_) => {
                let undone = on.execute(StoreOp::rollback().into(), *by).await?;
                return Ok(all(if undone == Outcome::Unknown { undone } else { failed }));
            }
            done @ Outcome::Ok(_) => outcomes.push(done),
        }
    }
    match on.execute(StoreOp::commit().into(), first).await? {
        Outcome::Ok(_) => Ok(outcomes),
        other @ (Outcome::Failed(_) | Outcome::Unknown) => Ok(all(other)),
    }
}

/// Carries out an operation that does the work of two, as two.
///
/// # Errors
/// As [`Connection::execute`].
pub(super) async fn both(on: &mut dyn Connection, parts: [AnyOp; 2], by: Delivery) -> Result<Outcome, BackendError> {
    let outcomes = on.execute_all(parts.map(|part| (part, by)).to_vec()).await?;
    let of_store = |outcome: Outcome| match outcome {
        Outcome::Ok(Response::Store(response)) => StoreOutcome::Ok(response),
        Outcome::Ok(other) => unreachable!("a store does not answer `{other}`"),
        Outcome::Failed(failure) => StoreOutcome::Failed(failure),
        Outcome::Unknown => StoreOutcome::Unknown,
    };
    let [first, second] = <[Outcome; 2]>::try_from(outcomes).expect("one for each part").map(of_store);
    Ok(TwoAnswers::together([first, second]).map(Into::into))
}
