//! Pure semantics of store and lock service: no I/O, no clock, no randomness.

pub mod lock_service;
pub mod store;
