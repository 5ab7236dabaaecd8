//! What a step on a real database touches, by table: what tells which steps can change places when there is no model.

use crate::explore::{Fate, Step};
use crate::terms::{Isolation, Leg, MessageId};
use crate::world::{Acts, Item, Op, Sql, Whose};

/// A table, and one message's rows in it if no others can be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TouchedTable {
    name: String,
    message: Option<MessageId>,
}

impl TouchedTable {
    fn meets(&self, other: &TouchedTable) -> bool {
        let same_rows = self.message.is_none() || other.message.is_none() || self.message == other.message;
        (self.name == other.name || self.name == ANY || other.name == ANY) && same_rows
    }
}

/// Whatever table there is.
const ANY: &str = "*";

/// What a step reads and writes, and whether it is a fault: two faults share the bound's budget.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TableTouch {
    reads: Vec<TouchedTable>,
    writes: Vec<TouchedTable>,
    is_fault: bool,
}

impl TableTouch {
    /// Whether the order of two steps of different lanes can matter.
    pub fn conflicts_with(&self, other: &TableTouch) -> bool {
        let meet = |one: &[TouchedTable], other: &[TouchedTable]| {
            one.iter().any(|table| other.iter().any(|its| table.meets(its)))
        };
        meet(&self.writes, &other.writes)
            || meet(&self.writes, &other.reads)
            || meet(&self.reads, &other.writes)
            || self.is_fault && other.is_fault
    }
}

/// What a lane has done in the transaction that it has open.
#[derive(Debug, Clone, Default)]
pub(super) struct TablePast {
    isolation: Option<Isolation>,
    written: Vec<TouchedTable>,
}

impl TablePast {
    /// What a step touches, given what its lane is about to do; nothing if it lands what is in flight.
    pub fn touch(&self, step: Step, op: Option<Op>) -> TableTouch {
        let mut touch = TableTouch { is_fault: step.fate.is_fault(), ..TableTouch::default() };
        let Some(op) = op.filter(|_| !matches!(step.fate, Fate::Lands | Fate::Expires)) else {
            touch.writes.push(TouchedTable { name: ANY.to_owned(), message: None });
            return touch;
        };
        if matches!(step.fate, Fate::Arrives | Fate::ReplyLost) {
            self.operation(op, &mut touch);
        }
        if step.fate != Fate::Arrives || op.acts().any(Acts::ENDS) {
            // A cut ends the transaction, and its locks with it. What comes after a crash may begin anew.
            touch.writes.extend(self.written.iter().cloned());
        }
        touch
    }

    fn operation(&self, op: Op, touch: &mut TableTouch) {
        let (reads, writes) = tables(op);
        touch.reads.extend(reads);
        touch.writes.extend(writes);
        // A snapshot is of everything.
        if self.isolation.is_some_and(|isolation| isolation != Isolation::ReadCommitted) {
            touch.reads.push(TouchedTable { name: ANY.to_owned(), message: None });
        }
    }

    /// Follows a step that was made.
    pub fn follow(&mut self, step: Step, op: Option<Op>) {
        let Some(op) = op.filter(|_| step.fate != Fate::Expires && step.fate != Fate::Lands) else { return };
        if step.fate != Fate::Arrives || op.acts().any(Acts::ENDS) {
            *self = TablePast::default();
        } else if let Some(isolation) = op.isolation() {
            *self = TablePast { isolation: Some(isolation), written: Vec::new() };
        } else {
            self.written.extend(tables(op).1);
        }
    }
}

/// The tables that an operation reads and writes.
fn tables(op: Op) -> (Vec<TouchedTable>, Vec<TouchedTable>) {
    if let Some(sql) = op.own_sql() {
        return of_statement(sql);
    }
    if op.leg() == Leg::LOCK {
        return (Vec::new(), vec![TouchedTable { name: "(lock service)".to_owned(), message: None }]);
    }
    let table = |item: &Item| {
        let message = if let Whose::Message(id) = item.which { Some(id) } else { None };
        TouchedTable { name: item.place.to_owned(), message }
    };
    let footprint = op.footprint();
    (footprint.reads.iter().map(table).collect(), footprint.writes.iter().map(table).collect())
}

