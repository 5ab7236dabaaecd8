//! A schedule as a specification for PostgreSQL's own isolation tester: the same statements in the same order, on as many
//! connections, without the lab.
//!
//! Source: PostgreSQL, `src/test/isolation/README`.

use crate::explore::{Did, Fate, Line, Story, lane_name, meaning};
use crate::service::own;
use crate::service::store::postgres::literal;
use crate::terms::Role;
use crate::terms::{Failure, Profile};
use crate::world::{Acts, Op, Outcome};

/// A schedule cannot be carried out by PostgreSQL's isolation tester.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoIsolationTest {
    #[error(
        "--export isolationtester: '{strategy}' needs the lock service, of which PostgreSQL knows nothing; \
         use --export mermaid, or take a strategy that talks to the store only"
    )]
    NeedsLockService { strategy: &'static str },
    #[error(
        "--export isolationtester: the schedule has steps on the hop between client and handler, of which PostgreSQL knows nothing; \
         use --export mermaid, or leave --hop out"
    )]
    HasHop,
    #[error(
        "--export isolationtester: the schedule was made for SQLite, which runs one writer at a time; \
         use --store-model postgres"
    )]
    OtherStore,
    #[error(
        "--export isolationtester: the statement of step {position} holds a brace that closes, at which the tester takes it \
         to be at its end; write it without, e.g. with chr(125)"
    )]
    Brace { position: usize },
    #[error(
        "--export isolationtester: step {position} is the victim of a deadlock, and the tester does not choose victims; \
         use --export mermaid, or a schedule without a deadlock"
    )]
    Deadlock { position: usize },
}

/// The specification of a schedule's test. Its last step reads the ledger.
///
/// Each connection is a session. What a connection that is cut leaves open is rolled back, as the server does when it notices.
/// The responses that later statements depend on are those of the story.
///
/// # Errors
/// [`NoIsolationTest`] if the story has a lock service or a deadlock in it, is not PostgreSQL's, or has a statement that the
/// format cannot hold.
pub fn to_isolationtester(story: &Story) -> Result<String, NoIsolationTest> {
    if story.roles != [Role::STORE] {
        return Err(NoIsolationTest::NeedsLockService { strategy: story.strategy });
    }
    if story.has_hop {
        return Err(NoIsolationTest::HasHop);
    }
    if story.bound.store != Profile::Postgres {
        return Err(NoIsolationTest::OtherStore);
    }
    let mut test = Test::new(story);
    for (n, line) in story.lines.iter().enumerate() {
        test.line(n + 1, line)?;
    }
    test.end(story);
    Ok(test.specification(story))
}

/// What is known of a connection's transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TestTransaction {
    None,
    Open,
    /// An error has ended it, though not in name.
    Aborted,
}

/// One connection: a session of the specification.
struct TestConnection {
    /// The lane's letter and which of its connections it is, e.g. `a2`.
    name: String,
    attempt: u8,
    transaction: TestTransaction,
    /// Its last statement has to wait, and goes on by itself.
    waits: bool,
    /// Each with its name.
    steps: Vec<(String, String)>,
}

/// Whether an outcome ends the transaction of its statement.
fn aborts(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed(Failure::SerializationFailure | Failure::NoTransaction))
}

/// A request that timed out: what it asks, and the connection that it is held on.
struct TestFlight {
    lane: u8,
    attempt: u8,
    op: Op,
    connection: usize,
}

/// A specification that grows line by line.
struct Test<'s> {
    story: &'s Story,
    connections: Vec<TestConnection>,
    /// The connection of each lane, if it has one.
    current: Vec<Option<usize>>,
    flights: Vec<TestFlight>,
    /// The lines of the permutation.
    order: Vec<String>,
    /// The steps that were asked for are over.
    ran_on: bool,
}

impl<'s> Test<'s> {
    fn new(story: &'s Story) -> Self {
        let current = vec![None; story.bound.lanes.into()];
        Test { story, connections: Vec::new(), current, flights: Vec::new(), order: Vec::new(), ran_on: false }
    }

