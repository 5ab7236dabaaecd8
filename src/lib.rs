//! Oncelab: a laboratory for exactly-once effects.
//!
//! A strategy says how a request gets its effect once. The lab explores every schedule of a strategy within a bound, runs
//! the strategy under load with faults, and replays schedules on real servers. Here is a strategy of another crate, and
//! the shortest way to break it:
//!
//! ```
//! use oncelab::explore::{Bound, Exploration, Limits};
//! use oncelab::strategy::{Claim, Strategy, async_trait};
//! use oncelab::terms::{Reply, Request, Retries, StoreKind, Violation};
//! use oncelab::world::World;
//!
//! struct LookFirst;
//!
//! #[async_trait]
//! impl Strategy for LookFirst {
//!     fn name(&self) -> &'static str {
//!         "look-first"
//!     }
//!
//!     fn steps(&self) -> &'static str {
//!         "[read K] [X] [write K]"
//!     }
//!
//!     fn claim(&self, _: StoreKind) -> Claim {
//!         Claim {
//!             promise: "exactly once",
//!             retries: Retries::UntilAcknowledged,
//!             rules_out: &Violation::ALL,
//!             tolerates: &[],
//!             breaks: &[],
//!         }
//!     }
//!
//!     async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
//!         if let Some(answer) = world.store().read_mark(request.id).await? {
//!             return Ok(answer);
//!         }
//!         let answer = world.store().apply(request).await?;
//!         world.store().write_mark(request.id, answer).await?;
//!         Ok(answer)
//!     }
//! }
//!
//! // Two deliveries of a request, no retries, no faults.
//! let explored = Exploration::new(&LookFirst, Bound::new(2, 0, 0), Limits::default(), &mut ())?;
//! let claim = LookFirst.claim(StoreKind::Postgres);
//! assert_eq!(explored.broken_promises(&claim), [Violation::Duplicate, Violation::Deviating]);
//! // Delivery a reads and acts. Before a has written its mark, delivery b reads: b finds no mark, and acts too.
//! assert_eq!(explored.minimal[0].schedule.to_string(), "a a b b");
//! # Ok::<(), oncelab::explore::ExploreError>(())
//! ```
//!
//! # The three groups of modules
//!
//! *Stable*: [`strategy`], [`world`] and [`terms`]. A strategy needs nothing else.
//!
//! *Extension points*: [`explore`] and [`check`], which other programs may call, and [`service`]. They may change from one
//! version to the next. Another crate adds strategies. Services are a list in this crate: to add one is to change this crate.
//!
//! *Private*: all the rest. A few of those modules are public, and hidden from the documentation, because the lab's own
//! tests and benches are crates of their own.
//!
//! # Features
//!
//! Both are on by default. Without them the crate has the groups above: strategies, models of the services, explorations
//! and checks. That is all that a strategy's author needs to explore it, and the crate builds in seconds.
//!
//! - `lab`: servers and their drivers, load, replays, reports, and the command line, to which another crate hands its strategies
#![cfg_attr(feature = "lab", doc = "  ([`cli::main_with`]).")]
#![cfg_attr(not(feature = "lab"), doc = "  (`cli::main_with`).")]
//! - `containers`: servers in containers. Without it the lab starts servers as processes.

#![cfg_attr(
    not(feature = "lab"),
    allow(dead_code, unused_imports, reason = "some parts of the models and the engines serve the lab alone")
)]

pub mod strategy;
pub mod terms;
pub mod world;

pub mod check;
pub mod explore;
pub mod service;

#[cfg(feature = "lab")]
pub mod cli;

// Hidden, and public only because the lab's tests and benches are crates of their own.
#[cfg(feature = "lab")]
#[doc(hidden)]
pub mod experiment;
#[doc(hidden)]
pub mod fault;
#[doc(hidden)]
pub mod history;
#[cfg(feature = "lab")]
#[doc(hidden)]
pub mod lab;
#[cfg(feature = "lab")]
#[doc(hidden)]
pub mod load;
#[cfg(feature = "lab")]
#[doc(hidden)]
pub mod quote;
#[cfg(feature = "lab")]
#[doc(hidden)]
pub mod replay;
#[cfg(feature = "lab")]
#[doc(hidden)]
pub mod report;
#[cfg(feature = "lab")]
#[doc(hidden)]
pub mod results;
#[doc(hidden)]
pub mod stats;
#[cfg(feature = "lab")]
#[doc(hidden)]
pub mod wire;

#[cfg(feature = "lab")]
mod exit;
#[cfg(feature = "lab")]
mod parallel;
#[cfg(feature = "lab")]
mod repeats;
mod suggest;