/// The tables that a statement names: read after FROM and JOIN, written after INTO, UPDATE and DELETE FROM, or where it locks
/// what it reads. If there is anything in it that this cannot follow, it touches everything.
fn of_statement(sql: Sql) -> (Vec<TouchedTable>, Vec<TouchedTable>) {
    let text = sql.text().to_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| !(c.is_alphanumeric() || "_.$".contains(c))).filter(|word| !word.is_empty()).collect();
    let message = is_of_one_message(&text).then_some(sql.request.id);
    let everything = || (Vec::new(), vec![TouchedTable { name: ANY.to_owned(), message: None }]);
    let strange = ["lock", "call", "do", "truncate", "merge", "copy", "with"];
    if words.iter().any(|word| strange.contains(word) || word.starts_with("pg_")) {
        return everything();
    }
    let locks = words.windows(2).any(|pair| pair[0] == "for" && ["update", "share", "no", "key"].contains(&pair[1]));
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for (n, pair) in words.windows(2).enumerate() {
        let before = n.checked_sub(1).map_or("", |n| words[n]);
        let table = TouchedTable { name: pair[1].rsplit('.').next().unwrap_or(pair[1]).to_owned(), message };
        match pair[0] {
            "into" => writes.push(table),
            // Not in "on conflict … do update" or "for update".
            "update" if before != "for" && before != "do" => writes.push(table),
            "from" if before == "delete" || locks => writes.push(table),
            "from" | "join" if pair[1] != "select" => reads.push(table),
            _ => {}
        }
    }
    if reads.is_empty() && writes.is_empty() { everything() } else { (reads, writes) }
}

/// Whether a statement can only be about the rows of its own message: it inserts one for it, or asks for nothing else.
fn is_of_one_message(text: &str) -> bool {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let conditions: Vec<&str> = flat.split(" where ").skip(1).collect();
    let is_its = |condition: &&str| {
        let own = condition.strip_prefix("message = $1").map(str::trim_start);
        own.is_some_and(|rest| {
            rest.is_empty() || ["limit ", "returning ", "for ", "order by "].iter().any(|it| rest.starts_with(it))
        })
    };
    let inserts_its = flat.starts_with("insert into ") && flat.contains("(message") && flat.contains("values ($1");
    (inserts_its && conditions.is_empty())
        || (!conditions.is_empty() && conditions.iter().all(is_its) && !flat.contains(" join "))
}

#[cfg(test)]
mod tests {
    use super::{Step, TablePast};
    use crate::explore::Fate;
    use crate::service::store::StoreOp;
    use crate::terms::{AccountId, ClientId, Effect, Isolation, MessageId, Request};
    use crate::world::{Op, Sql};

    const STEP: Step = Step { lane: 0, fate: Fate::Arrives };

    fn sql(text: &'static str, message: u32) -> Op {
        let effect = Effect { account: AccountId(0), amount: 10 };
        let request = Request { id: MessageId(message), client: ClientId(0), sequence: 0, effect };
        StoreOp::sql(Sql::new(text, &request, 0)).into()
    }

    fn conflict(one: Op, other: Op) -> bool {
        let past = TablePast::default();
        past.touch(STEP, Some(one)).conflicts_with(&past.touch(STEP, Some(other)))
    }

    const READ: &str = "SELECT answer FROM mark WHERE message = $1 LIMIT 1";
    const WRITE: &str = "INSERT INTO mark (message, answer) VALUES ($1, $4)";

    #[test]
    fn reads_of_a_table_conflict_with_writes_of_it_and_not_with_each_other() {
        assert!(!conflict(sql(READ, 0), sql(READ, 0)));
        assert!(conflict(sql(READ, 0), sql(WRITE, 0)));
        assert!(conflict(sql(READ, 0), StoreOp::write_mark(MessageId(0), crate::terms::Answer(1)).into()));
        assert!(!conflict(sql(READ, 0), StoreOp::claim(MessageId(0)).into()));
        assert!(conflict(sql("SELECT 1 FROM mark WHERE message = $1 FOR UPDATE", 0), sql(READ, 0)));
    }

    #[test]
    fn rows_of_other_messages_are_others_where_nothing_else_can_be_meant() {
        assert!(!conflict(sql(READ, 0), sql(WRITE, 1)));
        assert!(conflict(sql("SELECT count(*) FROM mark", 0), sql(WRITE, 1)));
        assert!(conflict(sql("SELECT answer FROM mark WHERE message = $1 OR answer = $4", 0), sql(WRITE, 1)));
    }

    #[test]
    fn what_cannot_be_followed_touches_everything() {
        for strange in ["SELECT pg_advisory_xact_lock($1)", "WITH x AS (SELECT 1) SELECT * FROM x", "SELECT 1"] {
            assert!(conflict(sql(strange, 0), sql(WRITE, 1)), "{strange}");
        }
    }

    #[test]
    fn a_commit_writes_what_was_written_since_the_beginning() {
        let mut past = TablePast::default();
        past.follow(STEP, Some(StoreOp::begin(Isolation::ReadCommitted).into()));
        past.follow(STEP, Some(sql(WRITE, 0)));
        let read = TablePast::default().touch(STEP, Some(sql(READ, 0)));
        assert!(past.touch(STEP, Some(StoreOp::commit().into())).conflicts_with(&read));
        let crash = Step { fate: Fate::Crashes, ..STEP };
        assert!(past.touch(crash, Some(StoreOp::commit().into())).conflicts_with(&read), "a crash frees its rows");
        assert!(!TablePast::default().touch(STEP, Some(StoreOp::commit().into())).conflicts_with(&read));
    }
}