    fn line(&mut self, position: usize, line: &Line) -> Result<(), NoIsolationTest> {
        let lane = line.step.lane;
        if line.ran_on && !std::mem::replace(&mut self.ran_on, true) {
            self.order.push("  # and then, without faults:".to_owned());
        }
        match line.event {
            Did::Made { op, learned } => self.made(position, line, op, learned)?,
            Did::Landed { op, outcome } => self.landed(position, line, op, outcome)?,
            Did::Queued { op } => self.begins_and_waits(position, line, op)?,
            Did::Crashed { .. } | Did::Expired { .. } => self.comment(line, ""),
        }
        if let Some(told) = &line.told {
            self.order.push(format!("  # {}: {}", lane_name(lane), one_line(told)));
        }
        self.order
            .extend(line.shows.iter().map(|violation| format!("  # BROKEN {violation}: {}", meaning(*violation))));
        if line.told.is_some() || line.step.fate.is_fault() {
            self.cut(position, lane);
        }
        Ok(())
    }

    fn made(&mut self, position: usize, line: &Line, op: Op, learned: Outcome) -> Result<(), NoIsolationTest> {
        let (lane, attempt) = (line.step.lane, line.attempt);
        // The connection of a request that is lost was there all the same, and is cut with what is open on it.
        let connection = self.connection(lane, attempt);
        if std::mem::take(&mut self.connections[connection].waits) {
            if self.connections[connection].transaction == TestTransaction::Open && aborts(learned) {
                self.connections[connection].transaction = TestTransaction::Aborted;
            }
            self.comment(line, ": goes on by itself");
            return Ok(());
        }
        if line.step.fate == Fate::RequestLost {
            self.comment(line, ": left out");
            return Ok(());
        }
        if line.step.fate == Fate::TimesOut {
            self.flights.push(TestFlight { lane, attempt, op, connection });
            self.current[usize::from(lane)] = None;
            self.comment(line, ": carried out where it lands");
            return Ok(());
        }
        self.carry_out(position, line, connection, (attempt, op), learned)
    }

    /// A statement that has to wait: the tester sends it, sees that it waits, and goes on with the next step.
    fn begins_and_waits(&mut self, position: usize, line: &Line, op: Op) -> Result<(), NoIsolationTest> {
        let connection = self.connection(line.step.lane, line.attempt);
        self.carry_out(position, line, connection, (line.attempt, op), Outcome::Unknown)?;
        self.connections[connection].waits = true;
        Ok(())
    }

    fn landed(&mut self, position: usize, line: &Line, op: Op, outcome: Outcome) -> Result<(), NoIsolationTest> {
        let is_it = |flight: &TestFlight| flight.lane == line.step.lane && flight.op == op;
        let at = self.flights.iter().position(is_it).expect("what lands was in flight");
        let TestFlight { attempt, connection, .. } = self.flights.remove(at);
        self.carry_out(position, line, connection, (attempt, op), outcome)?;
        self.roll_back(position, connection);
        Ok(())
    }

    /// Adds a step, unless the lab would not send it either.
    fn carry_out(
        &mut self,
        position: usize,
        line: &Line,
        connection: usize,
        (attempt, op): (u8, Op),
        outcome: Outcome,
    ) -> Result<(), NoIsolationTest> {
        let by = self.story.bound.delivery(line.step.lane, attempt);
        let before = self.connections[connection].transaction;
        if outcome == Outcome::Failed(Failure::Deadlock) {
            return Err(NoIsolationTest::Deadlock { position });
        }
        let acts = op.acts();
        if acts.any(Acts::ENDS) && before == TestTransaction::None {
            self.comment(line, ": nothing is sent");
            return Ok(());
        }
        // PostgreSQL would answer a COMMIT with a rollback and no error.
        let is_undone = acts.any(Acts::COMMITS) && before == TestTransaction::Aborted;
        let text = if is_undone { literal::ROLLBACK.to_owned() } else { literal::sql(own(op.of), by) };
        let after = if acts.any(Acts::ENDS) {
            TestTransaction::None
        } else if acts.any(Acts::BEGINS) {
            TestTransaction::Open
        } else if before == TestTransaction::Open && aborts(outcome) {
            TestTransaction::Aborted
        } else {
            before
        };
        if text.contains('}') {
            return Err(NoIsolationTest::Brace { position });
        }
        self.connections[connection].transaction = after;
        self.step(format!("{position}{}-{}", lane_name(line.step.lane), op.kind().name()), connection, text);
        self.say(line, "");
        Ok(())
    }

