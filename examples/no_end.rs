//! Strategies that panic or never come to an end, each in another way: what the lab says of them, and that it goes on.
//!
//! ```text
//! cargo run --release --example no_end -- run quick --strategies dedup-table,waits --set load.delivery_limit_s=1
//! cargo run --release --example no_end -- explore loops
//! ```

use oncelab::strategy::{Claim, Registry, Strategy, async_trait};
use oncelab::terms::{MessageId, Reply, Request, Retries, StoreKind};
use oncelab::world::World;

/// What a strategy does with one message; all others it answers as it should.
#[derive(Clone, Copy)]
enum Instead {
    Panics,
    /// Awaits what never comes.
    Waits,
    /// Keeps its thread, and does nothing.
    Blocks,
    /// Keeps its thread busy.
    Loops,
    /// Asks the store again and again.
    AsksForEver,
}

struct NoEnd(&'static str, Instead);

/// Message 0 comes first in an exploration, and among the first under load.
const UNLUCKY: MessageId = MessageId(0);

#[async_trait]
impl Strategy for NoEnd {
    fn name(&self) -> &'static str {
        self.0
    }

    fn steps(&self) -> &'static str {
        "[X]; with message 0 no end"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim { promise: "nothing", retries: Retries::UntilAcknowledged, rules_out: &[], tolerates: &[], breaks: &[] }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        if request.id == UNLUCKY {
            match self.1 {
                Instead::Panics => panic!("message 0 is unlucky"),
                Instead::Waits => std::future::pending::<()>().await,
                Instead::Blocks => loop {
                    std::thread::park();
                },
                Instead::Loops => loop {
                    std::hint::spin_loop();
                },
                Instead::AsksForEver => loop {
                    // Whatever comes of it.
                    let _ = world.store().read_mark(request.id).await;
                },
            }
        }
        world.store().apply(request).await
    }
}

fn main() -> std::process::ExitCode {
    let mut registry = Registry::default();
    let ways = [
        ("panics", Instead::Panics),
        ("waits", Instead::Waits),
        ("blocks", Instead::Blocks),
        ("loops", Instead::Loops),
        ("asks-for-ever", Instead::AsksForEver),
    ];
    for (name, way) in ways {
        registry.register(NoEnd(name, way));
    }
    oncelab::cli::main_with(&registry)
}
