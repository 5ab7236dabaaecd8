//! HTTP/1.1 and HTTP/2 (with prior knowledge) for the lab's own servers. A request is read whole before anything is decided, and the
//! decision may be not to answer: the connection can be dropped, kept without an answer, or closed when it is idle.
//!
//! Ordinary servers cannot do that, and clients with a pool repeat requests by themselves. So each connection is hyper's, served by a
//! task of its own.

#[allow(dead_code, reason = "of two versions of HTTP, replays speak one")]
mod client;
mod connection;
#[allow(dead_code, reason = "under load more is asked of a request than in replays")]
pub(crate) mod exchange;
#[cfg(test)]
mod exchange_tests;
mod listener;
#[cfg(test)]
mod tests;
mod whole;

pub(crate) use client::{HttpConnection, HttpVersion, NoAnswer, Peer};
pub(crate) use connection::{Arrived, Refused, Treatment, Treats};
pub(crate) use listener::{HttpLimits, HttpListener};
