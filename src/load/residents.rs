//! What works for the system under load: tasks that begin with it, and take a turn for each request some time after it came first. When
//! the load is over they take the turns that are due, and when everything has settled a last one, without faults, where something is left.

use std::collections::VecDeque;
use std::num::NonZeroU8;
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

/// How often a last turn is taken that was of no use, and how long is waited before the next.
const LAST_TURNS: NonZeroU8 = NonZeroU8::new(3).unwrap();
const PAUSE: Duration = Duration::from_millis(50);

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

/// A turn that has left something to do, or was never taken.
#[derive(Clone, Copy)]
pub(super) struct TurnLeft {
    number: u8,
    about: Request,
}

/// A request that a turn is due for.
struct Due {
    request: Request,
    at: Instant,
    turn: u8,
}

/// Starts what works for the system. It ends soon after the last of the newcomers is dropped.
pub(super) fn start(
    setting: &Setting,
    around: &Arc<Surroundings>,
) -> (Newcomers, JoinSet<Result<Vec<TurnLeft>, Panic>>) {
    let (mut newcomers, mut at_work) = (Newcomers::default(), JoinSet::new());
    for (number, (resident, after)) in (0..).zip(residents(setting)) {
        let mut tasks = Vec::new();
        for _ in 0..TASKS {
            let (tell, came) = unbounded_channel();
            // Behind the handlers: each works on one thing at a time.
            let place = setting.load.handlers.get().saturating_add(u16::try_from(at_work.len()).unwrap_or(u16::MAX));
            let port = FaultyPort::new(Arc::clone(around), place, around.recorders.recorder(LONG));
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
    /// Works until nobody can tell it of a request any more, and no turn is due. Gives the turns that are left.
    async fn run(mut self) -> Result<Vec<TurnLeft>, Panic> {
        let (mut seen, mut is_over, mut left) = (Vec::new(), false, Vec::new());
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
            if is_over && due_at.is_none_or(|at| at > Instant::now()) {
                let left = left.iter().chain(&waiting).chain(&again);
                return Ok(left.map(|due| TurnLeft { number: self.number, about: due.request }).collect());
            }
            tokio::select! {
                came = self.came.recv(), if !is_over => {
                    let Some(request) = came else {
                        is_over = true;
                        continue;
                    };
                    if is_first(&mut seen, &request) {
                        waiting.push_back(Due { request, at: Instant::now() + self.after, turn: 0 });
                    }
                }
                () = sleep_until(due_at.unwrap_or_else(Instant::now)), if due_at.is_some() => {
                    let Some(due) = next.pop_front() else { continue };
                    if !self.turn(&due).await? {
                        // The last number is that of turns without faults.
                        let turn = due.turn.saturating_add(1).min(Delivery::FINAL_ATTEMPT - 1);
                        let due = Due { at: Instant::now() + AGAIN, turn, ..due };
                        // The rest is for the last turn: whoever waits for what never comes would never end.
                        if is_over { left.push(due) } else { again.push_back(due) }
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

/// When everything has settled: takes the turns that are left, without faults, in the order of what works for the system.
///
/// # Errors
/// The panic of one of them.
pub(super) async fn last_turns(
    setting: &Setting,
    mut left: Vec<TurnLeft>,
    around: &Arc<Surroundings>,
) -> Result<(), Panic> {
    left.sort_unstable_by_key(|left| (left.number, left.about.id));
    let mut port = FaultyPort::new(Arc::clone(around), 0, around.recorders.recorder(LONG)).of_an_actor();
    for (number, (resident, _)) in (0..).zip(residents(setting)) {
        let mut open: Vec<Request> = left.iter().filter(|left| left.number == number).map(|left| left.about).collect();
        let by = Delivery { copy: FIRST_COPY + number, ..Delivery::FINAL };
        for again in (0..LAST_TURNS.get()).rev() {
            let mut troubled = Vec::new();
            for request in open {
                if !turn(resident, &mut port, &request, by).await? {
                    troubled.push(request);
                }
            }
            if troubled.is_empty() || again == 0 {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            open = troubled;
        }
    }
    Ok(())
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
