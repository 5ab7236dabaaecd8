//! Operations and responses from the short lines that they are printed as.

use std::num::NonZeroI64;

use super::{Op, OpKind, Response, Sql, lasting};
use crate::terms::{AccountId, Answer, Effect, Isolation, LeaseId, LockKey, MessageId, Request, Token};

impl Op {
    /// An operation from what its `Display` prints. The delivered request gives what the text leaves out; what the text has may
    /// differ from it, since a strategy may ask for something else.
    #[must_use]
    pub fn parse(text: &str, delivered: &Request) -> Option<Op> {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let answer = || Some(Answer(rest.rsplit_once("= ")?.1.parse().ok()?));
        let token = || Some(Token(rest.rsplit_once("token ")?.1.parse::<NonZeroI64>().ok()?));
        let id = || parse_id(rest.split(' ').next()?);
        let request = || parse_request(rest, delivered);
        Some(match OpKind::from_name(kind)? {
            OpKind::Begin => Op::Begin(parse_isolation(rest)?),
            OpKind::Commit => Op::Commit,
            OpKind::Rollback => Op::Rollback,
            OpKind::ReadMark => Op::ReadMark(id()?),
            OpKind::WriteMark => Op::WriteMark(id()?, answer()?),
            OpKind::Claim => Op::Claim(id()?),
            OpKind::StoreAnswer => Op::StoreAnswer(id()?, answer()?),
            OpKind::ReadAnswer => Op::ReadAnswer(id()?),
            OpKind::Apply if rest.contains("token") => Op::Apply(request()?, Some(token()?)),
            OpKind::Apply => Op::Apply(request()?, None),
            OpKind::ApplyUnderLease => Op::ApplyUnderLease(request()?, parse_lease(rest.rsplit_once("lease ")?.1)?),
            OpKind::ClaimAndApply => Op::ClaimAndApply(request()?),
            OpKind::Sql => Op::Sql(parse_sql(rest, &Request { id: id()?, ..*delivered })?),
            OpKind::ReadBalance => Op::ReadBalance(AccountId(rest.parse().ok()?)),
            OpKind::Overwrite => Op::Overwrite(request()?, answer()?),
            OpKind::CheckToken => Op::CheckToken(AccountId(rest.split_once(' ')?.0.parse().ok()?), token()?),
            OpKind::GrantLease => Op::GrantLease,
            OpKind::Acquire => Op::Acquire(parse_lock(rest)?),
            OpKind::Release => Op::Release(parse_lock(rest)?),
            OpKind::Revoke => Op::Revoke(parse_lease(rest)?),
        })
    }
}

impl Response {
    /// A response from what its `Display` prints. The kind of its operation tells apart what prints alike.
    #[must_use]
    pub fn parse(text: &str, kind: OpKind) -> Option<Response> {
        Some(match text.split_once(' ') {
            None => match (text, kind) {
                ("done", _) => Response::Done,
                ("nothing", _) => Response::Found(None),
                ("fresh", _) => Response::Claimed(true),
                ("taken", OpKind::Claim) => Response::Claimed(false),
                ("taken", _) => Response::Applied(None),
                _ => return None,
            },
            Some(("found", answer)) => Response::Found(Some(Answer(answer.parse().ok()?))),
            Some(("applied", answer)) => Response::Applied(Some(Answer(answer.parse().ok()?))),
            Some(("lease", lease)) => Response::Granted(parse_lease(lease)?),
            Some(("held", token)) => Response::Held(Token(token.parse().ok()?)),
            _ => return None,
        })
    }
}

fn parse_id(text: &str) -> Option<MessageId> {
    text.strip_prefix('m')?.parse().ok().map(MessageId)
}

/// What an operation asks for, e.g. `m7 +10 to 3`.
fn parse_request(text: &str, delivered: &Request) -> Option<Request> {
    let mut words = text.split(' ');
    let id = parse_id(words.next()?)?;
    let amount = words.next()?.parse().ok()?;
    let account = AccountId(words.nth(1)?.parse().ok()?);
    Some(Request { id, effect: Effect { account, amount }, ..*delivered })
}

fn parse_sql(text: &str, request: &Request) -> Option<Sql> {
    let (head, statement) = text.split_once(": ")?;
    Some(Sql::new(lasting(statement), request, head.rsplit_once("with ")?.1.parse().ok()?))
}

