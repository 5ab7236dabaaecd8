//! One master of Redis, or several that know nothing of each other, as one backend: each operation goes to the one that it names.

use std::sync::Arc;
use std::time::Duration;

use super::RedisOp;
use super::driver::RedisBackend;
use super::vote::Master;
use crate::service::{AnyOp, Backend, BackendError, Connection, Pending, own, spread};

/// The masters of a run. Whatever needs one server only asks the first, which keeps the ledger.
#[derive(Debug, Clone)]
pub(crate) struct RedisMasters {
    first: RedisBackend,
    /// The last of four is the replica of the first.
    others: Vec<RedisBackend>,
    turns: Arc<tokio::sync::Mutex<()>>,
}

impl RedisMasters {
    /// These masters.
    pub fn new(first: RedisBackend, others: Vec<RedisBackend>) -> Self {
        RedisMasters { first, others, turns: Arc::default() }
    }

    /// The same, where whoever lets the replica be promoted is alone with it.
    pub fn taking_turns(self, turns: Arc<tokio::sync::Mutex<()>>) -> Self {
        RedisMasters { turns, ..self }
    }

    /// What whoever lets the replica be promoted holds meanwhile.
    pub fn turns(&self) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(&self.turns)
    }

    /// The replica of the first, if there is one.
    pub fn replica(&self) -> Option<&RedisBackend> {
        self.all().nth(usize::from(Master::REPLICA.0))
    }

    /// The first of them.
    pub fn first(&self) -> &RedisBackend {
        &self.first
    }

    /// All of them, in their order.
    pub fn all(&self) -> impl Iterator<Item = &RedisBackend> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn each(&self, with: impl Fn(&RedisBackend) -> RedisBackend) -> Self {
        let others = self.others.iter().map(&with).collect();
        RedisMasters { first: with(&self.first), others, turns: self.turns() }
    }

    /// The same under another prefix.
    pub fn under(&self, prefix: &str) -> Self {
        self.each(|master| master.under(prefix))
    }

    /// The same, where keys live so long that live for a time, and an operation may wait so long.
    pub fn living(&self, ttl: Duration, timeout: Duration) -> Self {
        self.each(|master| master.living(ttl, timeout))
    }

    /// The same, where the lab's own questions go over one connection to each, on the runtime that asks first.
    pub fn asking_on_one_connection(&self) -> Self {
        self.each(|master| master.clone().asking_on_one_connection())
    }
}

impl Backend for RedisMasters {
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        Box::pin(spread::connect(Arc::new(self.clone()), self.members()))
    }

    /// For one connection: its clock begins when the first master is asked.
    fn members(&self) -> Vec<Arc<dyn Backend>> {
        let asked = Arc::default();
        self.all().map(|master| Arc::new(master.asked_together(&asked)) as Arc<dyn Backend>).collect()
    }

    fn member_of(&self, op: AnyOp) -> usize {
        let op: RedisOp = own(op);
        // Under load nobody would tell the clients of a new master.
        if op.at() == Master::REPLICA { spread::NO_MEMBER } else { usize::from(op.at().0) }
    }

    fn describe(&self) -> Vec<(String, String)> {
        self.first.describe()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::RedisMasters;
    use crate::service::redis::driver::RedisBackend;
    use crate::service::redis::embedded::EmbeddedRedis;
    use crate::service::redis::{Master, RedisOp, RedisResponse, Vote};
    use crate::service::{AnyOp, Backend, Connection, Outcome, Response};
    use crate::terms::{AccountId, Delivery, MessageId};

    /// How long a key lives here.
    const LIFE: Duration = Duration::from_millis(500);

    fn vote(master: u8, before: u8) -> AnyOp {
        RedisOp::SetVote(Vote { account: AccountId(0), message: MessageId(0), at: Master(master), before }).into()
    }

    async fn asked(connection: &mut dyn Connection, op: AnyOp, attempt: u8) -> Outcome {
        connection.execute(op, Delivery { attempt, copy: 0 }).await.expect("the server is well")
    }

    #[test]
    fn a_majority_that_comes_after_the_first_key_has_run_out_is_none() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut servers = Vec::new();
            let mut backends = Vec::new();
            for _ in Master::all() {
                let server = EmbeddedRedis::start(1.0).expect("a port");
                let backend = RedisBackend::new(&server.url(), "oncelab".to_owned(), LIFE, Duration::from_secs(5));
                backends.push(backend.expect("it is a URL"));
                servers.push(server);
            }
            let masters: Arc<dyn Backend> = Arc::new(RedisMasters::new(backends.remove(0), backends));
            let mut connection = masters.connect().await.expect("they are there");
            let (yes, no) = (Outcome::Ok(RedisResponse::Set.into()), Outcome::Ok(RedisResponse::Refused.into()));
            // Each master is a server of its own: both say yes to the same name.
            assert_eq!(asked(connection.as_mut(), vote(0, 0), 0).await, yes);
            let decided = asked(connection.as_mut(), vote(1, 1), 0).await;
            assert!(matches!(decided, Outcome::Ok(Response::Redis(RedisResponse::Locked(_)))), "{decided:?}");
            // Another delivery, over a connection of its own, finds one master free. That is no majority.
            let mut other = masters.connect().await.expect("they are there");
            assert_eq!(asked(other.as_mut(), vote(0, 0), 1).await, no);
            assert_eq!(asked(other.as_mut(), vote(2, 0), 1).await, yes);
            tokio::time::sleep(LIFE * 2).await;
            // Everybody's keys have run out. It asks the first master, stands still, and the second says yes too late.
            assert_eq!(asked(other.as_mut(), vote(0, 0), 2).await, yes);
            tokio::time::sleep(LIFE * 2).await;
            assert_eq!(asked(other.as_mut(), vote(1, 1), 2).await, no);
            // The clock is the connection's own: whoever has just begun is in time.
            assert_eq!(asked(connection.as_mut(), vote(0, 0), 3).await, yes);
            let in_time = asked(connection.as_mut(), vote(2, 1), 3).await;
            assert!(matches!(in_time, Outcome::Ok(Response::Redis(RedisResponse::Locked(_)))), "{in_time:?}");
        });
    }
}
