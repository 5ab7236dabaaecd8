//! Liars who write what nobody asked for: other ids, other accounts.

use oncelab::explore::Bound;
use oncelab::terms::{Answer, MessageId, Request};
use oncelab::world::Sql;

use super::{
    BROKEN_CHAIN, Bounded, Liar, NEVER_ASKED_FOR, OTHER_EFFECT, bound, closed, liar, opened, tested, twins, under,
};

/// More than there are messages.
const FAR: u32 = 1_000_000;

/// A line of an amount of zero, for a message that nobody sent: no balance is wrong.
const LINE_FOR_NOBODY: &str = "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
     SELECT $1 + 1000000, $2, 0, balance, NULL, 0, 0 FROM account WHERE id = $2";
const NEGATIVE_LINE: &str = "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
     SELECT -1 - $1, $2, 0, balance, NULL, 0, 0 FROM account WHERE id = $2";
/// The most that a store can hold, which no sum may overflow.
const HUGE_LINE: &str = "UPDATE ledger SET amount = 9223372036854775807, balance = -9223372036854775807
     WHERE message = $1";
const SINK_TOKEN: &str = "UPDATE ledger SET token = 1000000 - $1 WHERE message = $1";
const MOVE_LINE: &str = "UPDATE ledger SET account = account + 1000000 WHERE message = $1";

liar!(FarId, "strange-id", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let id = MessageId(request.id.0 + if lies { FAR } else { 0 });
    let answer = world.store().apply(&Request { id, ..*request }).await?;
    closed(world, request, answer).await
});

liar!(NextId, "next-id", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let id = MessageId(request.id.0 + u32::from(lies));
    let answer = world.store().apply(&Request { id, ..*request }).await?;
    closed(world, request, answer).await
});

liar!(LineForNobody, "line-for-nobody", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(LINE_FOR_NOBODY, request, 0)).await?;
    }
    closed(world, request, answer).await
});

liar!(StrangeAccount, "strange-account", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(MOVE_LINE, request, 0)).await?;
    }
    closed(world, request, answer).await
});

liar!(NegativeId, "negative-id", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(NEGATIVE_LINE, request, 0)).await?;
    }
    closed(world, request, answer).await
});

liar!(HugeLine, "huge-line", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(HUGE_LINE, request, 0)).await?;
    }
    closed(world, request, answer).await
});

// A later message has a lower token.
liar!(SinkingTokens, "sinking-tokens", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(SINK_TOKEN, request, 0)).await?;
    }
    closed(world, request, answer).await
});

// No sum can hold what it asks for.
liar!(EndlessBase, "endless-balance", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let base = world.store().read_balance(request.effect.account).await?;
    let answer = world.store().overwrite(request, if lies { Answer(i64::MAX) } else { base }).await?;
    closed(world, request, answer).await
});

pub(super) fn liars() -> Vec<Liar> {
    vec![
        twins(|lies| FarId { lies }, "applies under an id that nobody sent", &["lost", "wrong"])
            .because(NEVER_ASKED_FOR),
        // The first message has no line, and each of the others has its neighbour's.
        twins(|lies| NextId { lies }, "applies under the next id", &["lost", "wrong"])
            .because(OTHER_EFFECT)
            .bounded(Bounded::within(Bound { requests: 2, ..bound(2, 0, 1) }, &["lost", "wrong"])),
        twins(|lies| LineForNobody { lies }, "adds a line for an id that nobody sent", &["wrong"])
            .because(NEVER_ASKED_FOR)
            .speaks_sql(),
        twins(|lies| StrangeAccount { lies }, "moves its line to an account that is not there", &["wrong"])
            .because(OTHER_EFFECT)
            .speaks_sql(),
        twins(|lies| NegativeId { lies }, "adds a line with a negative id", &["wrong"])
            .because(NEVER_ASKED_FOR)
            .speaks_sql(),
        twins(|lies| HugeLine { lies }, "makes its line as high as it can be", &["wrong"])
            .because(OTHER_EFFECT)
            .speaks_sql(),
        twins(|lies| EndlessBase { lies }, "overwrites with more than a store can hold", &["wrong"])
            .loaded(under("", &["wrong"]).or(&["lost"]))
            .because(BROKEN_CHAIN),
        twins(|lies| SinkingTokens { lies }, "forges tokens that sink", &["stale"])
            .bounded(Bounded::within(Bound { requests: 2, ..bound(2, 0, 0) }, &["stale"]))
            .speaks_sql()
            .only_in_company(),
    ]
}

tested!(liars: 8, conformed: 3);
