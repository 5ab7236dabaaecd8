//! Who repeats requests behind their sender's back: a server that does to each request what its path says, and counts how often each
//! request comes.

mod arrivals;
mod demand;
mod document;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use arrivals::{Arrivals, CountedRequest};
pub(crate) use demand::{GRAMMAR, LISTING};
pub(crate) use document::{document, kinds};
pub(crate) use server::{RepeatsServer, Settings};
