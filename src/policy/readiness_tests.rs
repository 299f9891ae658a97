//! Readiness by tables.
