//! Liars who refuse what they could do, or what they did.

use oncelab::explore::Bound;
use oncelab::terms::{Answer, Reply, Request, Trouble};
use oncelab::world::World;

use super::{Bounded, Liar, bound, closed, liar, opened, tested, twins, under};

/// What was claimed with its effect in one statement, or the answer that was stored then.
async fn in_one_statement(world: &mut World<'_>, request: &Request) -> Reply {
    match world.store().claim_and_apply(request).await? {
        Some(answer) => Ok(answer),
        None => world.store().read_answer(request.id).await?.ok_or(Trouble::InProgress),
    }
}

liar!(RefusesAll, "refuses-everything", |world, request, lies| {
    if lies { Err(Trouble::Refused) } else { in_one_statement(world, request).await }
});

liar!(RefusesTheDone, "refuses-what-is-done", |world, request, lies| {
    let done = in_one_statement(world, request).await;
    if lies && done.is_err() { Err(Trouble::Refused) } else { done }
});

liar!(RefusesTooEarly, "refuses-what-lands-late", |world, request, lies| {
    match in_one_statement(world, request).await {
        Err(Trouble::Unknown) if lies => Err(Trouble::Refused),
        reply => reply,
    }
});

// A 5xx under an idempotency key.
liar!(RemembersErrors, "remembers-errors", |world, request, lies| {
    if world.store().read_mark(request.id).await?.is_some() {
        return Err(Trouble::Refused);
    }
    let done = in_one_statement(world, request).await;
    if lies && done.is_err() {
        world.store().write_mark(request.id, Answer(500)).await?;
    }
    done
});

liar!(RefusesRetries, "refuses-retries", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return if lies { Err(Trouble::Refused) } else { Ok(answer) };
    }
    let answer = world.store().apply(request).await?;
    closed(world, request, answer).await
});

// 10, the amount of the first request of an exploration, is even.
liar!(RefusesOdd, "refuses-odd-amounts", |world, request, lies| {
    if lies && request.effect.amount % 2 == 1 {
        return Err(Trouble::Refused);
    }
    in_one_statement(world, request).await
});

liar!(AlwaysBusy, "always-in-progress", |world, request, lies| {
    if lies { Err(Trouble::InProgress) } else { in_one_statement(world, request).await }
});

const REPLIES_LOST: &str = "for = [{ ops = [\"claim-and-apply\"], message = { reply_lost = 0.1 } }]";
const REQUESTS_OR_REPLIES_LOST: &str =
    "for = [{ ops = [\"claim-and-apply\"], message = { request_lost = 0.1, reply_lost = 0.1 } }]";
const LATE: &str = "for = [{ ops = [\"claim-and-apply\"], message = { late_landing = 0.1 } }]";
const COMMITS_UNHEARD: &str = "for = [{ ops = [\"commit\"], message = { reply_lost = 0.1 } }]";

pub(super) fn liars() -> Vec<Liar> {
    // A second lane would do what the first one was refused.
    let alone = |must| Bounded::within(bound(1, 1, 1), must);
    vec![
        twins(|lies| RefusesAll { lies }, "refuses every request", &["refused"]).asks_nothing(),
        twins(|lies| RefusesTheDone { lies }, "tells every error as refused", &["denied", "refused"])
            .loaded(under(REPLIES_LOST, &["denied"]))
            .because(&[("denied", "an unknown outcome taken for a failure")])
            .bounded(alone(&["denied", "refused"]).told(&[
                ("a?", "denied", "an unknown outcome taken for a failure"),
                ("a!", "refused", "a fault that had passed is remembered"),
                ("a~ a+", "denied", "late landing"),
            ])),
        twins(|lies| RefusesTooEarly { lies }, "refuses what is still in flight", &["denied", "refused"])
            .loaded(under(LATE, &["denied"]))
            .because(&[("denied", "late landing")])
            .bounded(alone(&["denied", "refused"]).told(&[("a~ a+", "denied", "late landing")])),
        twins(|lies| RemembersErrors { lies }, "stores a failure and replays it", &["denied", "refused"])
            .loaded(under(REQUESTS_OR_REPLIES_LOST, &["denied", "refused"]))
            .because(&[("refused", "a fault that had passed is remembered")])
            .bounded(
                alone(&["denied", "refused"])
                    .told(&[("a a! a", "refused", "a fault that had passed is remembered"), ("a a? a", "denied", "")]),
            ),
        twins(|lies| RefusesRetries { lies }, "refuses a retry of what is done", &["denied"])
            .loaded(under(COMMITS_UNHEARD, &["denied"]))
            .because(&[("denied", "retry after a lost reply")])
            .bounded(alone(&["denied"])),
        twins(|lies| RefusesOdd { lies }, "refuses valid requests of some amounts", &["refused"])
            .bounded(Bounded::within(Bound { requests: 2, ..bound(2, 0, 1) }, &["refused"]))
            .only_in_company(),
        twins(|lies| AlwaysBusy { lies }, "is at work for ever", &["stuck"]).asks_nothing(),
    ]
}

tested!(liars: 7, conformed: 5);
