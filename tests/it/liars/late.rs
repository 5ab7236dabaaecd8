//! Liars whose clients give up, and whose effects come all the same.

use oncelab::terms::Trouble;
use oncelab::world::Sql;

use super::ledger::{ADD, LINE};
use super::{Bounded, Liar, bound, closed, liar, opened, tested, twins, under};

liar!(ByApply, "late-by-apply", sends_once(lies) = lies, |world, request, lies| {
    if lies {
        return world.store().apply(request).await;
    }
    if let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().apply(request).await?;
    closed(world, request, answer).await
});

liar!(ByOverwrite, "late-by-overwrite", sends_once(lies) = lies, |world, request, lies| {
    if !lies && let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let balance = world.store().read_balance(request.effect.account).await?;
    let answer = world.store().overwrite(request, balance).await?;
    if lies { Ok(answer) } else { closed(world, request, answer).await }
});

liar!(BySql, "late-by-sql", sends_once(lies) = lies, |world, request, lies| {
    if !lies && let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().sql(Sql::new(ADD, request, 0)).await?.ok_or(Trouble::Unknown)?;
    world.store().sql(Sql::new(LINE, request, 0)).await?;
    if lies { Ok(answer) } else { closed(world, request, answer).await }
});

// Its line names a delivery that there never was.
liar!(UnderAnotherName, "late-under-another-name", sends_once(lies) = lies, |world, request, lies| {
    if !lies && let Some(answer) = opened(world, request).await? {
        return Ok(answer);
    }
    let answer = world.store().sql(Sql::new(ADD, request, 0)).await?.ok_or(Trouble::Unknown)?;
    world.store().sql(Sql::new(ANOTHERS_LINE, request, 0)).await?;
    if lies { Ok(answer) } else { closed(world, request, answer).await }
});

/// As [`LINE`], by a tenth attempt.
const ANOTHERS_LINE: &str = "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
     SELECT $1, $2, $3, balance, NULL, 9, 3 FROM account WHERE id = $2";
const LATE: &str = "for = [{ ops = [\"apply\", \"overwrite\", \"sql\"], message = { late_landing = 0.1 } }]";
const BECAUSE: &[(&str, &str)] = &[("late", "late landing")];

pub(super) fn liars() -> Vec<Liar> {
    // One that sends once is given up when its request is lost; that is not held against it under load.
    let alone = |must| Bounded::within(bound(1, 1, 1), must);
    vec![
        twins(|lies| ByApply { lies }, "applies after its client gave up", &["late"])
            .loaded(under(LATE, &["late"]))
            .because(BECAUSE)
            .bounded(alone(&["abandoned", "late"]).told(&[("a~ a+", "late", "late landing")])),
        // What lands late was read before, so that it may undo another's effect.
        twins(|lies| ByOverwrite { lies }, "overwrites after its client gave up", &["late"])
            .loaded(under(LATE, &["late"]).accounts(64).clients(2).or(&["lost"]))
            .because(BECAUSE)
            .bounded(alone(&["abandoned", "late"]).told(&[("a a~ a+", "late", "late landing")])),
        // Two statements without a transaction: the balance may come without its line.
        twins(|lies| BySql { lies }, "writes after its client gave up", &["late"])
            .loaded(under(LATE, &["late"]).accounts(64).clients(2).or(&["abandoned", "wrong"]))
            .because(BECAUSE)
            .bounded(alone(&["abandoned", "late"]).or(&["wrong"]).told(&[("a a~ a+", "late", "late landing")]))
            .speaks_sql(),
        twins(|lies| UnderAnotherName { lies }, "writes late, as another delivery", &["late"])
            .loaded(under(LATE, &["late"]).accounts(64).clients(2).or(&["abandoned", "wrong"]))
            .because(BECAUSE)
            .bounded(alone(&["abandoned", "late"]).or(&["wrong"]).told(&[("a a~ a+", "late", "late landing")]))
            .speaks_sql(),
    ]
}

tested!(liars: 4, conformed: 2);
