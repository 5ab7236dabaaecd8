//! Pure semantics of the lock service: no I/O, no clock, no randomness.

pub mod lock_service;
