//! Liars whose answers are not what the effect gave, or say success without an effect.

use oncelab::explore::Bound;
use oncelab::terms::{Answer, Trouble};

use super::{Bounded, Liar, OTHER_ANSWER, REPEATED, bound, closed, liar, opened, tested, twins, under};

liar!(AlwaysZero, "always-zero", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let gave = world.store().apply(request).await?;
    closed(world, request, if lies { Answer(0) } else { gave }).await
});

liar!(AnotherNumber, "another-number", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let gave = world.store().apply(request).await?;
    closed(world, request, Answer(gave.0 + i64::from(lies))).await
});

// The first effect on an account leaves a balance as high as its amount.
liar!(ItsAmount, "answers-its-amount", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let gave = world.store().apply(request).await?;
    closed(world, request, if lies { Answer(request.effect.amount.into()) } else { gave }).await
});

// As long as nobody else comes in between, the balance is still what the effect has left.
liar!(LaterBalance, "answers-a-later-balance", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let gave = world.store().apply(request).await?;
    let answer = closed(world, request, gave).await?;
    if lies { world.store().read_balance(request.effect.account).await } else { Ok(answer) }
});

liar!(RemembersAnother, "remembers-another-answer", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let gave = world.store().apply(request).await?;
    closed(world, request, Answer(gave.0 + i64::from(lies))).await?;
    Ok(gave)
});

liar!(BeforeTheCommit, "answers-before-the-commit", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    let stored = closed(world, request, answer).await;
    if lies { Ok(answer) } else { stored }
});

liar!(NeverCommits, "never-commits", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies { Ok(answer) } else { closed(world, request, answer).await }
});

liar!(SwallowsUnknown, "swallows-unknown-outcomes", |world, request, lies| {
    match world.store().claim_and_apply(request).await {
        Err(Trouble::Unknown) if lies => Ok(Answer(0)),
        Ok(None) => world.store().read_answer(request.id).await?.ok_or(Trouble::InProgress),
        Ok(Some(answer)) => Ok(answer),
        Err(trouble) => Err(trouble),
    }
});

liar!(DoesNothing, "does-nothing", |world, request, lies| {
    if lies {
        return Ok(Answer(request.effect.amount.into()));
    }
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    closed(world, request, answer).await
});

/// One commit in ten never reaches the store.
const COMMITS_LOST: &str = "for = [{ ops = [\"commit\"], message = { request_lost = 0.1 } }]";
/// Between a commit and a look at the balance others commit.
const SLOW_READS: &str = "for = [{ ops = [\"read-balance\"], message = { delayed = 0.5 } }]";
const LOSSY: &str = "store = { request_lost = 0.1, reply_lost = 0.1 }";

pub(super) fn liars() -> Vec<Liar> {
    let two_requests = Bound { requests: 2, ..bound(2, 0, 1) };
    vec![
        twins(|lies| AlwaysZero { lies }, "answers 0, whatever the balance", &["wrong"]).because(OTHER_ANSWER),
        twins(|lies| AnotherNumber { lies }, "answers one more than the balance", &["wrong"]).because(OTHER_ANSWER),
        twins(|lies| ItsAmount { lies }, "answers the amount instead of the balance", &["wrong"])
            .because(OTHER_ANSWER)
            .bounded(Bounded::within(two_requests, &["wrong"]))
            .only_in_company(),
        twins(|lies| LaterBalance { lies }, "answers the balance of a later moment", &["wrong"])
            .loaded(under(SLOW_READS, &["wrong"]).accounts(2))
            .because(OTHER_ANSWER)
            .bounded(Bounded::within(two_requests, &["wrong"]))
            .only_in_company(),
        twins(|lies| RemembersAnother { lies }, "answers a retry with another number", &["deviating", "wrong"])
            .loaded(under(REPEATED, &["deviating", "wrong"]))
            .because(OTHER_ANSWER),
        // A second lane would do what the first one only said.
        twins(|lies| BeforeTheCommit { lies }, "says success, whatever becomes of the commit", &["lost"])
            .loaded(under(COMMITS_LOST, &["lost"]))
            .bounded(Bounded::within(bound(1, 1, 1), &["lost"])),
        twins(|lies| NeverCommits { lies }, "leaves its transaction open", &["lost"]),
        twins(|lies| SwallowsUnknown { lies }, "takes an unknown outcome for success", &["lost", "wrong"])
            .loaded(under(LOSSY, &["lost", "wrong"]))
            .bounded(
                Bounded::within(bound(1, 1, 1), &["lost", "wrong"]).told(&[("a!", "lost", ""), ("a?", "wrong", "")]),
            ),
        twins(|lies| DoesNothing { lies }, "says success and does nothing", &["lost"]).asks_nothing(),
    ]
}

tested!(liars: 9, conformed: 8);
