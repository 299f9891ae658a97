//! Many starts that are due at once: after a reboot, or when nobody looked for long. The first few go at once, the rest
//! follow second by second, so that a machine that has just come up is not trampled.
//!
//! Never for what an operator starts, and never twice for one start: what was put off once is not late when its time comes.

use std::time::Duration;

use crate::model::name::Name;
use crate::model::state::{Began, Phase, State};
use crate::model::time::Stamp;

use super::draft::Draft;
use super::needs::missing;
use super::{backoff, schedule};

/// Starts in one second for each processor.
const PER_PROCESSOR: usize = 4;
/// What was due this long ago was not waited for by anybody: the machine slept, or nothing of guardian's ran.
const LATE: Duration = Duration::from_secs(180);
/// A start that is late, of which nobody knows how many others there are, is put off by up to this, in milliseconds.
const SPREAD_MS: u64 = 10_000;

/// How long a start is put off that has `earlier` others before it, on `processors`.
#[must_use]
pub fn delay(earlier: usize, processors: usize) -> Duration {
    let batch = earlier / processors.saturating_mul(PER_PROCESSOR).max(1);
    Duration::from_secs(u64::try_from(batch).unwrap_or(u64::MAX)) // usize is never longer
}

/// The same for a shim's own pass, which knows of no others: some part of ten seconds, always the same for one run.
#[must_use]
pub fn delay_alone(name: &Name, run: u64) -> Duration {
    Duration::from_millis(backoff::seed(name.as_str(), run) % SPREAD_MS)
}

/// Whether a start that is due now makes up for a time in which nobody looked. `unwatched`: the last pass was long ago.
#[must_use]
pub fn is_catch_up(state: &State, now: &Stamp, unwatched: bool) -> bool {
    let other_boot = |stamp: &Stamp| stamp.boot != now.boot;
    unwatched
        || match &state.phase {
            Phase::Open(open) => other_boot(&open.since),
            Phase::Waiting { until } | Phase::Tripped { until, .. } => other_boot(until) || now.since(until) > LATE,
            // It comes back with the machine, or not at all, or by its schedule.
            Phase::Dead => state.schedule.is_none() || schedule::is_late(state, now.wall),
            Phase::New | Phase::Completed | Phase::Stopped => schedule::is_late(state, now.wall),
        }
}

impl Draft<'_> {
    /// Whether a start that is due may be made now: it is its turn, and what it needs is there.
    pub(super) fn may_launch(&self) -> bool {
        self.later.is_zero() && missing(self.needs).is_none()
    }

    /// A start that is due now, or as soon as it may.
    pub(super) fn launch_or_hold_back(&mut self, began: Began) {
        if self.may_launch() {
            self.launch(began);
        } else {
            self.hold_back();
        }
    }

    /// A start that is due waits: for what it needs, or for its turn.
    pub(super) fn hold_back(&mut self) {
        self.waits = missing(self.needs);
        let until = match self.waits {
            None => self.look.now.plus(self.later),
            // The one that is waited for has it looked at again.
            Some(_) => self.look.now.clone(),
        };
        let phase = match &self.look.state.phase {
            Phase::Tripped { .. } | Phase::Waiting { .. } if self.waits.is_some() => return,
            Phase::Tripped { since, .. } => Phase::Tripped { since: since.clone(), until: until.clone() },
            Phase::New | Phase::Open(_) | Phase::Waiting { .. } | Phase::Completed | Phase::Stopped | Phase::Dead => {
                Phase::Waiting { until: until.clone() }
            }
        };
        if self.waits.is_none() {
            self.at(until);
        }
        self.edit().phase = phase;
    }
}

#[cfg(test)]
mod tests {
    use super::super::decide::{Act, Look, decide_later};
    use super::super::decide_tests::{after, at, ended, evidence, name, rebooted, record, spec, started};
    use super::*;
    use crate::model::ending::{Cause, WaitStatus};
    use crate::model::evidence::{Life, Lock};
    use crate::model::spec::{OnBoot, Spec, Target};

