//! How long to wait before the next start.
//!
//! Exponential with jitter, as systemd's RestartSteps and AWS's "Exponential Backoff And Jitter":
//! the jitter keeps a crowd that died together from coming back together.

use std::time::Duration;

use crate::model::spec::Spec;

/// Jitter, as a share of the delay, either way.
const JITTER: f64 = 0.1;

/// Delay before the next start after a bad end.
///
/// Zero when it is the first in a row and the run lasted at least `backoff`: one restart per
/// `backoff` is no storm. Else `backoff · 2^earlier`, where `earlier` counts the delays since the
/// process was last well, up to `backoff_max`, ±10 % by `seed`. Never overflows.
#[must_use]
pub fn delay(spec: &Spec, failures: u32, earlier: u32, ran: Duration, seed: u64) -> Duration {
    if spec.backoff.is_zero() || (failures <= 1 && ran >= spec.backoff) {
        return Duration::ZERO;
    }
    let doubled = spec.backoff.saturating_mul(1_u32.checked_shl(earlier).unwrap_or(u32::MAX)); // 2^32 and more saturates
    doubled.min(spec.backoff_max).mul_f64(1.0 - JITTER + 2.0 * JITTER * share(seed))
}

/// A number in `[0, 1)` that depends on all bits of `seed` (SplitMix64's finalizer, Steele et al. 2014).
fn share(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    f64::from(u32::try_from(z >> 32).unwrap_or(0)) / 4_294_967_296.0 // 32 bits always fit
}

/// A seed that differs between processes and between runs of one process (FNV-1a).
#[must_use]
pub fn seed(name: &str, run: u64) -> u64 {
    name.bytes()
        .chain(run.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::Command;

    fn spec() -> Spec {
        Spec::with_command(Command::Shell("x".to_owned()))
    }

    #[test]
    fn the_first_restart_after_a_run_that_lasted_is_at_once() {
        assert_eq!(delay(&spec(), 1, 0, Duration::from_secs(3), 7), Duration::ZERO);
    }

    #[test]
    fn a_run_that_dies_at_once_waits_a_second_then_doubles_to_a_minute() {
        for (earlier, want) in [(0, 1.0), (1, 2.0), (2, 4.0), (5, 32.0), (6, 60.0), (40, 60.0), (4000, 60.0)] {
            for seed in 0..200 {
                let got = delay(&spec(), 1 + earlier, earlier, Duration::ZERO, seed).as_secs_f64();
                assert!((want * 0.9..=want * 1.1).contains(&got), "{earlier} earlier delays: {got}");
            }
        }
    }

    #[test]
    fn a_backoff_of_zero_means_none() {
        let spec = Spec { backoff: Duration::ZERO, ..spec() };
        assert_eq!(delay(&spec, 9, 9, Duration::ZERO, 1), Duration::ZERO);
    }

    #[test]
    fn processes_that_die_together_do_not_come_back_together() {
        let delays: std::collections::BTreeSet<_> =
            (0..100).map(|n| delay(&spec(), 2, 3, Duration::ZERO, seed(&format!("p{n}"), 1))).collect();
        assert!(delays.len() > 90, "{}", delays.len());
    }
}
