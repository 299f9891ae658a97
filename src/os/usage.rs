//! Memory, CPU time and size of a process tree.

use std::collections::BTreeSet;
use std::io;
use std::sync::Mutex;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::model::units::seconds;
use crate::view::status::Usage;

use super::process::{self, Process};

/// Above this number of processes, memory and CPU of each are left out: asking costs more than all the rest.
pub const METERED: usize = 64;

/// Reads usage; the process table is read once.
#[derive(Debug)]
pub struct Meter {
    table: Vec<Process>,
    system: Mutex<System>,
}

impl Meter {
    /// Reads the process table.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new() -> io::Result<Self> {
        Ok(Self { table: process::table()?, system: Mutex::new(System::new().map_err(io::Error::other)?) })
    }

    /// What `main` and all its descendants use; `None`: it cannot be told.
    #[must_use]
    pub fn read(&self, main: i32) -> Option<Usage> {
        let pids: Vec<Pid> = process::tree(&self.table, &BTreeSet::from([main]))
            .iter()
            .filter_map(|process| u32::try_from(process.pid).ok().map(Pid::from_u32))
            .collect();
        let kind = ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks();
        let mut system = self.system.lock().ok()?;
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), false, kind);
        let alive: Vec<&sysinfo::Process> = pids.iter().filter_map(|pid| system.process(*pid)).collect();
        let cpu_ms: u64 = alive.iter().map(|process| process.accumulated_cpu_time()).sum();
        (!alive.is_empty()).then(|| Usage {
            rss_bytes: alive.iter().map(|process| process.memory()).sum(),
            cpu_s: seconds(std::time::Duration::from_millis(cpu_ms)),
            processes: alive.len(),
        })
    }
}
