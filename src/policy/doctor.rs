//! What the findings of `doctor` mean. Pure: what was found comes in, a check goes out.
//!
//! One file for each theme. What could not be found out is `None`, and never green.

mod files;
mod isolation;
mod machine;
mod sinks;
mod trigger;

pub use files::{Logs, Place, Rotation, State, above, disk, locks, logs, permissions, removed, rotation, state};
pub use isolation::{Fate, Home, Pids, Trial, caller, isolation, limits, sandbox};
pub use machine::{Adopter, First, Kernel, Moment, clock, first, kernel, orphans, ptrace, set_by, wsl};
pub use sinks::{Reached, sink, sinks};
pub use trigger::{Crontab, Login, Timer, Timers, boolean, configured, cron, linger, logout, systemd, trigger};

use crate::model::check::{Check, Grade};

/// For an agent that is to work alone, what is only uncomfortable for a person is not good enough: nobody looks.
#[must_use]
pub fn strict(check: Check) -> Check {
    let alone = matches!(check.name, "trigger" | "sinks" | "agent");
    match check.grade {
        Grade::Yellow if alone => Check { grade: Grade::Red, ..check },
        Grade::Green | Grade::Yellow | Grade::Red => check,
    }
}

/// Each check has this grade, and says what to do unless all is well.
#[cfg(test)]
fn graded(cases: &[(&str, Check, Grade)]) {
    for (claim, check, grade) in cases {
        assert_eq!(check.grade, *grade, "{claim}: {check:?}");
        assert_eq!(check.mend.is_none(), *grade == Grade::Green, "what is not well says what mends it: {check:?}");
    }
}
