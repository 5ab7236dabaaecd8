//! The model beside a broker, step by step: what no strategy asks for yet, and what transactions will stand on.

use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::driver::KafkaBackend;
use super::model::KafkaPartitions;
use super::op::KafkaOp;
use crate::service::modelled::{Asker, Model};
use crate::service::provision::{self, Provision, Source};
use crate::service::{AnyOp, Backend, Store};
use crate::terms::{AccountId, ClientId, Delivery, Effect, MessageId, Producer, ProducerId, Request, Role, Session};

const STEPS: u32 = 3_000;

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

#[test]
fn a_broker_answers_every_step_as_the_model_does() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let source = Source { provision: Provision::Process, ..Source::default() };
        let started = match provision::kafka(&source).await {
            Ok(started) => started,
            Err(error) if error.what.contains("not installed") => {
                assert!(std::env::var_os("ONCELAB_REQUIRE_BACKENDS").is_none(), "{error}");
                // Straight to the file: what a passing test prints is not shown.
                let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("\nSKIPPED: {error}\n").as_bytes());
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let url = started.urls().remove(0);
        let backend = KafkaBackend::new(&url, "oncelab/steps", Duration::from_secs(10)).expect("a URL");
        backend.reset(0).await.expect("a topic");
        let mut connection = backend.connect().await.expect("a connection");
        let (mut model, mut ledger, mut dice) = (KafkaPartitions::default(), Vec::new(), ChaCha8Rng::seed_from_u64(7));
        let by = Asker { by: Delivery::FIRST, role: Role::BROKER, id: 1 };
        for n in 0..STEPS {
            let op = step(n, &mut dice);
            let real = connection.execute(AnyOp::from(op), by.by).await.expect("it can be used");
            let modelled = model.call(Session(0), &op, &by, &mut ledger).expect("nothing waits").map(Into::into);
            assert_eq!(real, modelled, "step {n}: {op}");
        }
        let said = |entries: &[crate::terms::Entry], account| {
            let of = entries.iter().filter(|entry| entry.account == AccountId(account));
            of.map(|entry| entry.message).collect::<Vec<_>>()
        };
        let real = backend.ledger().await.expect("it can be read");
        for account in 0..2 {
            assert_eq!(said(&real, account), said(&ledger, account));
        }
        assert!(ledger.len() > 500 && ledger.len() < STEPS as usize / 2, "{}", ledger.len());
    });
}
