//! The words that a strategy has for Redis.

use super::RedisService;
use super::op::RedisOp;
use super::response::{IdState, RedisResponse};
use super::vote::{Master, Vote};
use crate::service::contract::{Asked, Carries};
use crate::terms::{AccountId, Answer, LeaseId, MessageId, Request, Role, Token};

/// Redis, as a strategy asks it.
pub struct RedisClient<'w, C> {
    pub(super) carrier: &'w mut C,
    pub(super) role: Role,
}

/// Declares a method that makes one operation and gives one kind of response.
macro_rules! operation {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $gives:ty, $op:expr) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Trouble::Failed`](crate::terms::Trouble::Failed) if it was certainly not done,
        /// [`Trouble::Unknown`](crate::terms::Trouble::Unknown) if nobody can tell.
        #[inline]
        pub fn $name(self, $($arg: $type),*) -> Asked<C::Call, RedisResponse, $gives> {
            Asked::by(self.carrier.carry(self.role, $op))
        }
    };
}

impl<'w, C: Carries<'w, RedisService>> RedisClient<'w, C> {
    operation! {
        /// `SET lock NX PX`: the value under which the lock on an account is held now, for as long as the experiment's leases live;
        /// nothing if somebody has it. Each acquisition has a value of its own.
        set_lock(account: AccountId) -> Option<LeaseId>, RedisOp::SetLock(account)
    }
    operation! {
        /// The same, with a number that grows from one holder to the next: the counter is raised in the same script.
        set_lock_and_count(account: AccountId) -> Option<(LeaseId, Token)>, RedisOp::SetLockAndCount(account)
    }
    operation! {
        /// `INCR`: the number that the lock's counter has now, whoever has the lock by now.
        count_lock(account: AccountId) -> Token, RedisOp::CountLock(account)
    }
    operation! {
        /// Deletes the lock's key if it has this value, in one script.
        delete_own_lock(account: AccountId, value: LeaseId) -> (), RedisOp::DeleteOwnLock(account, value)
    }
    operation! {
        /// Whether the lock's key has this value.
        compare_lock(account: AccountId, value: LeaseId) -> bool, RedisOp::CompareLock(account, value)
    }
    operation! {
        /// Deletes the lock's key, whatever its value.
        delete_lock(account: AccountId) -> (), RedisOp::DeleteLock(account)
    }
    operation! {
        /// `SET K NX PX`: whether the id was not there. It is there for as long as the experiment's leases live.
        set_once(id: MessageId) -> bool, RedisOp::SetOnce(id)
    }
    operation! {
        /// Sets the id to an answer, for as long again.
        set_answer(id: MessageId, answer: Answer) -> (), RedisOp::SetAnswer(id, answer)
    }
    operation! {
        /// What stands under the id.
        get_state(id: MessageId) -> IdState, RedisOp::GetState(id)
    }
    operation! {
        /// In one script: the effect and the id with its answer, if the id is not there; else the answer that stands there.
        apply_once(request: &Request) -> Answer, RedisOp::apply_once(request)
    }
    operation! {
        /// `SET lock NX PX` at one of three masters, under the name of the delivery: whether it says yes. With the yes that makes a
        /// majority the delivery holds the lock, if the client's clock says that the keys still live.
        set_vote(request: &Request, at: Master, before: u8) -> bool, RedisOp::SetVote(vote(request, at, before))
    }
    operation! {
        /// Deletes the lock's key at one of three masters if it has the name of the delivery, in one script.
        delete_vote(request: &Request, at: Master) -> (), RedisOp::DeleteVote(vote(request, at, 0))
    }
    operation! {
        /// A master comes back from a crash without its keys.
        forget_keys(at: Master) -> (), RedisOp::ForgetKeys(at)
    }
    operation! {
        /// `SET lock NX PX`, as [`set_lock`](RedisClient::set_lock), for whoever holds the lock only when a replica has the key.
        ask_lock(account: AccountId) -> Option<LeaseId>, RedisOp::AskLock(account)
    }
    operation! {
        /// `WAIT 1`: whether a replica has the key of the lock that was asked for. With it the delivery holds the lock.
        wait_for_replica(account: AccountId) -> bool, RedisOp::WaitForReplica(account)
    }
    operation! {
        /// The link from the first master to its replica breaks: what is written from now on does not reach the replica.
        cut_link() -> (), RedisOp::CutLink
    }
    operation! {
        /// The replica becomes the master that everybody asks, with what had reached it.
        promote() -> (), RedisOp::Promote
    }
    operation! {
        /// The clock of a master jumps ahead: what lives for a time there has run out.
        jump_ahead(at: Master) -> (), RedisOp::JumpAhead(at)
    }
    operation! {
        /// The effect, as often as it is asked for.
        apply_always(request: &Request) -> Answer, RedisOp::apply_always(request)
    }
}

const fn vote(request: &Request, at: Master, before: u8) -> Vote {
    Vote { account: request.effect.account, message: request.id, at, before }
}
