//! What Redis answers.

use std::fmt;

use super::op::RedisOp;
use crate::service::contract::{Given, Returned, another, asker_of, lane_name};
use crate::service::{HasIds, Ids};
use crate::terms::{Answer, Failure, LeaseId, OutcomeOf, Token, Trouble};

/// What an operation of Redis comes to.
pub type RedisOutcome = OutcomeOf<RedisResponse>;

/// What came back from an operation of Redis that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedisResponse {
    /// It was done; there is nothing to tell.
    Done,
    /// The lock is held, under this value.
    Locked(LeaseId),
    /// The lock is held, under this value, and this is its number.
    Counted(LeaseId, Token),
    /// The number that the lock's counter has now.
    Number(Token),
    /// Somebody else has the key.
    Refused,
    /// Whether the value is the one that was asked about.
    Compared(bool),
    /// The key was set.
    Set,
    /// The key is not there.
    Nothing,
    /// Somebody has set the id, and has no answer yet.
    Claimed,
    /// The answer to the id.
    Found(Answer),
    /// The effect was applied, with this answer.
    Applied(Answer),
}

const _: () = assert!(size_of::<RedisResponse>() == 24);

/// What stands under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdState {
    Nothing,
    Claimed,
    Answered(Answer),
}

impl Returned for RedisResponse {
    type Op = RedisOp;

    fn parse(text: &str, _: &str) -> Option<Self> {
        let lease = |text: &str| i64::from_str_radix(text, 16).ok().map(LeaseId);
        let answer = |text: &str| text.parse().ok().map(Answer);
        Some(match text.split_once(' ') {
            None => match text {
                "done" => RedisResponse::Done,
                "refused" => RedisResponse::Refused,
                "same" => RedisResponse::Compared(true),
                "other" => RedisResponse::Compared(false),
                "set" => RedisResponse::Set,
                "nothing" => RedisResponse::Nothing,
                "claimed" => RedisResponse::Claimed,
                _ => return None,
            },
            Some(("locked", rest)) => match rest.split_once(' ') {
                None => RedisResponse::Locked(lease(rest)?),
                Some((value, number)) => RedisResponse::Counted(lease(value)?, Token(number.parse().ok()?)),
            },
            Some(("number", rest)) => RedisResponse::Number(Token(rest.parse().ok()?)),
            Some(("found", rest)) => RedisResponse::Found(answer(rest)?),
            Some(("applied", rest)) => RedisResponse::Applied(answer(rest)?),
            Some(_) => return None,
        })
    }

    fn in_words(self, of: RedisOp) -> String {
        let name = |lease: LeaseId| {
            let (lane, attempt, _) = asker_of(lease.0);
            format!("{}{}", lane_name(lane), attempt + 1)
        };
        match self {
            RedisResponse::Set if matches!(of, RedisOp::WaitForReplica(_)) => "a replica has it".to_owned(),
            RedisResponse::Refused if matches!(of, RedisOp::WaitForReplica(_)) => "no replica has it".to_owned(),
            RedisResponse::Done => "done".to_owned(),
            RedisResponse::Locked(value) => format!("held by {}", name(value)),
            RedisResponse::Counted(value, number) => format!("held by {}, number {}", name(value), number.0),
            RedisResponse::Number(number) => format!("number {}", number.0),
            RedisResponse::Refused => "somebody has it".to_owned(),
            RedisResponse::Compared(true) => "it is mine".to_owned(),
            RedisResponse::Compared(false) => "it is not mine".to_owned(),
            RedisResponse::Set => "set".to_owned(),
            RedisResponse::Nothing => "nothing there".to_owned(),
            RedisResponse::Claimed => "claimed".to_owned(),
            RedisResponse::Found(answer) => format!("there: {}", answer.0),
            RedisResponse::Applied(answer) => format!("balance {}", answer.0),
        }
    }

    fn changes_nothing(self) -> bool {
        match self {
            RedisResponse::Refused | RedisResponse::Found(_) => true,
            RedisResponse::Done
            | RedisResponse::Locked(_)
            | RedisResponse::Counted(..)
            | RedisResponse::Number(_)
            | RedisResponse::Compared(_)
            | RedisResponse::Set
            | RedisResponse::Nothing
            | RedisResponse::Claimed
            | RedisResponse::Applied(_) => false,
        }
    }

    fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (RedisResponse::Compared(one), RedisResponse::Compared(other)) => one == other,
            _ => std::mem::discriminant(&self) == std::mem::discriminant(&other),
        }
    }
}

impl HasIds for RedisResponse {
    #[inline]
    fn has_ids(&self) -> bool {
        matches!(self, RedisResponse::Locked(_) | RedisResponse::Counted(..) | RedisResponse::Number(_))
    }

    #[inline]
    fn map_ids(self, ids: &mut impl Ids) -> Self {
        match self {
            RedisResponse::Locked(value) => RedisResponse::Locked(value.map_ids(ids)),
            RedisResponse::Counted(value, number) => RedisResponse::Counted(value.map_ids(ids), number.map_ids(ids)),
            RedisResponse::Number(number) => RedisResponse::Number(number.map_ids(ids)),
            other => other,
        }
    }
}

impl fmt::Display for RedisResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RedisResponse::Done => f.write_str("done"),
            RedisResponse::Locked(value) => write!(f, "locked {:x}", value.0),
            RedisResponse::Counted(value, number) => write!(f, "locked {:x} {}", value.0, number.0),
            RedisResponse::Number(number) => write!(f, "number {}", number.0),
            RedisResponse::Refused => f.write_str("refused"),
            RedisResponse::Compared(true) => f.write_str("same"),
            RedisResponse::Compared(false) => f.write_str("other"),
            RedisResponse::Set => f.write_str("set"),
            RedisResponse::Nothing => f.write_str("nothing"),
            RedisResponse::Claimed => f.write_str("claimed"),
            RedisResponse::Found(answer) => write!(f, "found {}", answer.0),
            RedisResponse::Applied(answer) => write!(f, "applied {}", answer.0),
        }
    }
}

macro_rules! given {
    ($($type:ty: $($response:pat => $value:expr),+;)*) => {$(
        impl Given<RedisResponse> for $type {
            #[inline]
            fn of(response: &RedisResponse) -> Result<Self, Trouble> {
                match *response {
                    $($response => $value,)+
                    other => another(other),
                }
            }
        }
    )*};
}
given! {
    (): RedisResponse::Done => Ok(());
    Option<LeaseId>:
        RedisResponse::Locked(value) => Ok(Some(value)),
        RedisResponse::Refused => Ok(None);
    Option<(LeaseId, Token)>:
        RedisResponse::Counted(value, number) => Ok(Some((value, number))),
        RedisResponse::Refused => Ok(None);
    Token: RedisResponse::Number(number) => Ok(number);
    bool:
        RedisResponse::Compared(same) => Ok(same),
        RedisResponse::Set | RedisResponse::Locked(_) => Ok(true),
        RedisResponse::Refused => Ok(false);
    IdState:
        RedisResponse::Nothing => Ok(IdState::Nothing),
        RedisResponse::Claimed => Ok(IdState::Claimed),
        RedisResponse::Found(answer) => Ok(IdState::Answered(answer));
    Answer:
        RedisResponse::Applied(answer) | RedisResponse::Found(answer) => Ok(answer),
        RedisResponse::Claimed => Err(Trouble::Failed(Failure::Busy));
}
