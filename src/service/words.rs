//! Operations and responses in the words of a story.

use super::contract::{asker_of, lane_name};
use super::{Op, Response};
use crate::terms::{Isolation, LeaseId, MessageId};

impl Op {
    /// An operation in the notation of the strategies' steps. `several` says whether there are several requests to be told apart.
    #[must_use]
    pub fn in_words(self, several: bool) -> String {
        let number = |id: MessageId| if several { (id.0 + 1).to_string() } else { String::new() };
        match self {
            Op::Begin(Isolation::ReadCommitted) => "begin".to_owned(),
            Op::Begin(isolation) => format!("begin {isolation}"),
            Op::Commit => "commit".to_owned(),
            Op::Rollback => "roll back".to_owned(),
            Op::ReadMark(id) => format!("read K{}", number(id)),
            Op::WriteMark(id, _) => format!("write K{}", number(id)),
            Op::Claim(id) => format!("claim K{}", number(id)),
            Op::StoreAnswer(id, _) => format!("store R{}", number(id)),
            Op::ReadAnswer(id) => format!("read R{}", number(id)),
            Op::Apply(request, None) => format!("apply X{}", number(request.id)),
            Op::Apply(request, Some(token)) => format!("apply X{} with token {}", number(request.id), token.0),
            Op::ApplyUnderLease(request, lease) => format!("apply X{} under {}", number(request.id), lease_name(lease)),
            Op::ClaimAndApply(request) => format!("claim K{0} and apply X{0}", number(request.id)),
            Op::Sql(sql) => shortened(sql.text()),
            Op::ReadBalance(_) => "read the balance".to_owned(),
            Op::Overwrite(request, base) => format!("apply X{} over {}", number(request.id), base.0),
            Op::CheckToken(_, token) => format!("check token {}", token.0),
            Op::GrantLease => "ask for a lease".to_owned(),
            Op::Acquire(_) => "acquire".to_owned(),
            Op::Release(_) => "release".to_owned(),
            Op::Revoke(_) => "revoke the lease".to_owned(),
        }
    }
}

impl Response {
    /// A response to an operation, in the notation of the strategies' steps.
    #[must_use]
    pub fn in_words(self, op: Op) -> String {
        match (op, self) {
            (_, Response::Done) => "done".to_owned(),
            (_, Response::Found(None)) => "nothing there".to_owned(),
            (Op::ReadBalance(_), Response::Found(Some(balance))) => format!("{}", balance.0),
            (_, Response::Found(Some(answer))) => format!("there: {}", answer.0),
            (_, Response::Claimed(true)) => "fresh".to_owned(),
            (_, Response::Claimed(false) | Response::Applied(None)) => "taken".to_owned(),
            (_, Response::Applied(Some(balance))) => format!("balance {}", balance.0),
            (_, Response::Granted(lease)) => lease_name(lease),
            (_, Response::Held(token)) => format!("held, token {}", token.0),
        }
    }
}

/// A statement on a part of a line.
fn shortened(statement: &str) -> String {
    let flat = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", flat[..at].trim_end()),
        None => flat,
    }
}

/// A lease by the lane and the attempt that asked for it, e.g. `lease a1`.
fn lease_name(lease: LeaseId) -> String {
    let (lane, attempt, _) = asker_of(lease.0);
    format!("lease {}{}", lane_name(lane), attempt + 1)
}
