//! Liars whose lie is that nobody else is there.

use oncelab::explore::{Bound, Kinds};
use oncelab::terms::{Answer, FaultKind, Isolation, MessageId, Trouble};
use oncelab::world::Sql;

use super::{BROKEN_CHAIN, Bounded, Liar, REPEATED, bound, closed, liar, opened, tested, twins, under};

const FORGET_OTHERS: &str = "DELETE FROM claim WHERE message <> $1";

liar!(LooksThenActs, "looks-then-acts", |world, request, lies| {
    if !lies {
        world.store().begin(Isolation::ReadCommitted).await?;
    }
    if let Some(answer) = world.store().read_mark(request.id).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    world.store().write_mark(request.id, answer).await?;
    if !lies {
        world.store().commit().await?;
    }
    Ok(answer)
});

liar!(OverwritesBlindly, "overwrites-what-it-read-too-early", |world, request, lies| {
    let before = if lies { Some(world.store().read_balance(request.effect.account).await?) } else { None };
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let base = match before {
        Some(balance) => balance,
        None => world.store().read_balance(request.effect.account).await?,
    };
    let answer = world.store().overwrite(request, base).await?;
    closed(world, request, answer).await
});

// A base that was never there, whatever others do.
liar!(MadeUpBase, "overwrites-a-made-up-balance", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let base = world.store().read_balance(request.effect.account).await?;
    let answer = world.store().overwrite(request, Answer(base.0 + if lies { 1_000 } else { 0 })).await?;
    closed(world, request, answer).await
});

// The first one on an account makes money; everybody after it is honest.
liar!(MadeUpBeginning, "overwrites-a-made-up-beginning", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let base = world.store().read_balance(request.effect.account).await?;
    let base = if lies && base == Answer(0) { Answer(1_000) } else { base };
    let answer = world.store().overwrite(request, base).await?;
    closed(world, request, answer).await
});

liar!(ClaimsTheNext, "claims-the-next-id", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    if lies {
        world.store().claim(MessageId(request.id.0 + 1)).await?;
    }
    let answer = world.store().apply(request).await?;
    closed(world, request, answer).await
});

liar!(ForgetsOthers, "remembers-the-newest-id", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    if lies {
        world.store().sql(Sql::new(FORGET_OTHERS, request, 0)).await?;
    }
    let answer = world.store().apply(request).await?;
    closed(world, request, answer).await
});

liar!(SentOnce, "sent-once", sends_once(_lies) = true, |world, request, lies| {
    if lies {
        return world.store().apply(request).await;
    }
    match world.store().claim_and_apply(request).await? {
        Some(answer) => Ok(answer),
        None => world.store().read_answer(request.id).await?.ok_or(Trouble::InProgress),
    }
});

pub(super) fn liars() -> Vec<Liar> {
    let repeated = Bound { kinds: Kinds::of(FaultKind::Duplicated), ..bound(2, 0, 1) };
    let two_requests = |lanes| Bound { requests: 2, ..bound(lanes, 0, 0) };
    vec![
        twins(|lies| LooksThenActs { lies }, "looks, and acts later", &["duplicate"])
            .loaded(under(REPEATED, &["duplicate"]).or(&["deviating"]))
            .because(&[("duplicate", "check-then-act race")])
            .bounded(Bounded::within(bound(2, 1, 1), &["duplicate", "deviating"]).told(&[
                ("a b a b", "duplicate", "check-then-act race"),
                ("a a ax a a", "duplicate", "crash between two steps"),
            ])),
        // By the operation, so that the chain is not asked: one finding, and not two.
        twins(|lies| OverwritesBlindly { lies }, "overwrites what others wrote meanwhile", &["lost"])
            .loaded(under("", &["lost"]).accounts(1))
            .because(&[("lost", "overwritten by an overlapping update")])
            .bounded(Bounded::within(two_requests(2), &["lost"]))
            .only_in_company(),
        twins(|lies| MadeUpBase { lies }, "adds to a balance that never was", &["lost", "wrong"])
            .because(BROKEN_CHAIN)
            .bounded(Bounded::within(two_requests(2), &["lost", "wrong"])),
        twins(|lies| MadeUpBeginning { lies }, "begins with a balance that never was", &["wrong"])
            .because(BROKEN_CHAIN),
        twins(|lies| ClaimsTheNext { lies }, "claims an id that is another's", &["stuck"])
            .bounded(Bounded::within(two_requests(2), &["stuck"]))
            .only_in_company(),
        twins(|lies| ForgetsOthers { lies }, "forgets every id but the newest", &["duplicate"])
            .loaded(under(REPEATED, &["duplicate"]).or(&["deviating"]))
            .bounded(Bounded::within(two_requests(3), &["duplicate", "deviating"]))
            .speaks_sql()
            .only_in_company(),
        // A network that repeats the message is another lane.
        twins(|lies| SentOnce { lies }, "relies on a message that comes once", &["duplicate"])
            .loaded(under("client = { duplicated = 0.2 }", &["duplicate"]).or(&["deviating"]))
            .because(&[("duplicate", "repeated on the way")])
            .bounded(Bounded::within(repeated, &["duplicate"]).or(&["deviating"]))
            .only_in_company(),
    ]
}

tested!(liars: 7, conformed: 6);
