//! The behaviour of guardian for one process, on a random walk: what holds whatever happens.

use std::time::Duration;

use crate::model::ending::WaitStatus;
use crate::model::evidence::{Life, Lock};
use crate::model::spec::{Restart, Spec, Target};
use crate::model::state::Phase;

use super::decide::{Act, Look, decide};
use super::decide_tests::{at, evidence, name, record, spec, started};

/// SplitMix64, so that a failing walk can be walked again.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)) % most
    }
}

#[test]
fn on_a_random_walk_deciding_again_changes_nothing_runs_count_up_and_an_open_breaker_starts_nothing() {
    let mut random = Random(42);
    let name = name();
    for walk in 0..200 {
        let target = [Target::Forever, Target::Exit, Target::For(Duration::from_secs(60))][walk % 3];
        let restart = [Restart::Premature, Restart::OnFailure, Restart::Always, Restart::Never][walk % 4];
        let spec = Spec { restart, ..spec(target) };
        let mut state = started(&spec);
        let mut clock = 0;
        for _ in 0..100 {
            clock += random.below(400_000);
            let now = at(clock);
            let began = clock.saturating_sub(random.below(400_000));
            let mut seen = record(
                (random.below(2) == 0).then(|| (clock, WaitStatus::Code(i32::try_from(random.below(3)).unwrap()))),
            );
            seen.began = Some(at(began));
            let lock = [Lock::Held, Lock::Free, Lock::Unknown][usize::try_from(random.below(3)).unwrap()];
            let life = [Life::Alive, Life::Gone, Life::Unknown][usize::try_from(random.below(3)).unwrap()];
            let evidence = evidence(now.clone(), lock, life, Lock::Free, seen);
            let observed = state.open().map(|_| &evidence);
            let first = decide(Look { name: &name, spec: &spec, state: &state, now: &now }, observed).into_owned();
            assert!(first.state.run >= state.run && first.state.run <= state.run + 1, "walk {walk}");
            if let (Phase::Tripped { until, .. }, Act::Launch) = (&state.phase, first.act) {
                assert!(now.has_reached(until), "walk {walk}: started against an open breaker");
            }
            if first.act == Act::None {
                let observed = first.state.open().map(|_| &evidence);
                let again = decide(Look { name: &name, spec: &spec, state: &first.state, now: &now }, observed);
                assert!(!again.changed, "walk {walk}: {:?} then {:?}", first.state.phase, again.state.phase);
            }
            state = first.state.into_owned();
            state.pending.clear();
        }
    }
}
