//! Claim and effect for many messages in one statement and one commit.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;
use sqlx::{Executor, Row};

use crate::service::store::{StoreOp, StoreOutcome, StoreResponse};
use crate::terms::{Answer, Delivery};

/// Messages, accounts, amounts, attempts, copies: a row for each message that is new, with the balance after its effect.
///
/// Accounts are locked in the order of their ids before anything is written, and messages are written in the order of theirs. So two
/// batches never wait for each other both. Several effects on one account chain in the order of the messages: an account is written
/// once, with their sum.
pub(super) const CLAIM_AND_APPLY_ALL: &str = "\
WITH asked AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::smallint[], $5::smallint[])
    AS asked (message, account, amount, attempt, copy)),
held AS MATERIALIZED (
  SELECT id, balance FROM account WHERE id = ANY ($2::bigint[]) ORDER BY id FOR UPDATE),
fresh AS (
  INSERT INTO claim (message)
  SELECT message FROM asked JOIN held ON held.id = asked.account ORDER BY message
  ON CONFLICT DO NOTHING RETURNING message),
effect AS (
  SELECT message, account, amount, attempt, copy,
    held.balance + sum(amount) OVER (PARTITION BY account ORDER BY message) AS balance
  FROM asked JOIN fresh USING (message) JOIN held ON held.id = asked.account),
changed AS (
  UPDATE account SET balance = account.balance + added.amount
  FROM (SELECT account, sum(amount) AS amount FROM effect GROUP BY account) AS added
  WHERE id = added.account),
answered AS (
  INSERT INTO answer (message, answer) SELECT message, balance FROM effect)
INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
SELECT message, account, amount, balance, NULL, attempt, copy FROM effect ORDER BY message
RETURNING message, balance";

/// Carries it out.
pub(super) async fn claim_and_apply_all(
    connection: &mut PgConnection,
    ops: &[(StoreOp, Delivery)],
) -> Result<Vec<StoreOutcome>, sqlx::Error> {
    let [mut messages, mut accounts] = [const { Vec::new() }; 2];
    let (mut amounts, mut attempts, mut copies) = (Vec::new(), Vec::new(), Vec::new());
    for (op, by) in ops {
        messages.push(i64::from(op.message().0));
        accounts.push(i64::from(op.effect().account.0));
        amounts.push(op.effect().amount);
        attempts.push(i16::from(by.attempt));
        copies.push(i16::from(by.copy));
    }
    let query =
        sqlx::query(CLAIM_AND_APPLY_ALL).bind(messages).bind(accounts).bind(amounts).bind(attempts).bind(copies);
    let rows = connection.fetch_all(query).await?;
    let row = |row: &sqlx::postgres::PgRow| Ok((row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?));
    let balances: BTreeMap<i64, i64> = rows.iter().map(row).collect::<Result<_, sqlx::Error>>()?;
    let answer = |op: &StoreOp| balances.get(&op.message().0.into()).copied().map(Answer);
    Ok(ops.iter().map(|(op, _)| StoreOutcome::Ok(StoreResponse::Applied(answer(op)))).collect())
}
