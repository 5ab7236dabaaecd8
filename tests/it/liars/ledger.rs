//! Liars who write to the tables themselves, behind the back of the effect.

use oncelab::explore::Bound;
use oncelab::terms::{Answer, Trouble};
use oncelab::world::Sql;

use super::{BROKEN_CHAIN, Bounded, Liar, REPEATED, bound, closed, liar, opened, tested, twins, under};

/// Message, account, amount: a line of the ledger, with the balance as it stands.
pub(super) const LINE: &str = "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
     SELECT $1, $2, $3, balance, NULL, 0, 0 FROM account WHERE id = $2";
/// As [`LINE`], and with the balance that an effect would have left.
const FORGED: &str = "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
     SELECT $1, $2, $3, balance + $3, NULL, 0, 0 FROM account WHERE id = $2 RETURNING balance";
/// As [`LINE`], if the message has none yet.
const FIRST_LINE: &str = "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
     SELECT $1, $2, $3, balance, NULL, 0, 0 FROM account
     WHERE id = $2 AND NOT EXISTS (SELECT 1 FROM ledger WHERE message = $1)";
/// Message, account, amount, and as the fourth parameter the balance.
const LINE_OF: &str = "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
     VALUES ($1, $2, $3, $4, NULL, 0, 0)";
/// Account, amount.
pub(super) const ADD: &str = "UPDATE account SET balance = balance + $3 WHERE id = $2 RETURNING balance";
const TAKE: &str = "UPDATE account SET balance = balance - $3 WHERE id = $2";
const SET: &str = "UPDATE account SET balance = $4 WHERE id = $2";
const CREDIT_ANOTHER: &str = "UPDATE account SET balance = balance + $3 WHERE id = $2 + 1";
const CLOSE: &str = "DELETE FROM account WHERE id = $2";
const TO_THE_FRONT: &str = "UPDATE ledger SET number = (SELECT min(number) - 1 FROM ledger) WHERE message = $1";
const BALANCE: &str = "SELECT balance FROM ledger WHERE message = $1";
const PRUNE_OWN: &str = "DELETE FROM ledger WHERE message = $1";
const PRUNE_OTHERS: &str = "DELETE FROM ledger WHERE account = $2 AND message <> $1";

liar!(WithoutTheAccount, "line-without-the-account", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = if lies {
        world.store().sql(Sql::new(FORGED, request, 0)).await?.ok_or(Trouble::Unknown)?
    } else {
        world.store().apply(request).await?
    };
    closed(world, request, answer).await
});

liar!(ForgedLine, "forged-line", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(FORGED, request, 0)).await?;
    }
    closed(world, request, answer).await
});

liar!(SecondUpdate, "second-update", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(ADD, request, 0)).await?;
    }
    closed(world, request, answer).await
});

liar!(Undone, "undone-effect", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(TAKE, request, 0)).await?;
    }
    closed(world, request, answer).await
});

liar!(PrunesItsLine, "pruned-line", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(PRUNE_OWN, request, 0)).await?;
    }
    closed(world, request, answer).await
});

liar!(PrunesOthers, "pruned-ledger", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(PRUNE_OTHERS, request, 0)).await?;
    }
    closed(world, request, answer).await
});

// Every delivery changes the balance; the ledger tells of the first one.
liar!(UnprotectedBalance, "unprotected-balance", |world, request, lies| {
    if !lies && let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    if lies {
        world.store().begin(oncelab::terms::Isolation::ReadCommitted).await?;
    }
    world.store().sql(Sql::new(ADD, request, 0)).await?;
    world.store().sql(Sql::new(FIRST_LINE, request, 0)).await?;
    let answer = world.store().sql(Sql::new(BALANCE, request, 0)).await?.ok_or(Trouble::Unknown)?;
    closed(world, request, answer).await
});

// What was read before the transaction may have changed when it is written.
liar!(WritesBack, "writes-back-by-sql", |world, request, lies| {
    let before = if lies { Some(world.store().read_balance(request.effect.account).await?) } else { None };
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let base = match before {
        Some(balance) => balance,
        None => world.store().read_balance(request.effect.account).await?,
    };
    let answer = Answer(base.0 + i64::from(request.effect.amount));
    world.store().sql(Sql::new(SET, request, answer.0)).await?;
    world.store().sql(Sql::new(LINE_OF, request, answer.0)).await?;
    closed(world, request, answer).await
});

liar!(CreditsAnother, "credits-another-account", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(CREDIT_ANOTHER, request, 0)).await?;
    }
    closed(world, request, answer).await
});

liar!(ClosesTheAccount, "closes-the-account", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(CLOSE, request, 0)).await?;
    }
    closed(world, request, answer).await
});

// A later line stands before all earlier ones.
liar!(ToTheFront, "line-before-the-others", |world, request, lies| {
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    if lies {
        world.store().sql(Sql::new(TO_THE_FRONT, request, 0)).await?;
    }
    closed(world, request, answer).await
});

pub(super) fn liars() -> Vec<Liar> {
    let two_requests = |must| Bounded::within(Bound { requests: 2, ..bound(2, 0, 0) }, must);
    vec![
        twins(|lies| WithoutTheAccount { lies }, "writes a line and leaves the account", &["wrong"])
            .because(BROKEN_CHAIN)
            .speaks_sql(),
        twins(|lies| ForgedLine { lies }, "forges a second line", &["duplicate", "wrong"])
            .because(BROKEN_CHAIN)
            .speaks_sql(),
        twins(|lies| SecondUpdate { lies }, "changes the balance once more", &["wrong"])
            .because(BROKEN_CHAIN)
            .speaks_sql(),
        twins(|lies| Undone { lies }, "takes the effect back, and not its line", &["wrong"])
            .because(BROKEN_CHAIN)
            .speaks_sql(),
        twins(|lies| PrunesItsLine { lies }, "deletes its line", &["lost", "wrong"]).because(BROKEN_CHAIN).speaks_sql(),
        twins(|lies| PrunesOthers { lies }, "keeps the newest line of an account", &["lost", "wrong"])
            .bounded(two_requests(&["lost", "wrong"]))
            .because(BROKEN_CHAIN)
            .speaks_sql()
            .only_in_company(),
        twins(|lies| CreditsAnother { lies }, "gives as much to another account", &["wrong"])
            .because(BROKEN_CHAIN)
            .speaks_sql(),
        twins(|lies| ClosesTheAccount { lies }, "deletes the account", &["wrong"])
            .loaded(under("", &["wrong"]).accounts(400).or(&["lost"]))
            .because(BROKEN_CHAIN)
            .speaks_sql(),
        twins(|lies| ToTheFront { lies }, "puts its line before the others", &["wrong"])
            .because(BROKEN_CHAIN)
            .bounded(two_requests(&["wrong"]))
            .speaks_sql()
            .only_in_company(),
        twins(|lies| UnprotectedBalance { lies }, "protects the ledger, and not the balance", &["wrong"])
            .loaded(under(REPEATED, &["wrong"]))
            .because(BROKEN_CHAIN)
            .speaks_sql(),
        twins(|lies| WritesBack { lies }, "writes back what it read too early", &["wrong"])
            .loaded(under("", &["wrong"]).accounts(1))
            .bounded(two_requests(&["wrong"]))
            .because(BROKEN_CHAIN)
            .speaks_sql()
            .only_in_company(),
    ]
}

tested!(liars: 11, conformed: 0);