    #[test]
    fn the_first_few_go_at_once_and_the_rest_second_by_second() {
        let seconds: Vec<u64> = [0, 7, 8, 15, 16, 999].iter().map(|nth| delay(*nth, 2).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 1, 1, 2, 124]);
        assert_eq!((delay(3, 1).as_secs(), delay(4, 1).as_secs(), delay(9, 0).as_secs()), (0, 1, 9));
        let alone = |text: &str| delay_alone(&text.parse().unwrap(), 1);
        assert!(alone("a") < Duration::from_secs(10) && alone("a") != alone("b") && alone("a") == alone("a"));
    }

    #[test]
    fn what_nobody_waited_for_is_caught_up_with_and_what_is_due_as_usual_is_not() {
        let spec = spec(Target::Forever);
        let open = started(&spec);
        let phase = |phase| State { phase, ..started(&spec) };
        let waiting = |until| phase(Phase::Waiting { until });
        let cases = [
            ("a run of an earlier boot", &open, rebooted(99_000), false, true),
            ("a run of this boot", &open, at(99_000), false, false),
            ("the same when nobody looked for long", &open, at(99_000), true, true),
            ("a restart that was due in an earlier boot", &waiting(at(5_000)), rebooted(9_000), false, true),
            ("one that was due while the machine slept", &waiting(at(5_000)), at(905_000), false, true),
            ("one that waited for cron", &waiting(at(5_000)), at(65_000), false, false),
            ("what was given up before the reboot", &phase(Phase::Dead), rebooted(9_000), false, true),
        ];
        for (claim, state, now, unwatched, want) in cases {
            assert_eq!(is_catch_up(state, &now, unwatched), want, "{claim}");
        }
    }

    #[test]
    fn what_is_put_off_waits_without_counting_as_a_failure_and_starts_when_its_time_has_come() {
        let spec = spec(Target::Forever);
        let (name, state, now) = (name(), started(&spec), rebooted(99_000));
        let gone = evidence(now.clone(), Lock::Free, Life::Gone, Lock::Free, record(None));
        let look = Look { name: &name, spec: &spec, state: &state, now: &now };
        let off = decide_later(look, Some(&gone), Duration::from_secs(3)).into_owned();
        let until = now.plus(Duration::from_secs(3));
        assert_eq!((off.act, &off.state.phase), (Act::None, &Phase::Waiting { until: until.clone() }));
        assert_eq!((off.state.run, off.state.restarts, off.state.failures, off.state.backoffs), (1, 0, 0, 0));
        let last = off.state.last.as_ref().unwrap();
        assert_eq!((&last.cause, last.action.as_str()), (&Cause::Reboot, "restart as run 2 in 3s"));
        let look = Look { state: &off.state, now: &until, ..look };
        assert!(!is_catch_up(&off.state, &until, false));
        assert_eq!(decide_later(look, None, Duration::ZERO).act, Act::Launch);
    }

    #[test]
    fn a_start_that_was_due_in_an_earlier_boot_is_left_down_where_on_boot_says_never() {
        let until = at(5_000);
        let trip = Phase::Tripped { since: at(0), until: until.clone() };
        for phase in [Phase::Waiting { until }, trip] {
            for (on_boot, now, starts) in [
                (OnBoot::Laststate, rebooted(9_000), true),
                (OnBoot::Never, rebooted(9_000), false),
                (OnBoot::Never, at(9_000), true),
            ] {
                let spec = Spec { on_boot, ..spec(Target::Forever) };
                let (name, state) = (name(), State { phase: phase.clone(), ..started(&spec) });
                let look = Look { name: &name, spec: &spec, state: &state, now: &now };
                let next = decide_later(look, None, Duration::ZERO);
                assert_eq!(next.act == Act::Launch, starts, "{phase:?}, {on_boot:?}");
                assert_eq!(next.state.phase == Phase::Dead, !starts, "{phase:?}, {on_boot:?}");
            }
        }
    }

    #[test]
    fn a_breaker_that_may_try_is_put_off_as_a_breaker_and_a_longer_backoff_stays() {
        let spec = spec(Target::Forever);
        let name = name();
        let tripped = State { phase: Phase::Tripped { since: at(0), until: at(9) }, ..started(&spec) };
        let now = rebooted(9_000);
        let look = Look { name: &name, spec: &spec, state: &tripped, now: &now };
        let off = decide_later(look, None, Duration::from_secs(1));
        let until = now.plus(Duration::from_secs(1));
        assert_eq!((off.act, &off.state.phase), (Act::None, &Phase::Tripped { since: at(0), until }));
        let failed = after(&spec, 10, WaitStatus::Code(1));
        let state = started(&spec);
        let now = at(10);
        let look = Look { name: &name, spec: &spec, state: &state, now: &now };
        let off = decide_later(look, Some(&ended(10, WaitStatus::Code(1))), Duration::from_millis(1));
        assert_eq!(off.state, failed.state, "a backoff of about a second is longer than a millisecond");
    }
}
