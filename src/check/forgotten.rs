//! What is gone with a server that was killed and keeps nothing on its disk.

use std::ops::RangeInclusive;

use super::Case;
use crate::history::What;
use crate::terms::{MessageId, Role};
use crate::world::{Acts, Outcome};

/// Whether a server that remembered a message was killed in this time, in nanoseconds since the trial began.
pub(super) fn between(case: &Case<'_>, message: MessageId, times: RangeInclusive<u64>) -> bool {
    case.events_of(message).filter_map(|event| event.what.op()).any(|op| {
        op.acts().any(Acts::TAKES.and(Acts::MARKS)) && case.forgettings(op.role).any(|at_ns| times.contains(&at_ns))
    })
}

/// Whether an effect of a message was done at the service in this role, and is gone with a server that was killed after it.
pub(super) fn is_effect_gone(case: &Case<'_>, role: Role, message: MessageId) -> bool {
    let done_ns = case.events_of(message).filter_map(|event| match event.what {
        What::Called { op, outcome: Some(Outcome::Ok(_)), .. } | What::Landed { op, .. } => {
            (op.role == role && op.acts().may_apply()).then_some(event.at_ns)
        }
        _ => None,
    });
    done_ns.min().is_some_and(|done_ns| case.forgettings(role).any(|forgot_ns| forgot_ns >= done_ns))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{FIRST, RETRY, Story, apply, request};
    use crate::history::What;
    use crate::service::redis::{RedisOp, RedisResponse};
    use crate::service::store::StoreResponse;
    use crate::terms::{Answer, Cause, MessageId, Role, Target, Violation};
    use crate::world::{Op, Response};

    const APPLIED: Response = Response::Store(StoreResponse::Applied(Some(Answer(10))));

    #[test]
    fn what_a_killed_redis_remembered_is_forgotten_and_what_it_held_is_lost() {
        let take = || Op::from(RedisOp::SetOnce(MessageId(0)));
        let twice = |killed_us: u64, tell: &dyn Fn(&mut Story)| {
            let mut story = Story::of(1);
            for (us, by) in [(0, FIRST), (20, RETRY)] {
                story.at(us, 0, by, What::Arrived).done(us + 1, 0, by, take(), Response::Redis(RedisResponse::Set));
                story.done(us + 3, 0, by, apply(0), APPLIED).entry(0, by);
            }
            story.kill(Target::Cache, killed_us);
            tell(&mut story);
            story.found(Violation::Duplicate)
        };
        assert_eq!(twice(10, &|_| ()), [(0, Cause::ServerForgot)]);
        // Before both, after both, and another server.
        for (killed_us, tell) in [(0, None), (30, None), (100, Some(10))] {
            let found = twice(killed_us, &|story| {
                tell.into_iter().for_each(|us| story.kill(Target::Store, us));
            });
            assert_eq!(found, [(0, Cause::Redelivery)], "{killed_us}");
        }
        // An effect that was done there.
        let lost = |killed_us: u64| {
            let mut story = Story::of(1);
            story.effects = &[Role::CACHE];
            let done = Response::Redis(RedisResponse::Applied(Answer(10)));
            story.done(5, 0, FIRST, RedisOp::apply_once(&request(0)).into(), done).answer(7, 0, FIRST, Ok(Answer(10)));
            story.kill(Target::Cache, killed_us);
            story.found(Violation::Lost)
        };
        assert_eq!(lost(20), [(0, Cause::ServerForgot)]);
        assert_eq!(lost(2), [(0, Cause::Unexplained)]);
    }
}
