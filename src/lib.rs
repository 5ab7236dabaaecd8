//! Oncelab: a laboratory for exactly-once effects.
//!
//! The way of a request: a client ([`load`]) sends it through the network's faults ([`fault`]) to a handler, which runs a
//! [`strategy`]; the strategy asks its [`world`], whose port carries each operation to a [`service`]; everything is
//! recorded ([`history`]), and judged against the store's ledger ([`check`]). [`results`] keeps it, [`report`] shows it.
//!
//! A strategy of another crate needs [`strategy`], [`world`] and [`terms`], and hands itself to [`cli::main_with`].

pub mod check;
pub mod cli;
pub mod exit;
pub mod experiment;
pub mod explore;
pub mod fault;
pub mod history;
pub mod lab;
pub mod load;
pub mod quote;
pub mod replay;
pub mod report;
pub mod results;
pub mod service;
pub mod stats;
pub mod strategy;
pub mod suggest;
pub mod terms;
pub mod wire;
pub mod world;
