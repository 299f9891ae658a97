//! Commands: arguments in, text and exit code out.

pub mod spec_args;
