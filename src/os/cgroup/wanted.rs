//! What a start asks for in isolation and limits, and how the shim is told of it.

use std::path::Path;

use crate::model::spec::{Isolation, Spec};

/// The period over which a share of the processors is kept, in microseconds: the kernel's own default.
pub(super) const PERIOD_US: u64 = 100_000;
/// The least share that the kernel takes.
const LEAST_US: u64 = 1_000;

/// Isolation and limits of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What must be reached, or may be.
    pub isolation: Isolation,
    /// Name of the run's own group, derived from process, home and run.
    pub group: String,
    /// Most memory, in bytes.
    pub memory: Option<u64>,
    /// Most CPU time of all processors together, in microseconds for each period.
    pub cpu_us: Option<u64>,
    /// Most processes and threads.
    pub tasks: Option<u32>,
}

impl Wanted {
    /// What `spec` asks for run `run` of `name` in the home whose state lies at `state`.
    #[must_use]
    pub fn of(spec: &Spec, state: &Path, name: &str, run: u64) -> Self {
        Self {
            isolation: spec.isolation,
            group: group(state, name, run),
            memory: spec.memory,
            cpu_us: spec.cpu.map(quota_us),
            tasks: spec.tasks,
        }
    }

    /// As one line of text, for the launch file.
    #[must_use]
    pub fn encode(&self) -> String {
        let isolation = match self.isolation {
            Isolation::Auto => "auto",
            Isolation::Scope => "scope",
            Isolation::Session => "session",
        };
        let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
        let limits = [number(self.memory), number(self.cpu_us), number(self.tasks.map(u64::from))].join(" ");
        format!("{isolation} {} {limits}", self.group)
    }

    /// The line of [`Self::encode`]; `None`: it is none.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let isolation = match words.next()? {
            "auto" => Isolation::Auto,
            "scope" => Isolation::Scope,
            "session" => Isolation::Session,
            _ => return None,
        };
        let group = words.next()?.to_owned();
        let mut number = || match words.next()? {
            "-" => Some(None),
            number => number.parse().ok().map(Some),
        };
        let (memory, cpu_us, tasks) = (number()?, number()?, number()?);
        Some(Self { isolation, group, memory, cpu_us, tasks: tasks.and_then(|tasks| u32::try_from(tasks).ok()) })
    }
}

/// What stands for the home whose state lies at `state` in the names of its groups.
pub(super) fn home(state: &Path) -> String {
    // FNV-1a: homes are few, and nobody gains by a collision.
    let hash = state
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// Name of the group of one run.
pub(super) fn group(state: &Path, name: &str, run: u64) -> String {
    format!("{name}.{}.{run}", home(state))
}

/// A number of processors as CPU time for each period.
fn quota_us(cpu: f64) -> u64 {
    // A float to integer cast saturates; no machine has that many processors.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "over 0, and saturating")]
    let quota = (cpu * 100_000.0).round() as u64;
    quota.max(LEAST_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_as_it_was_written() {
        let wanted = Wanted {
            isolation: Isolation::Scope,
            group: "bot.0123456789abcdef.7".to_owned(),
            memory: Some(64 << 20),
            cpu_us: None,
            tasks: Some(32),
        };
        assert_eq!(Wanted::decode(&wanted.encode()), Some(wanted));
        for bad in ["", "auto", "auto g 1 2", "best g - - -", "auto g x - -"] {
            assert_eq!(Wanted::decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn two_homes_two_processes_and_two_runs_have_groups_of_their_own() {
        let names = [("/a", "x", 1), ("/b", "x", 1), ("/a", "y", 1), ("/a", "x", 11)];
        let groups: std::collections::BTreeSet<String> =
            names.iter().map(|(state, name, run)| group(Path::new(state), name, *run)).collect();
        assert_eq!(groups.len(), names.len());
    }

    #[test]
    fn half_a_processor_is_half_a_period_and_nothing_is_below_what_the_kernel_takes() {
        for (cpu, want) in [(0.5, 50_000), (2.0, 200_000), (0.0001, 1_000)] {
            assert_eq!(quota_us(cpu), want, "{cpu}");
        }
    }
}
