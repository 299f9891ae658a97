//! The real program, from outside: each test has a guardian home of its own, runs the built binary and looks at what the
//! kernel, the files and the mail server say.
//!
//! Modules are themes, test names are claims. `home`, `procs`, `rig_*` and `mail` are the rig; nothing in it sleeps for a
//! fixed time: it waits for conditions, with deadlines that only a broken guardian reaches.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy allows these in test functions only; helpers of tests may panic just the same"
)]

mod adopt;
mod agent_input;
mod alerts;
mod alerts_mail;
mod bad_input;
mod breaker;
mod budget;
mod certificate;
mod completion;
mod container;
mod content;
mod cron;
mod damaged;
mod deadlines;
mod defects;
mod delivery;
mod delivery_sweep;
mod demo;
mod dependencies;
mod desktop;
mod doctor;
mod doctor_machine;
mod events_out;
mod exec;
mod export;
mod fleet;
mod forgetting;
mod groups;
mod hang;
mod hang_corpus;
mod history;
mod home;
mod hook;
mod hostile;
mod house;
mod import;
mod incidents;
mod install;
mod install_agent;
mod isolation;
mod judge;
mod last_look;
mod log_care;
mod logs;
mod mail;
mod mail_failures;
mod mcp;
mod metrics;
mod openclaw;
mod pings;
mod preflight;
mod probe;
mod procs;
mod prune;
mod pty;
mod races;
mod ready;
mod reboot;
mod register;
mod report;
mod rig_cron;
mod rotation;
mod run;
mod schedule;
mod sd_notify_real;
mod send;
mod senders;
mod shells;
mod shim;
mod signal;
mod silence;
mod sinks;
mod sinks_real;
mod sinks_tls;
mod spool;
mod start;
mod stop;
mod storm;
mod story;
mod strays;
mod survival;
mod takeover;
mod tracing;
mod trees;
mod upgrade;
mod users;
mod wait;
mod wake;
mod walk;
mod watchdog;
mod watches;
mod ways_to_die;
