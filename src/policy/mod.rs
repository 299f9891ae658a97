//! The verbs: what follows from what is known. Pure functions of values; time is an argument.
//!
//! Nothing here reads a clock, a file, the environment or the kernel, and nothing acts.

pub mod delivery;

pub mod notify;
