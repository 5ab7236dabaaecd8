//! The model beside a broker, step by step: also what no strategy asks for.

use std::collections::HashSet;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::driver::KafkaBackend;
use super::model::KafkaPartitions;
use super::op::KafkaOp;
use super::response::KafkaResponse;
use crate::service::contract::Operation;
use crate::service::modelled::{Asker, Model};
use crate::service::provision::{self, Provision, Source, Started};
use crate::service::{AnyOp, Backend, HasIds, IdKind, Outcome, Response, Store};
use crate::terms::{
    AccountId, ClientId, Delivery, Effect, Entry, MessageId, Offset, Producer, ProducerId, Request, Role, Session,
    TransactionProtocol, Transactions,
};

const STEPS: u32 = 3_000;
const SEED: u64 = 7;

/// So many steps are made under a transactional id.
const FOR_EACH_ID: u32 = 50;

/// A step: any of a few producers, in any of a few epochs, with any of a few numbers, to any of a few partitions.
fn step(n: u32, dice: &mut ChaCha8Rng) -> KafkaOp {
    let effect = Effect { account: AccountId(dice.random_range(0..2)), amount: 10 };
    let request = Request { id: MessageId(n), client: ClientId(0), sequence: n, effect };
    if dice.random_ratio(1, 10) {
        return KafkaOp::produce(&request);
    }
    // Steps mostly go on from where the one before may have been: else nearly all would be out of order.
    let epoch = i16::from(n > STEPS / 2) + i16::from(dice.random_ratio(1, 50));
    let producer = Producer { id: ProducerId(900_000 + dice.random_range(0..40)), epoch };
    KafkaOp::produce_numbered(&request, producer, dice.random_range(0..9))
}

/// The next step of a client's transactions: mostly what a session would do next, in its epoch.
fn transactional_step(n: u32, client: ClientId, session: Option<Producer>, dice: &mut ChaCha8Rng) -> KafkaOp {
    let effect = Effect { account: AccountId(dice.random_range(0..2)), amount: 10 };
    let request = Request { id: MessageId(n), client, sequence: n, effect };
    let Some(producer) = session.filter(|_| !dice.random_ratio(1, 12)) else {
        return KafkaOp::init_transactions(client);
    };
    let earlier = i16::from(dice.random_ratio(1, 6));
    let epoch = producer.epoch - earlier + i16::from(dice.random_ratio(1, 30));
    let protocol = if client.0.is_multiple_of(2) { TransactionProtocol::One } else { TransactionProtocol::Two };
    let of = Transactions { client, producer: Producer { epoch, ..producer }, protocol };
    match dice.random_range(0..16) {
        0..3 if protocol == TransactionProtocol::One => KafkaOp::add_partition(of, effect.account),
        3..5 if protocol == TransactionProtocol::One => KafkaOp::add_offsets(of),
        0..8 => KafkaOp::produce_in_transaction(&request, of, dice.random_range(0..3)),
        8..11 => KafkaOp::commit_offset_in_transaction(of, Offset(n)),
        11..13 => KafkaOp::commit_transaction(of),
        13..15 => KafkaOp::abort_transaction(of),
        _ => KafkaOp::fetch_offset(client),
    }
}

/// What is answered, but for ids: each side has its own.
fn without_ids(outcome: Outcome) -> Outcome {
    let Outcome::Ok(response) = outcome else { return outcome };
    Outcome::Ok(response.map_ids(&mut |kind, id| if kind == IdKind::Asked { 0 } else { id }))
}

