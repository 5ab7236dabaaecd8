//! What each operation comes to on SQLite: statements, their parameters, and what the first row says.

use super::statements::{self, Statements};
use crate::service::{Op, Outcome, Response};
use crate::terms::{Answer, Delivery, Failure, Request, Token};

/// RunsAs an operation is carried out.
pub(super) struct StatementPlan {
    pub how: RunsAs,
    /// In the order in which they stand in the statements.
    pub values: Vec<Option<i64>>,
    answers: Answers,
}

/// The statements of an operation.
#[derive(Clone, Copy)]
pub(super) enum RunsAs {
    Read(&'static str),
    Write(Statements),
    /// A statement of the strategy's own, with parameters that have numbers.
    Own(&'static str),
}

/// What the first row means.
#[derive(Clone, Copy)]
enum Answers {
    Done,
    DoneOrStale,
    Found,
    Claimed,
    Applied,
    AppliedOrStale,
    AppliedOrOther,
}

impl StatementPlan {
    /// The plan for an operation on rows. `compares_tokens` is false where the store has the mistake of not doing so.
    ///
    /// # Panics
    /// If the operation begins or ends a transaction, or belongs to the lock service.
    pub(super) fn new(op: Op, by: Delivery, compares_tokens: bool) -> Self {
        let plan = |how, answers, values| StatementPlan { how, values, answers };
        let whole = |number: u32| Some(i64::from(number));
        match op {
            Op::ReadMark(id) => plan(RunsAs::Read(statements::READ_MARK), Answers::Found, vec![whole(id.0)]),
            Op::ReadAnswer(id) => plan(RunsAs::Read(statements::READ_ANSWER), Answers::Found, vec![whole(id.0)]),
            Op::ReadBalance(account) => {
                plan(RunsAs::Read(statements::READ_BALANCE), Answers::Found, vec![whole(account.0)])
            }
            Op::WriteMark(id, answer) => {
                plan(RunsAs::Write(statements::MARK), Answers::Done, vec![whole(id.0), Some(answer.0)])
            }
            Op::StoreAnswer(id, answer) => {
                plan(RunsAs::Write(statements::ANSWER), Answers::Done, vec![whole(id.0), Some(answer.0)])
            }
            Op::Claim(id) => plan(RunsAs::Write(statements::CLAIM), Answers::Claimed, vec![whole(id.0)]),
            Op::CheckToken(account, token) => {
                let fence = if compares_tokens { statements::FENCE } else { statements::FENCE_BLINDLY };
                plan(RunsAs::Write(fence), Answers::DoneOrStale, vec![whole(account.0), Some(token.0.get())])
            }
            Op::Apply(request, None) => {
                let values = change(request.effect.amount.into(), &request, None, by);
                plan(RunsAs::Write(statements::APPLY), Answers::Applied, values)
            }
            Op::Apply(request, Some(token)) => {
                let apply = if compares_tokens { statements::APPLY_FENCED } else { statements::APPLY_FENCED_BLINDLY };
                let mut values = vec![whole(request.effect.account.0), Some(token.0.get())];
                values.extend(change(request.effect.amount.into(), &request, Some(token), by));
                plan(RunsAs::Write(apply), Answers::AppliedOrStale, values)
            }
            Op::ApplyUnderLease(request, lease) => {
                let mut values = vec![whole(request.effect.account.0), Some(lease.0)];
                values.extend(change(request.effect.amount.into(), &request, None, by));
                plan(RunsAs::Write(statements::APPLY_UNDER_LEASE), Answers::AppliedOrOther, values)
            }
            Op::Overwrite(request, base) => {
                let after = base.0.saturating_add(request.effect.amount.into());
                plan(RunsAs::Write(statements::OVERWRITE), Answers::Applied, change(after, &request, None, by))
            }
            Op::ClaimAndApply(request) => {
                let mut values = vec![whole(request.id.0)];
                values.extend(change(request.effect.amount.into(), &request, None, by));
                values.extend([whole(request.id.0), whole(request.effect.account.0)]);
                plan(RunsAs::Write(statements::CLAIM_AND_APPLY), Answers::Applied, values)
            }
            Op::Sql(sql) => plan(RunsAs::Own(sql.text()), Answers::Found, sql.values().into_iter().map(Some).collect()),
            Op::Begin(_) | Op::Commit | Op::Rollback => unreachable!("`{op}` is no statement on rows"),
            Op::GrantLease | Op::Acquire(_) | Op::Release(_) | Op::Revoke(_) => panic!("`{op}` was sent to a store"),
        }
    }

    /// The outcome, by the first column of the first row that came back.
    pub(super) fn outcome(&self, row: Option<Option<i64>>) -> Outcome {
        let value = row.flatten().map(Answer);
        let response = match (self.answers, row) {
            (Answers::DoneOrStale | Answers::AppliedOrStale, None) => return Outcome::Failed(Failure::StaleToken),
            (Answers::AppliedOrOther, None) => return Outcome::Failed(Failure::OtherLease),
            (Answers::Done | Answers::DoneOrStale, _) => Response::Done,
            (Answers::Found, _) => Response::Found(value),
            (Answers::Claimed, row) => Response::Claimed(row.is_some()),
            (Answers::Applied | Answers::AppliedOrStale | Answers::AppliedOrOther, _) => Response::Applied(value),
        };
        Outcome::Ok(response)
    }
}

/// What a change of the balance takes, with what it is changed by or to.
fn change(change: i64, request: &Request, token: Option<Token>, by: Delivery) -> Vec<Option<i64>> {
    let account = Some(i64::from(request.effect.account.0));
    vec![
        Some(change),
        account,
        Some(request.id.0.into()),
        Some(request.effect.amount.into()),
        token.map(|token| token.0.get()),
        Some(by.attempt.into()),
        Some(by.copy.into()),
        account,
    ]
}