    /// A lane's connection; a new one if it has none.
    fn connection(&mut self, lane: u8, attempt: u8) -> usize {
        if let Some(connection) = self.current[usize::from(lane)] {
            return connection;
        }
        let letter = lane_name(lane);
        let number = 1 + self.connections.iter().filter(|connection| connection.name.starts_with(letter)).count();
        let name = format!("{letter}{number}");
        let transaction = TestTransaction::None;
        self.connections.push(TestConnection { name, attempt, transaction, waits: false, steps: Vec::new() });
        let connection = self.connections.len() - 1;
        self.current[usize::from(lane)] = Some(connection);
        connection
    }

    /// Ends a lane's connection.
    fn cut(&mut self, position: usize, lane: u8) {
        if let Some(connection) = self.current[usize::from(lane)].take() {
            self.roll_back(position, connection);
        }
    }

    /// What the server does when a connection has gone.
    fn roll_back(&mut self, position: usize, connection: usize) {
        let of = &mut self.connections[connection];
        if std::mem::replace(&mut of.transaction, TestTransaction::None) == TestTransaction::None {
            return;
        }
        let name = format!("{position}{}-cut", of.name);
        self.step(name, connection, literal::ROLLBACK.to_owned());
        self.append("the connection is cut");
    }

    fn step(&mut self, name: String, connection: usize, text: String) {
        self.order.push(format!("  {:<22}", format!("\"{name}\"")));
        self.connections[connection].steps.push((name, text));
    }

    /// What a line says, behind the step that it is.
    fn say(&mut self, line: &Line, then: &str) {
        let arrow = if line.learned.is_empty() { "" } else { " -> " };
        self.append(&format!("{:<3} {}{arrow}{}{then}", line.step.to_string(), line.did, line.learned));
    }

    /// What a line says that is no step.
    fn comment(&mut self, line: &Line, then: &str) {
        self.order.push(" ".repeat(24));
        self.say(line, then);
    }

    fn append(&mut self, words: &str) {
        let last = self.order.last_mut().expect("there is a line");
        last.push_str(&format!(" # {}", one_line(words)));
    }

    /// What is in the end, besides the ledger.
    fn end(&mut self, story: &Story) {
        let position = story.lines.len() + 1;
        for connection in 0..self.connections.len() {
            self.roll_back(position, connection);
        }
        let without = |what: &String| format!("  # not carried out: {}", one_line(what));
        self.order.extend(story.settling().iter().map(without));
    }

    fn specification(&self, story: &Story) -> String {
        let accounts = story.bound.all_requests().iter().map(|request| request.effect.account.0 + 1).max().unwrap_or(1);
        let setup = literal::setup(accounts).iter().map(|statement| format!("  {statement};\n")).collect::<String>();
        let (strategy, schedule) = (one_line(story.strategy), &story.schedule);
        let mut out = format!(
            "# {strategy}: {schedule}\n\
             # A test for PostgreSQL's isolation tester, which reads it from its standard input. It makes tables in the schema\n\
             # that the user's search_path begins with, and removes them. The ledger holds each X once if nothing is broken.\n\n\
             setup\n{{\n{setup}}}\n\nteardown\n{{\n  {};\n}}\n",
            literal::drop_tables()
        );
        for connection in self.connections.iter().filter(|connection| !connection.steps.is_empty()) {
            out.push_str(&format!("\n# attempt {}\nsession \"{}\"\n", connection.attempt + 1, connection.name));
            for (name, text) in &connection.steps {
                out.push_str(&format!("step \"{name}\" {{ {text}; }}\n"));
            }
        }
        out.push_str(&format!("\nsession \"reader\"\nstep \"ledger\" {{ {}; }}\n\npermutation\n", literal::LEDGER));
        for line in &self.order {
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out + "  \"ledger\"\n"
    }
}

/// Words as they may stand behind a number sign.
fn one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::{Bound, Step, tell};
    use crate::service::store::{StoreOp, StoreResponse};
    use crate::strategy::Registry;
    use crate::terms::{AccountId, ClientId, Effect, Isolation, Leg, MessageId, Request};
    use crate::world::{Response, Sql};

