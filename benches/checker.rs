//! What it costs to judge a history: grouping, every check, and the tally.

use std::hint::black_box;
use std::num::NonZeroI64;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use oncelab::check::{Case, Evidence, Tally, findings};
use oncelab::history::{Event, What};
use oncelab::service::etcd::{LockOp, LockResponse};
use oncelab::service::store::{StoreOp, StoreResponse};
use oncelab::terms::{
    AccountId, Answer, Balances, ByRole, ClientId, Delivery, Effect, Entry, FaultKind, LeaseId, LockKey, MessageId,
    Request, Retries, Role, Shape, Token,
};
use oncelab::world::{Outcome, Response};

const REQUESTS: u32 = 80_000;

/// An honest history as a lock strategy makes it: about twelve events a request, one request in fifty sent again, and nothing
/// done twice. Whoever judges it goes through all of it.
struct History {
    requests: Vec<Request>,
    events: Vec<Event>,
    ledger: Vec<Entry>,
    balances: ByRole<Balances>,
}

const ACCOUNTS: u32 = 256;

fn history() -> History {
    let mut balances = ByRole::<Balances>::default();
    balances[Role::STORE] = (0..ACCOUNTS).map(|account| (AccountId(account), 0)).collect();
    let mut history = History { requests: Vec::new(), events: Vec::new(), ledger: Vec::new(), balances };
    for n in 0..REQUESTS {
        let effect = Effect { account: AccountId(n % ACCOUNTS), amount: 3 };
        let request = Request { id: MessageId(n), client: ClientId(n % 16), sequence: n / 16, effect };
        history.requests.push(request);
        history.deliver(request, Delivery::FIRST, n.is_multiple_of(50));
        if n.is_multiple_of(50) {
            history.deliver(request, Delivery { attempt: 1, copy: 0 }, false);
        }
    }
    history
}

impl History {
    fn deliver(&mut self, request: Request, delivery: Delivery, loses_reply: bool) {
        let account = request.effect.account;
        let number = self.events.len() as u64;
        let token = Token(NonZeroI64::new(i64::from(request.id.0) + 1).expect("above zero"));
        let key = LockKey { account, lease: LeaseId(token.0.get()) };
        let is_first = delivery == Delivery::FIRST;
        let balance = &mut self.balances[Role::STORE][account.0 as usize].1;
        *balance += if is_first { i64::from(request.effect.amount) } else { 0 };
        let answer = Answer(*balance);
        let found = (!is_first).then_some(answer);
        let mut steps = vec![
            (LockOp::GrantLease.into(), Response::Etcd(LockResponse::Granted(key.lease))),
            (LockOp::acquire(key).into(), Response::Etcd(LockResponse::Held(token))),
            (StoreOp::read_mark(request.id).into(), Response::Store(StoreResponse::Found(found))),
        ];
        if is_first {
            steps.push((
                StoreOp::apply_fenced(&request, token).into(),
                Response::Store(StoreResponse::Applied(Some(answer))),
            ));
            steps.push((StoreOp::write_mark(request.id, answer).into(), Response::Store(StoreResponse::Done)));
            let Effect { account, amount } = request.effect;
            let entry = Entry {
                role: Role::STORE,
                number,
                message: request.id,
                account,
                amount: amount.into(),
                balance: answer.0,
                token: Some(token),
                by: delivery,
            };
            self.ledger.push(entry);
        }
        steps.extend([
            (LockOp::release(key).into(), Response::Store(StoreResponse::Done)),
            (LockOp::Revoke(key.lease).into(), Response::Store(StoreResponse::Done)),
        ]);

        let fault = loses_reply.then_some(FaultKind::ReplyLost);
        let reply = Ok(answer);
        self.push(request.id, delivery, What::Sent { fault, delayed: false });
        self.push(request.id, delivery, What::Arrived);
        for (op, response) in steps {
            let outcome = Some(Outcome::Ok(response));
            self.push(request.id, delivery, What::Called { op, outcome, fault: None, delayed: false, took_us: 0 });
        }
        self.push(request.id, delivery, What::Answered { reply, heard: !loses_reply });
        self.push(request.id, delivery, if loses_reply { What::TimedOut } else { What::Received { reply } });
    }

    fn push(&mut self, message: MessageId, delivery: Delivery, what: What) {
        let at_ns = self.events.len() as u64 * 1_000;
        self.events.push(Event { at_ns, message, delivery, handler: 0, what });
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence {
            requests: &self.requests,
            events: &self.events,
            ledger: &self.ledger,
            balances: Some(&self.balances),
            effects: &[Role::STORE],
            disturbed: &[],
            retries: Retries::UntilAcknowledged,
            shape: Shape::Account,
            lease: Duration::from_secs(2),
        }
    }
}

fn checker(criterion: &mut Criterion) {
    let history = history();
    let mut group = criterion.benchmark_group("checker");
    group.throughput(Throughput::Elements(history.events.len() as u64));
    group.bench_function("group, check and tally", |bencher| {
        bencher.iter_batched(
            || history.evidence(),
            |evidence| {
                let case = Case::new(evidence);
                black_box(Tally::new(&case, &findings(&case)))
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = checker
}
criterion_main!(benches);
