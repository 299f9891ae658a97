//! Progress and hangs, as tables.
