//! Liars who apply something else than what they were asked for.

use oncelab::explore::Bound;
use oncelab::terms::{AccountId, Effect, Request};

use super::{Bounded, Liar, OTHER_EFFECT, bound, closed, liar, opened, tested, twins, under};

fn with_amount(request: &Request, amount: i32) -> Request {
    Request { effect: Effect { amount, ..request.effect }, ..*request }
}

liar!(Doubled, "double-amount", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let times = if lies { 2 } else { 1 };
    let answer = world.store().apply(&with_amount(request, times * request.effect.amount)).await?;
    closed(world, request, answer).await
});

liar!(Nothing, "zero-amount", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let amount = if lies { 0 } else { request.effect.amount };
    let answer = world.store().apply(&with_amount(request, amount)).await?;
    closed(world, request, answer).await
});

liar!(Negated, "negated-amount", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let amount = if lies { -request.effect.amount } else { request.effect.amount };
    let answer = world.store().apply(&with_amount(request, amount)).await?;
    closed(world, request, answer).await
});

// 10, the amount of the first request of an exploration, is as it should be.
liar!(Rounded, "rounded-amount", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let rest = if lies { request.effect.amount % 10 } else { 0 };
    let answer = world.store().apply(&with_amount(request, request.effect.amount - rest)).await?;
    closed(world, request, answer).await
});

liar!(OtherAccount, "wrong-account", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    // The neighbour, which is there wherever the number of accounts is even.
    let account = AccountId(request.effect.account.0 ^ u32::from(lies));
    let other = Request { effect: Effect { account, ..request.effect }, ..*request };
    let answer = world.store().apply(&other).await?;
    closed(world, request, answer).await
});

liar!(Halved, "two-halves", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let rest = if lies { request.effect.amount / 2 } else { 0 };
    let mut answer = world.store().apply(&with_amount(request, request.effect.amount - rest)).await?;
    if lies {
        answer = world.store().apply(&with_amount(request, rest)).await?;
    }
    closed(world, request, answer).await
});

liar!(CompensatedTwice, "compensated-twice", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    for _ in 0..if lies { 2 } else { 0 } {
        world.store().apply(&with_amount(request, -request.effect.amount)).await?;
    }
    closed(world, request, answer).await
});

const TWICE: &[(&str, &str)] =
    &[("duplicate", "applied twice by one delivery"), ("wrong", "another effect than the request's")];

pub(super) fn liars() -> Vec<Liar> {
    let two_requests = Bound { requests: 2, ..bound(2, 0, 1) };
    vec![
        twins(|lies| Doubled { lies }, "applies twice the amount", &["wrong"]).because(OTHER_EFFECT),
        twins(|lies| Nothing { lies }, "applies an amount of zero", &["wrong"]).because(OTHER_EFFECT),
        twins(|lies| Negated { lies }, "takes what it should give", &["wrong"]).because(OTHER_EFFECT),
        twins(|lies| Rounded { lies }, "rounds the amount down to tens", &["wrong"])
            .because(OTHER_EFFECT)
            .bounded(Bounded::within(two_requests, &["wrong"]))
            .only_in_company(),
        twins(|lies| OtherAccount { lies }, "applies to another account", &["wrong"]).because(OTHER_EFFECT),
        twins(|lies| Halved { lies }, "applies the amount in two halves", &["duplicate", "wrong"]).because(TWICE),
        twins(|lies| CompensatedTwice { lies }, "compensates an effect twice", &["duplicate", "wrong"])
            .loaded(under("store = { reply_lost = 0.02 }", &["duplicate", "wrong"]))
            .because(TWICE),
    ]
}

tested!(liars: 7, conformed: 7);