fn parse_isolation(text: &str) -> Option<Isolation> {
    let all = [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];
    all.into_iter().find(|isolation| isolation.to_string() == text)
}

fn parse_lock(text: &str) -> Option<LockKey> {
    let (account, lease) = text.split_once('/')?;
    Some(LockKey { account: AccountId(account.parse().ok()?), lease: parse_lease(lease)? })
}

fn parse_lease(text: &str) -> Option<LeaseId> {
    i64::from_str_radix(text, 16).ok().map(LeaseId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::ClientId;

    #[test]
    fn every_operation_and_response_reads_back_as_it_was_written() {
        let effect = Effect { account: AccountId(3), amount: -7 };
        let request = Request { id: MessageId(9), client: ClientId(1), sequence: 2, effect };
        let token = Token(NonZeroI64::new(42).expect("not zero"));
        let key = LockKey { account: AccountId(3), lease: LeaseId(0x7f3) };
        let answer = Answer(-12);
        let cases = [
            (Op::Begin(Isolation::ReadCommitted), Response::Done),
            (Op::Begin(Isolation::RepeatableRead), Response::Done),
            (Op::Begin(Isolation::Serializable), Response::Done),
            (Op::Commit, Response::Done),
            (Op::Rollback, Response::Done),
            (Op::ReadMark(request.id), Response::Found(None)),
            (Op::WriteMark(request.id, answer), Response::Done),
            (Op::Claim(request.id), Response::Claimed(true)),
            (Op::Claim(request.id), Response::Claimed(false)),
            (Op::StoreAnswer(request.id, answer), Response::Done),
            (Op::ReadAnswer(request.id), Response::Found(Some(answer))),
            (Op::Apply(request, None), Response::Applied(Some(answer))),
            (Op::Apply(request, Some(token)), Response::Applied(Some(answer))),
            (Op::ApplyUnderLease(request, key.lease), Response::Applied(Some(answer))),
            (Op::ClaimAndApply(request), Response::Applied(None)),
            (Op::Sql(Sql::new("SELECT 'a: b' WHERE $4 > 0", &request, -5)), Response::Found(Some(answer))),
            (Op::ReadBalance(request.effect.account), Response::Found(Some(Answer(-4)))),
            (Op::Overwrite(request, Answer(-4)), Response::Applied(Some(Answer(3)))),
            (Op::CheckToken(AccountId(3), token), Response::Done),
            (Op::GrantLease, Response::Granted(key.lease)),
            (Op::Acquire(key), Response::Held(token)),
            (Op::Release(key), Response::Done),
            (Op::Revoke(key.lease), Response::Done),
        ];
        for kind in OpKind::ALL {
            assert!(cases.iter().any(|(op, _)| op.kind() == kind), "{kind:?} is not among the cases");
        }
        for (op, response) in cases {
            assert_eq!(Op::parse(&op.to_string(), &request), Some(op), "{op}");
            assert_eq!(Response::parse(&response.to_string(), op.kind()), Some(response), "{op}: {response}");
        }
    }

    #[test]
    fn an_operation_about_something_that_was_not_asked_for_reads_back_as_it_was_written() {
        let effect = Effect { account: AccountId(3), amount: -7 };
        let asked = Request { id: MessageId(9), client: ClientId(1), sequence: 2, effect };
        let other = Request { id: MessageId(4_000), effect: Effect { account: AccountId(77), amount: 0 }, ..asked };
        let answer = Answer(-12);
        let about_another = Sql::new("SELECT $1", &Request { id: other.id, ..asked }, 5);
        let token = Token(NonZeroI64::new(42).expect("not zero"));
        let cases = [
            Op::ReadMark(other.id),
            Op::WriteMark(other.id, answer),
            Op::Claim(other.id),
            Op::StoreAnswer(other.id, answer),
            Op::ReadAnswer(other.id),
            Op::Apply(other, None),
            Op::Apply(other, Some(token)),
            Op::ApplyUnderLease(other, LeaseId(0x7f3)),
            Op::ClaimAndApply(other),
            Op::Overwrite(other, answer),
            Op::Sql(about_another),
        ];
        for op in cases {
            assert_eq!(Op::parse(&op.to_string(), &asked), Some(op), "{op}");
        }
    }
}