    const REQUEST: Request = Request {
        id: MessageId(0),
        client: ClientId(0),
        sequence: 0,
        effect: Effect { account: AccountId(0), amount: 10 },
    };

    fn told(strategy: &str, schedule: &str) -> Story {
        let strategy = Registry::default().get(strategy).expect("it is registered");
        let schedule = schedule.parse().expect("it is well formed");
        tell(strategy.as_ref(), Bound::new(1, 1, 1), &schedule).expect("it can be made")
    }

    fn exported(strategy: &str, schedule: &str) -> String {
        to_isolationtester(&told(strategy, schedule)).expect("it talks to the store only")
    }

    /// The steps of a session.
    fn session<'t>(test: &'t str, name: &str) -> Vec<&'t str> {
        let (_, after) = test.split_once(&format!("session \"{name}\"\n")).unwrap_or_else(|| panic!("{name}: {test}"));
        let steps = after.split("\n\n").next().unwrap_or_default();
        steps.lines().filter_map(|line| line.strip_prefix("step \"")?.split('"').next()).collect()
    }

    /// The steps of the permutation.
    fn order(test: &str) -> Vec<&str> {
        let (_, order) = test.split_once("\npermutation\n").expect("it has one");
        order.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect()
    }

    /// A story of these operations and what came of them, all of lane a.
    fn story_of(events: &[(Op, Outcome)]) -> Story {
        let line = |(op, learned): &(Op, Outcome)| Line {
            step: Step { lane: 0, fate: Fate::Arrives },
            event: Did::Made { op: *op, learned: *learned },
            attempt: 0,
            leg: Leg::STORE,
            did: op.to_string(),
            learned: String::new(),
            told: None,
            shows: Vec::new(),
            ran_on: false,
            waited: false,
        };
        Story { lines: events.iter().map(line).collect(), ..told("check-then-act", "a") }
    }

    #[test]
    fn a_race_is_one_session_for_each_lane_and_ends_with_the_ledger() {
        let test = exported("check-then-act", "a b b a");
        assert_eq!(session(&test, "a1"), ["1a-read-mark", "4a-apply", "5a-write-mark"]);
        assert_eq!(session(&test, "b1"), ["2b-read-mark", "3b-apply", "6b-write-mark"]);
        assert_eq!(order(&test)[..4], ["1a-read-mark", "2b-read-mark", "3b-apply", "4a-apply"]);
        assert_eq!(order(&test).last(), Some(&"ledger"));
        assert!(test.contains("VALUES (0, 20); }"), "the answer that the model gave is written in: {test}");
        assert!(test.contains("# BROKEN duplicate"), "{test}");
    }

    #[test]
    fn what_is_lost_on_its_way_there_is_left_out_and_what_is_lost_on_its_way_back_is_carried_out() {
        let test = exported("check-then-act", "a a! a a?");
        assert_eq!(session(&test, "a1"), ["1a-read-mark"]);
        assert_eq!(session(&test, "a2"), ["3a-read-mark", "4a-apply"]);
        assert!(test.contains("# a! apply X -> lost on its way there: left out"), "{test}");
        let only_lost = exported("at-most-once", "a!");
        assert_eq!(order(&only_lost), ["ledger"], "a session without a step is none: {only_lost}");
    }

    #[test]
    fn what_timed_out_lands_on_its_own_connection_with_the_transaction_that_was_open() {
        // begin, claim and the late apply belong together; what nobody commits is rolled back when the connection goes.
        let test = exported("dedup-table", "a a a~ a a+");
        assert_eq!(session(&test, "a1"), ["1a-begin", "2a-claim", "5a-apply", "5a1-cut"]);
        assert_eq!(session(&test, "a2")[0], "4a-begin");
        assert_eq!(order(&test)[2..5], ["4a-begin", "5a-apply", "5a1-cut"]);
        // A commit that lands late commits.
        let test = exported("dedup-table", "a a a a a~ a+");
        assert_eq!(session(&test, "a1").last(), Some(&"6a-commit"));
    }

    #[test]
    fn a_transaction_on_a_connection_that_is_cut_is_rolled_back_there_and_then() {
        let test = exported("check-then-act-transaction", "a a a? a ax b");
        assert_eq!(session(&test, "a1"), ["1a-begin", "2a-read-mark", "3a-apply", "3a1-cut"]);
        assert_eq!(session(&test, "a2"), ["4a-begin", "5a2-cut"]);
        assert_eq!(order(&test)[2..6], ["3a-apply", "3a1-cut", "4a-begin", "5a2-cut"]);
        let committed = exported("check-then-act-transaction", "a a a a a?");
        assert_eq!(session(&committed, "a1").last(), Some(&"5a-commit"), "nothing is left to roll back");
    }

    #[test]
    fn a_transaction_that_failed_is_ended_as_the_lab_ends_it() {
        let done = Outcome::Ok(Response::Store(StoreResponse::Done));
        let failed = Outcome::Failed(Failure::SerializationFailure);
        let none = Outcome::Failed(Failure::NoTransaction);
        let test = to_isolationtester(&story_of(&[
            (StoreOp::begin(Isolation::RepeatableRead).into(), done),
            (StoreOp::apply(&REQUEST).into(), failed),
            (StoreOp::commit().into(), none),
            (StoreOp::commit().into(), none),
        ]))
        .expect("it can be held");
        assert!(test.contains("step \"3a-commit\" { ROLLBACK; }"), "{test}");
        assert_eq!(session(&test, "a1"), ["1a-begin", "2a-apply", "3a-commit"], "the last commit is not sent");
    }

    #[test]
    fn a_statement_that_waits_is_sent_once_and_before_its_wait() {
        let test = exported("advisory-lock-repeatable-read", "a a a a a b b& a b b b b b");
        assert_eq!(
            session(&test, "b1"),
            ["6b-begin", "7b-advisory-lock", "10b-read-mark", "11b-create", "12b-write-mark", "13b-commit"]
        );
        let steps = order(&test);
        let place = |step: &str| steps.iter().position(|other| *other == step);
        assert!(place("7b-advisory-lock") < place("8a-commit"), "{steps:?}");
    }

    #[test]
    fn a_statement_of_its_own_is_written_out_and_kept_on_one_line_of_comment() {
        let sql = Sql::new("SELECT balance\n FROM account WHERE id = $2 AND $4 > 0", &REQUEST, 5);
        let test = to_isolationtester(&story_of(&[(
            StoreOp::sql(sql).into(),
            Outcome::Ok(Response::Store(StoreResponse::Found(None))),
        )]));
        let test = test.expect("it can be held");
        assert!(test.contains("SELECT balance\n FROM account WHERE id = 0::bigint AND 5::bigint > 0; }"), "{test}");
        assert!(test.lines().last().is_some_and(|line| line.trim() == "\"ledger\""), "{test}");
    }

    #[test]
    fn what_the_format_cannot_hold_is_refused_with_a_remedy() {
        let brace = Sql::new("SELECT '{}'::int[]", &REQUEST, 0);
        let refused = |story: &Story| to_isolationtester(story).expect_err("it cannot be exported");
        let done = Outcome::Ok(Response::Store(StoreResponse::Done));
        assert_eq!(refused(&story_of(&[(StoreOp::sql(brace).into(), done)])), NoIsolationTest::Brace { position: 1 });
        let deadlock = (StoreOp::claim(MessageId(0)).into(), Outcome::Failed(Failure::Deadlock));
        assert_eq!(refused(&story_of(&[deadlock])), NoIsolationTest::Deadlock { position: 1 });
        let lock = told("etcd-lock", "a");
        assert_eq!(refused(&lock), NoIsolationTest::NeedsLockService { strategy: "etcd-lock" });
        let sqlite = Story { bound: Bound { store: Profile::Sqlite, ..lock.bound }, roles: vec![Role::STORE], ..lock };
        assert_eq!(refused(&sqlite), NoIsolationTest::OtherStore);
    }
}
