//! What works for the system under load: tasks that begin with it, and take a turn for each request some time after it came first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::handler::{Panic, unpanicked};
use super::setting::Setting;
use crate::fault::{FaultyPort, Surroundings};
use crate::history::LONG;
use crate::strategy::{Resident, Turn};
use crate::terms::{Delivery, Request, Trouble};
use crate::world::World;

/// How long a request waits for its next turn, if there was nothing to do for it yet or the turn failed.
const AGAIN: Duration = Duration::from_millis(5);

/// How many tasks there are of each, with a connection each: one alone would fall behind the handlers.
const TASKS: u32 = 4;

/// The copies that deliveries have which are turns: above those that the network makes.
const FIRST_COPY: u8 = 2;

/// Who is told of requests that come: the tasks of each resident.
#[derive(Clone, Default)]
pub(super) struct Newcomers(Vec<Vec<UnboundedSender<Request>>>);

impl Newcomers {
    /// A request has come, not necessarily for the first time.
    #[inline]
    pub fn tell(&self, request: &Request) {
        // Whoever works for the system ends when nobody can tell it anything any more, or panics.
        for tasks in &self.0 {
            let _ = tasks[request.id.0 as usize % tasks.len()].send(*request);
        }
    }
}

/// A resident at work under load.
struct ResidentTask {
    resident: &'static dyn Resident,
    /// How long after a request has come it takes its first turn.
    after: Duration,
    number: u8,
    port: FaultyPort,
    came: UnboundedReceiver<Request>,
}

/// A request that a turn is due for.
struct Due {
    request: Request,
    at: Instant,
    turn: u8,
}

/// Starts what works for the system. It ends soon after the last of the newcomers is dropped.
pub(super) fn start(setting: &Setting, around: &Arc<Surroundings>) -> (Newcomers, JoinSet<Result<(), Panic>>) {
    let (mut newcomers, mut at_work) = (Newcomers::default(), JoinSet::new());
    for (number, (resident, after)) in (0..).zip(residents(setting)) {
        let mut tasks = Vec::new();
        for _ in 0..TASKS {
            let (tell, came) = unbounded_channel();
            let port = FaultyPort::new(Arc::clone(around), u16::from(number), around.recorders.recorder(LONG));
            tasks.push(tell);
            at_work.spawn(ResidentTask { resident, after, number, port: port.of_an_actor(), came }.run());
        }
        newcomers.0.push(tasks);
    }
    (newcomers, at_work)
}

/// What works for the system in a trial, and how long after a request has come.
fn residents(setting: &Setting) -> Vec<(&'static dyn Resident, Duration)> {
    let own = setting.strategy.residents().iter().map(|resident| (*resident, Duration::ZERO));
    let reaper = setting.level.reaper.and_then(|settings| {
        let reaped = setting.strategy.reaper()?;
        Some((reaped.reaper, Duration::from_millis(settings.after_ms.get().into())))
    });
    own.chain(reaper).collect()
}

impl ResidentTask {
    async fn run(mut self) -> Result<(), Panic> {
        let mut seen = Vec::new();
        // In the order of the times at which they are due.
        let mut waiting: VecDeque<Due> = VecDeque::new();
        let mut again: VecDeque<Due> = VecDeque::new();
        loop {
            let is_earlier = |one: &Due, other: Option<&Due>| other.is_none_or(|other| one.at <= other.at);
            let next = match again.front() {
                Some(due) if is_earlier(due, waiting.front()) => &mut again,
                _ => &mut waiting,
            };
            let due_at = next.front().map(|due| due.at);
            tokio::select! {
                came = self.came.recv() => {
                    let Some(request) = came else { return Ok(()) };
                    if is_first(&mut seen, &request) {
                        waiting.push_back(Due { request, at: Instant::now() + self.after, turn: 0 });
                    }
                }
                () = sleep_until(due_at.unwrap_or_else(Instant::now)), if due_at.is_some() => {
                    let Some(due) = next.pop_front() else { continue };
                    if !self.turn(&due).await? && due.turn < u8::MAX {
                        again.push_back(Due { at: Instant::now() + AGAIN, turn: due.turn + 1, ..due });
                    }
                }
            }
        }
    }

    /// One turn; whether there is nothing left to do for the request.
    async fn turn(&mut self, due: &Due) -> Result<bool, Panic> {
        let by = Delivery { attempt: due.turn, copy: FIRST_COPY + self.number };
        turn(self.resident, &mut self.port, &due.request, by).await
    }
}

/// A turn about a request; whether there is nothing left to do for it.
async fn turn(resident: &dyn Resident, port: &mut FaultyPort, request: &Request, by: Delivery) -> Result<bool, Panic> {
    port.turn_to(request.id, by);
    let (mut world, mut is_done) = (World::new(port), false);
    unpanicked(async {
        let turned = resident.turn(&mut world, request).await?;
        is_done = turned == Turn::Done;
        Ok::<(), Trouble>(())
    })
    .await?
    .ok();
    port.end();
    Ok(is_done)
}

/// Whether a request has not come before.
fn is_first(seen: &mut Vec<bool>, request: &Request) -> bool {
    let place = request.id.0 as usize;
    if seen.len() <= place {
        seen.resize(place + 1, false);
    }
    !std::mem::replace(&mut seen[place], true)
}
