//! Asking programs whether they are alive (`probe`), where that is due; judges nothing.
//!
//! Each question is put by a thread of its own, which is left to itself when its time is over: whoever waits for it waits
//! for no longer, whatever it hangs on. No lock is held meanwhile.

mod ask;
mod round;

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::blocked;
use crate::context::Context;
use crate::error::{Code, Error};
use crate::inspect::By;
use crate::launch;
use crate::living::living;
use crate::model::evidence::{Evidence, Lock, Recorded};
use crate::model::liveness::Probed;
use crate::model::name::Name;
use crate::model::probe::Probe;
use crate::model::progress::Stuck;
use crate::model::spec::Spec;
use crate::model::state::{OpenRun, State};
use crate::model::time::Stamp;
use crate::os::clock;
use crate::policy::liveness::{due, is_last, sentence};
use crate::store::environment;

use ask::{Question, silence};
pub use round::{Round, late_round};

/// How late an answer must be asked for when cron's pass does it, beyond the time that it has: until then it is the shim's.
const LATE: Duration = Duration::from_secs(5);
/// A question that ends on its own account has this long to say so.
const SLACK: Duration = Duration::from_millis(250);
/// One that took this much longer than its time was not unanswered: nobody could listen.
const FROZEN: Duration = Duration::from_secs(2);

/// An answer, with the mark of its question.
pub type Answer = (usize, Result<(), String>);

/// A question that was put.
#[derive(Debug)]
pub struct Asked {
    run: u64,
    of: String,
    at: Stamp,
    awake_ms: u64,
    limit: Duration,
    /// That is less than what the registry gives it.
    cut: bool,
    /// What to say of one more failure, where that is one too many.
    last: Option<u32>,
    shim: Option<i32>,
}

/// How long the question to the open run of `name` has been due, where `by` is to put it; `None`: it is not.
#[must_use]
pub fn is_due(spec: &Spec, state: &State, evidence: Option<&Evidence>, by: By) -> Option<Duration> {
    spec.probe.as_ref()?; // the common case costs nothing
    let Evidence { now, shim_lock, record: Recorded::Read(record), .. } = evidence? else { return None };
    let late = due(spec, state.open()?, record, now)?;
    match by {
        By::Cron if *shim_lock == Lock::Held && late < spec.probe_timeout + LATE => None,
        By::Cron | By::Shim => Some(late),
    }
}

/// Puts the question to the open run of `name`, which has no longer than `most` for it; the answer goes to `tell`, marked with `mark`. `None`: there is none to put.
///
/// # Errors
/// A clock, or what the program was started with, cannot be read.
pub fn ask(
    ctx: &Context,
    name: &Name,
    spec: &Spec,
    state: &State,
    evidence: Option<&Evidence>,
    most: Duration,
    (mark, tell): (usize, Sender<Answer>),
) -> Result<Option<Asked>, Error> {
    let (Some(probe), Some(open), Some(Evidence { now, record: Recorded::Read(record), .. })) =
        (&spec.probe, state.open(), evidence)
    else {
        return Ok(None);
    };
    let Some(question) = question(ctx, name, spec, open, probe)? else { return Ok(None) };
    let limit = spec.probe_timeout.min(most);
    let failures = open.probing.as_ref().map_or(0, |probing| probing.failures);
    let asked = Asked {
        run: open.run,
        of: probe.to_string(),
        at: now.clone(),
        awake_ms: awake()?,
        limit,
        cut: limit < spec.probe_timeout,
        last: is_last(spec, open).then_some(failures + 1),
        shim: record.shim.as_ref().map(|shim| shim.pid),
    };
    std::thread::spawn(move || {
        // Who asked may have gone on without the answer.
        drop(tell.send((mark, question.ask(limit))));
    });
    Ok(Some(asked))
}

fn question(ctx: &Context, name: &Name, spec: &Spec, open: &OpenRun, probe: &Probe) -> Result<Option<Question>, Error> {
    Ok(Some(match probe {
        Probe::Tcp { host, port } => Question::Tcp { host: host.clone(), port: *port },
        Probe::Http { url, status } => Question::Http { url: url.clone(), status: *status },
        Probe::File(path) => Question::File(PathBuf::from(path)),
        Probe::Command(line) => {
            let snapshot = environment::load(&ctx.paths, name)?;
            Question::Line {
                line: line.clone(),
                cwd: launch::working_directory(ctx, spec),
                environment: launch::program_environment(ctx, name, spec, open, snapshot.as_ref())?,
                user: launch::runs_as(spec)?,
            }
        }
        Probe::Notify | Probe::Output(_) | Probe::Delay(_) => return Ok(None), // the registry refuses these
    }))
}

fn awake() -> Result<u64, Error> {
    clock::awake_ms().map_err(|error| Error::new(Code::System, "clock", format!("cannot read the clock: {error}")))
}

impl Asked {
    /// How much longer an answer is waited for.
    fn left(&self) -> Result<Duration, Error> {
        let passed = Duration::from_millis(awake()?.saturating_sub(self.awake_ms));
        Ok((self.limit + SLACK).saturating_sub(passed))
    }

    /// What follows from the answer (`None`: none came within its time); `None`: nothing, as it had not all of its
    /// time, or nobody could listen.
    fn answered(self, ctx: &Context, name: &Name, answer: Option<Result<(), String>>) -> Result<Option<Probed>, Error> {
        let passed = Duration::from_millis(awake()?.saturating_sub(self.awake_ms));
        let outcome = answer.unwrap_or_else(|| Err(silence(self.limit)));
        let cut_short = self.cut && passed >= self.limit;
        if outcome.is_err() && (cut_short || passed > self.limit + FROZEN) {
            return Ok(None);
        }
        let stuck = match (&outcome, self.last) {
            (Err(why), Some(failures)) => {
                Some(stuck(ctx, name, self.run, self.shim, &sentence(&self.of, failures, why)))
            }
            (Err(_), None) | (Ok(()), _) => None,
        };
        let Self { run, of, at, awake_ms, .. } = self;
        Ok(Some(Probed { run, of, at, awake_ms, outcome, stuck }))
    }
}

/// What a program that fails its probe is blocked on; the snapshot begins with why it is taken.
fn stuck(ctx: &Context, name: &Name, run: u64, shim: Option<i32>, why: &str) -> Stuck {
    // A process table that cannot be read shows nothing, which is said, and must not keep the failure back.
    let (processes, unread) = match living(ctx, name, run) {
        Ok(processes) => (processes, String::new()),
        Err(error) => (Vec::new(), format!("the process table cannot be read: {error}; ")),
    };
    let Stuck { sentence, snapshot } = blocked::look(&processes, shim);
    Stuck { sentence, snapshot: format!("{why}; {unread}{snapshot}") }
}