/// A broker that was started for a test, unless there is none and none has to be.
async fn broker() -> Option<Started> {
    let source = Source { provision: Provision::Process, ..Source::default() };
    match provision::kafka(&source).await {
        Ok(started) => Some(started),
        Err(error) if error.what.contains("not installed") => {
            assert!(std::env::var_os("ONCELAB_REQUIRE_BACKENDS").is_none(), "{error}");
            // Straight to the file: what a passing test prints is not shown.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("\nSKIPPED: {error}\n").as_bytes());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn block_on<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(what)
}

/// The messages of an account's entries, in their order.
fn messages(entries: &[Entry], account: u32) -> Vec<MessageId> {
    let of = entries.iter().filter(|entry| entry.account == AccountId(account));
    of.map(|entry| entry.message).collect()
}

const BY: Asker = Asker { by: Delivery::FIRST, role: Role::BROKER, id: 1 };

#[test]
fn a_broker_answers_every_step_as_the_model_does() {
    block_on(async {
        let Some(started) = broker().await else { return };
        let url = started.urls().remove(0);
        let backend = KafkaBackend::new(&url, "oncelab/steps", Duration::from_secs(10)).expect("a URL");
        backend.reset(0).await.expect("a topic");
        let mut connection = backend.connect().await.expect("a connection");
        let (mut model, mut ledger, mut dice) = (KafkaPartitions::default(), Vec::new(), ChaCha8Rng::seed_from_u64(7));
        for n in 0..STEPS {
            let op = step(n, &mut dice);
            let real = connection.execute(AnyOp::from(op), BY.by).await.expect("it can be used");
            let modelled = model.call(Session(0), &op, &BY, &mut ledger).expect("nothing waits").map(Into::into);
            assert_eq!(real, modelled, "step {n}: {op}");
        }
        let real = backend.ledger().await.expect("it can be read");
        for account in 0..2 {
            assert_eq!(messages(&real, account), messages(&ledger, account));
        }
        assert!(ledger.len() > 500 && ledger.len() < STEPS as usize / 2, "{}", ledger.len());
    });
}

#[test]
fn a_broker_ends_transactions_as_the_model_does() {
    block_on(async {
        let Some(started) = broker().await else { return };
        let url = started.urls().remove(0);
        let backend = KafkaBackend::new(&url, "oncelab/transactions", Duration::from_secs(10)).expect("a URL");
        backend.reset(0).await.expect("a topic");
        let mut connection = backend.connect().await.expect("a connection");
        let mut overseer = backend.overseer().await.expect("a connection");
        let (mut model, mut ledger, mut dice) =
            (KafkaPartitions::default(), Vec::new(), ChaCha8Rng::seed_from_u64(SEED));
        let (mut session, mut story, mut answers) = (None, Vec::new(), HashSet::new());
        let (mut different, mut skipped) = (Vec::new(), u32::MAX);
        for n in 0..STEPS {
            if n / FOR_EACH_ID == skipped {
                continue;
            }
            // A transactional id does for so many steps, and begins with what it left open.
            let client = ClientId(n / FOR_EACH_ID);
            if n % FOR_EACH_ID == 0 {
                (session, story) = (None, Vec::new());
            }
            let op = transactional_step(n, client, session, &mut dice);
            let real = connection.execute(AnyOp::from(op), BY.by).await.expect("it can be used");
            overseer.wait_for_ends(&backend.names_begin_with()).await.expect("it can be used");
            let modelled = model.call(Session(0), &op, &BY, &mut ledger).expect("nothing waits").map(Into::into);
            story.push(format!("{op}: {real:?}"));
            if without_ids(real) != without_ids(modelled) {
                // What comes after is another story.
                different.push(format!("{}\nand not {modelled:?}", story.join("\n")));
                skipped = n / FOR_EACH_ID;
                continue;
            }
            let Outcome::Ok(Response::Kafka(said)) = real else { continue };
            // Without what the answer says, but for which one it is.
            answers.insert((op.kind().name, std::mem::discriminant(&said)));
            session = match (said, session) {
                (KafkaResponse::Initialized(producer), _) => Some(producer),
                (KafkaResponse::Ended(epoch), Some(producer)) => Some(Producer { epoch: epoch.0, ..producer }),
                (_, session) => session,
            };
        }
        assert!(different.is_empty(), "{}: {}", different.len(), different.join("\n\n"));
        overseer.abort_all(&backend.names_begin_with()).await.expect("it can be used");
        let mut real = backend.ledger().await.expect("it can be read");
        real.sort_by_key(|entry| entry.message);
        ledger.sort_by_key(|entry| entry.message);
        for account in 0..2 {
            assert_eq!(messages(&real, account), messages(&ledger, account));
        }
        assert!(ledger.len() > 15 && answers.len() > 15, "{} {answers:#?}", ledger.len());
    });
}

/// What a partition keeps of numbers that it has asked about: which it takes afterwards, and which not. `P` stands for the producer's id.
const NUMBERS: [(&str, &str); 13] = [
    // A number in a later epoch than there is, and nothing higher is taken before the next end.
    ("produce-in-transaction m1 +1 to 0 number 0 of 9000 by P/0 protocol 2", "appended 0"),
    ("produce-in-transaction m2 +1 to 0 number 0 of 9000 by P/1 protocol 2", "fenced"),
    ("produce-in-transaction m3 +1 to 0 number 1 of 9000 by P/0 protocol 2", "out-of-order"),
    ("commit-transaction of 9000 by P/0 protocol 2", "epoch 1"),
    // One in an earlier epoch, which the partition knows to be over, keeps nothing out.
    ("produce-in-transaction m4 +1 to 0 number 0 of 9000 by P/1 protocol 2", "appended 0"),
    ("produce-in-transaction m5 +1 to 0 number 0 of 9000 by P/0 protocol 2", "fenced"),
    ("produce-in-transaction m6 +1 to 0 number 1 of 9000 by P/1 protocol 2", "appended 0"),
    ("commit-transaction of 9000 by P/1 protocol 2", "epoch 2"),
    // The answer to an end is the same once more; another end is none.
    ("commit-transaction of 9000 by P/1 protocol 2", "epoch 2"),
    ("abort-transaction of 9000 by P/1 protocol 2", "invalid-state"),
    ("commit-transaction of 9000 by P/0 protocol 2", "fenced"),
    ("abort-transaction of 9000 by P/2 protocol 2", "epoch 3"),
    ("produce-in-transaction m7 +1 to 1 number 1 of 9000 by P/3 protocol 2", "out-of-order"),
];

#[test]
fn a_partition_takes_the_numbers_that_a_broker_takes() {
    let request = Request {
        id: MessageId(0),
        client: ClientId(0),
        sequence: 0,
        effect: Effect { account: AccountId(0), amount: 1 },
    };
    let operation = |text: &str, producer: u32| {
        let text = text.replace('P', &producer.to_string());
        let (kind, rest) = text.split_once(' ').expect("a kind");
        KafkaOp::parse(kind, rest, &request).unwrap_or_else(|| panic!("{text}"))
    };
    let mut model = KafkaPartitions::default();
    let mut modelled = |op: &KafkaOp| match model.call(Session(0), op, &BY, &mut Vec::new()) {
        Ok(crate::terms::OutcomeOf::Ok(response)) => response,
        other => panic!("{other:?}"),
    };
    modelled(&KafkaOp::init_transactions(ClientId(9000)));
    for (text, said) in NUMBERS {
        assert_eq!(modelled(&operation(text, 1)).to_string(), said, "{text}");
    }
    block_on(async {
        let Some(started) = broker().await else { return };
        let url = started.urls().remove(0);
        let backend = KafkaBackend::new(&url, "oncelab/numbers", Duration::from_secs(10)).expect("a URL");
        backend.reset(0).await.expect("a topic");
        let (mut connection, mut overseer) = (backend.connect().await.unwrap(), backend.overseer().await.unwrap());
        let begun = connection.execute(KafkaOp::init_transactions(ClientId(9000)).into(), BY.by).await.unwrap();
        let Outcome::Ok(Response::Kafka(KafkaResponse::Initialized(producer))) = begun else { panic!("{begun:?}") };
        for (text, said) in NUMBERS {
            let real = connection.execute(operation(text, producer.id.0).into(), BY.by).await.unwrap();
            overseer.wait_for_ends(&backend.names_begin_with()).await.unwrap();
            let Outcome::Ok(Response::Kafka(real)) = real else { panic!("{text}: {real:?}") };
            assert_eq!(real.to_string(), said, "{text}");
        }
    });
}
