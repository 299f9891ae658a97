//! Memory, CPU time and size of a process tree.

use std::collections::BTreeSet;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::view::status::Usage;

use super::process::{self, Process};

/// Reads usage; the process table is read once, when it is first needed.
#[derive(Debug, Default)]
pub struct Meter {
    table: Option<Vec<Process>>,
    system: Option<System>,
}

impl Meter {
    /// One that has read nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What `main` and all its descendants use; `None`: it cannot be told.
    pub fn read(&mut self, main: i32) -> Option<Usage> {
        if self.table.is_none() {
            self.table = Some(process::table().ok()?);
        }
        if self.system.is_none() {
            self.system = Some(System::new().ok()?);
        }
        let (Some(table), Some(system)) = (&self.table, &mut self.system) else { return None };
        let pids: Vec<Pid> = process::tree(table, &BTreeSet::from([main]))
            .iter()
            .filter_map(|process| u32::try_from(process.pid).ok().map(Pid::from_u32))
            .collect();
        let kind = ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), false, kind);
        let alive: Vec<&sysinfo::Process> = pids.iter().filter_map(|pid| system.process(*pid)).collect();
        let cpu_ms: u64 = alive.iter().map(|process| process.accumulated_cpu_time()).sum();
        (!alive.is_empty()).then(|| Usage {
            rss_bytes: alive.iter().map(|process| process.memory()).sum(),
            cpu_s: std::time::Duration::from_millis(cpu_ms).as_secs_f64(),
            processes: alive.len(),
        })
    }
}
