//! The life of a death.
//!
//! A managed process ends. Its parent, the [`shim`], has recorded every signal on its way there
//! and now records the end, durably, before it lets go of the lock that proved the run alive. It
//! then starts a *pass* ([`healthcheck`]) for that one name; cron starts the same pass for all
//! names every minute, in case the shim was killed as well.
//!
//! The pass gathers evidence ([`model::evidence`]) from lock, record and kernel ([`os`],
//! [`store`]), and lets pure functions turn it into a verdict and a decision ([`policy`]). The
//! decision is committed with one rename, together with the events that follow from it; only
//! then is it acted on: the next run is started and the events become notifications in the
//! outbox, which [`alert`] delivers after every lock is released.
//!
//! Dependencies point down: drivers (`cli`, `shim`, `healthcheck`) → effects (`os`, `store`,
//! `alert`) → pure (`model`, `policy`, `registry`, `transfer`, `view`). A test holds that line.

pub mod adopt;
pub mod agent;
pub mod alert;
mod blocked;
pub mod cli;
pub mod context;
pub mod dependants;
pub mod error;
pub mod fleet;
pub mod forget;
pub mod healthcheck;
pub mod hook;
pub mod incidents;
pub mod inspect;
pub mod launch;
pub mod liveness;
pub mod living;
pub mod logs;
pub mod masking;
pub mod metadata;
pub mod metrics;
pub mod model;
pub mod os;
pub mod policy;
pub mod post_mortem;
pub mod prune;
pub mod publish;
pub mod readiness;
pub mod registry;
pub mod rotate;
pub mod shim;
pub mod spool;
pub mod store;
pub mod storm;
pub mod strays;
pub mod supervise;
pub mod transfer;
pub mod view;
pub mod watches;
