//! What the processes of a run have used so far, through sysinfo; what they wait for cannot be asked here.

use std::io;

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

use super::{Counters, Waiting};

pub(super) fn counters(pid: i32, with_io: bool) -> io::Result<Option<Counters>> {
    let Ok(number) = u32::try_from(pid) else { return Ok(None) };
    let key = Pid::from_u32(number);
    let kind = ProcessRefreshKind::nothing().with_memory().with_cpu().with_disk_usage();
    let mut system = System::new().map_err(io::Error::other)?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[key]), true, kind);
    let disk = |process: &sysinfo::Process| {
        let usage = process.disk_usage();
        usage.total_read_bytes.saturating_add(usage.total_written_bytes)
    };
    Ok(system.process(key).map(|process| Counters {
        state: if process.status() == ProcessStatus::Stop { 'T' } else { 'S' },
        cpu_ms: process.accumulated_cpu_time(),
        io_bytes: with_io.then(|| disk(process)),
        memory_bytes: process.memory(),
        threads: 1,
    }))
}

pub(super) fn proportional_bytes(_pid: i32) -> Option<u64> {
    None
}

pub(super) fn tracer(_pid: i32) -> Option<i32> {
    None
}

pub(super) fn threads(_pid: i32) -> Vec<i32> {
    Vec::new()
}

pub(super) fn waiting(_pid: i32, _thread: i32) -> Option<Waiting> {
    None
}

pub(super) fn descriptors(_pid: i32) -> Vec<(i32, String)> {
    Vec::new()
}
