//! Several operations at once, for stores that have no one statement for them: a transaction.

use crate::service::store::StoreOp;
use crate::service::{AnyOp, BackendError, Connection, Outcome};
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
