//! Oncelab: a laboratory for exactly-once effects.
//!
//! The way of a request: a client ([`load`]) sends it through the network's faults ([`fault`]) to a handler, which runs a
//! [`strategy`]; the strategy asks its [`world`], whose port carries each operation to a [`service`]; everything is
//! recorded ([`history`]), and judged against the store's ledger ([`check`]). [`results`] keeps it, [`report`] shows it.
//!
//! A strategy of another crate needs [`strategy`], [`world`] and [`terms`], and hands itself to [`cli::main_with`].

#![cfg_attr(
    not(feature = "lab"),
    allow(dead_code, unused_imports, reason = "some parts of the models and the engines serve the lab alone")
)]

pub mod check;
#[cfg(feature = "lab")]
pub mod cli;
#[cfg(feature = "lab")]
pub mod exit;
#[cfg(feature = "lab")]
pub mod experiment;
pub mod explore;
pub mod fault;
pub mod history;
#[cfg(feature = "lab")]
pub mod lab;
#[cfg(feature = "lab")]
pub mod load;
#[cfg(feature = "lab")]
pub mod quote;
#[cfg(feature = "lab")]
pub mod replay;
#[cfg(feature = "lab")]
pub mod report;
#[cfg(feature = "lab")]
pub mod results;
pub mod service;
pub mod stats;
pub mod strategy;
pub mod suggest;
pub mod terms;
#[cfg(feature = "lab")]
pub mod wire;
pub mod world;
