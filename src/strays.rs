//! Processes that agents left behind past guardian: looked for among all that run, and described.
//!
//! Which ones they are is for [`policy`] to say. Reads the environment of every process that is ours to read, so nothing
//! does this unasked. Changes nothing, and kills nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use crate::context::Context;
use crate::error::{Code, Error};
use crate::model::evidence::{Life, Recorded};
use crate::model::metadata::Agent;
use crate::model::name::Name;
use crate::model::time::{Identity, Stamp, Wall};
use crate::os::children::SHIM_NAME;
use crate::os::process::{self, Process};
use crate::os::usage::Meter;
use crate::os::{others, own, stranger};
use crate::policy::agents::agents;
use crate::policy::environment::Environment;
use crate::policy::strays::{self as policy, Around, Marks, Seen};
use crate::registry::Registry;
use crate::store::{record, state};
use crate::supervise::now;
use crate::view::strays::Row;

mod tell;

pub use tell::tell;

/// Most processes of one tree whose sockets are looked at.
const TREE: usize = 64;

/// One stray, with all that stands below it.
#[derive(Debug, Clone)]
pub struct Stray {
    /// Who it is.
    pub identity: Identity,
    /// Agents whose marks it carries.
    pub agents: Vec<Agent>,
    /// Its command line, masked and cut; its short name, if it has none.
    pub command: String,
    /// Whose it is; `None`: not known.
    pub uid: Option<u32>,
    /// When it began; `None`: it cannot be told.
    pub since: Option<Wall>,
    /// Memory of its tree, in bytes; `None`: it cannot be told.
    pub rss_bytes: Option<u64>,
    /// Processes of its tree.
    pub processes: usize,
    /// TCP ports that its tree listens on; `None`: they cannot be told.
    pub ports: Option<Vec<u16>>,
}

/// What a look at all processes found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The oldest ones.
    pub strays: Vec<Stray>,
    /// How many there are besides.
    pub more: usize,
    /// Processes of others whose environment is not ours to read.
    pub unreadable: usize,
    /// Processes of others cannot even be seen.
    pub hidden: bool,
}

/// Main processes of the runs that are open, with their names.
///
/// # Errors
/// A state cannot be read: then it cannot be told what is guarded.
pub fn guarded(ctx: &Context, registry: &Registry, now: &Stamp) -> Result<BTreeMap<i32, Name>, Error> {
    let mut guarded = BTreeMap::new();
    for name in registry.processes.keys() {
        let Some(state) = state::load(&ctx.paths, name)? else { continue };
        let Some(open) = state.open() else { continue };
        let Recorded::Read(record) = record::read(&ctx.paths, name, open.run).0 else { continue };
        // One that cannot be asked is taken for living: it is not called a stray.
        let living = record.main.filter(|main| process::life(main, &now.boot) != Life::Gone);
        guarded.extend(living.map(|main| (main.pid, name.clone())));
    }
    Ok(guarded)
}

/// All that runs, looked at once.
#[derive(Debug)]
pub struct Scan {
    table: Vec<Process>,
    seen: Vec<Seen>,
    /// This very process, and all above.
    mine: BTreeSet<i32>,
    unreadable: usize,
}

impl Scan {
    /// Looks at all processes.
    ///
    /// # Errors
    /// The process table cannot be read.
    pub fn new(now: &Stamp) -> io::Result<Self> {
        let table = process::table()?;
        let (seen, unreadable) = look(&table, now);
        let me = i32::try_from(std::process::id()).map_err(io::Error::other)?;
        let parents: BTreeMap<i32, i32> = table.iter().map(|process| (process.pid, process.parent)).collect();
        let mine = std::iter::successors(Some(me), |pid| parents.get(pid).copied()).take(table.len()).collect();
        Ok(Self { table, seen, mine, unreadable })
    }

    /// The strays among them that are at least that old, the oldest first. `guarded`: main processes of runs.
    #[must_use]
    pub fn strays(&self, guarded: &BTreeSet<i32>, older: Duration) -> Vec<&Seen> {
        policy::strays(&self.seen, Around { guarded, mine: &self.mine, older })
    }
}

/// Strays that run for at least `older`, described up to `most` of them.
///
/// # Errors
/// The process table, a clock or a state cannot be read.
pub fn find(ctx: &Context, registry: &Registry, older: Duration, most: usize) -> Result<Found, Error> {
    let now = now()?;
    let guarded: BTreeSet<i32> = guarded(ctx, registry, &now)?.into_keys().collect();
    let fail = |error: io::Error| Error::new(Code::System, "io", format!("cannot look at what runs: {error}"));
    let scan = Scan::new(&now).map_err(fail)?;
    let all = scan.strays(&guarded, older);
    let meter = if all.is_empty() { None } else { Some(Meter::new().map_err(fail)?) };
    let table = &scan.table;
    let shown = all.iter().take(most).filter_map(|seen| {
        let process = table.iter().find(|process| process.pid == seen.pid)?;
        describe(seen, process, table, meter.as_ref(), &now)
    });
    let strays: Vec<Stray> = shown.collect();
    let hidden = !table.iter().any(|process| process.pid == 1);
    Ok(Found { more: all.len().saturating_sub(most), strays, unreadable: scan.unreadable, hidden })
}

/// All that can be seen, and how many environments are not ours to read.
fn look(table: &[Process], now: &Stamp) -> (Vec<Seen>, usize) {
    let mut unreadable = 0;
    let mut seen = Vec::with_capacity(table.len());
    for process in table.iter().filter(|process| !process.zombie) {
        let pid = process.pid;
        let of_the_kernel = || stranger::is_of_the_kernel(pid, process.parent);
        let marks = match stranger::environment(pid) {
            Ok(None) => continue,
            Ok(Some(variables)) => marks(variables),
            Err(_) if of_the_kernel() => Marks::Read { agents: Vec::new(), guarded: false },
            Err(_) => {
                unreadable += 1;
                Marks::Unreadable
            }
        };
        let shim = process.comm.as_bytes() == SHIM_NAME.to_bytes();
        let marked = matches!(&marks, Marks::Read { agents, .. } if !agents.is_empty());
        let began = others::began(process, now);
        seen.push(Seen {
            pid,
            parent: process.parent,
            session: if marked { process::session(pid) } else { None },
            age: began.map(|began| began.until(now.wall)),
            comm: process.comm.clone(),
            guardian: shim || (marked && own::part(pid).is_some()),
            marks,
        });
    }
    (seen, unreadable)
}

fn marks(variables: Vec<Vec<u8>>) -> Marks {
    let environment = environment(variables);
    let guarded = environment.contains_key(std::ffi::OsStr::new("GUARDIAN_RUN"));
    Marks::Read { agents: agents(&environment), guarded }
}

/// `NAME=value` as variables by name; what has no `=` is none. The first of a name counts.
#[must_use]
pub fn environment(variables: Vec<Vec<u8>>) -> Environment {
    let mut environment = Environment::new();
    for mut name in variables {
        let Some(at) = name.iter().position(|byte| *byte == b'=') else { continue };
        let value = name.split_off(at + 1);
        name.truncate(at);
        environment.entry(OsString::from_vec(name)).or_insert(OsString::from_vec(value));
    }
    environment
}

/// It as it is shown at `at`.
#[must_use]
pub fn row(stray: &Stray, at: Wall) -> Row {
    Row {
        pid: stray.identity.pid,
        agents: stray.agents.clone(),
        command: stray.command.clone(),
        uid: stray.uid,
        since: stray.since.map(|since| since.to_string()),
        age_s: stray.since.map(|since| since.until(at).as_secs()),
        processes: stray.processes,
        rss_bytes: stray.rss_bytes,
        ports: stray.ports.clone(),
    }
}

/// `None`: it is gone.
fn describe(seen: &Seen, process: &Process, table: &[Process], meter: Option<&Meter>, now: &Stamp) -> Option<Stray> {
    let Marks::Read { agents, .. } = &seen.marks else { return None };
    let identity = process::identify(seen.pid, &now.boot).ok()??;
    if identity.started != process.started {
        return None;
    }
    let tree: Vec<i32> = process::tree(table, &BTreeSet::from([seen.pid])).iter().map(|process| process.pid).collect();
    let sender = process::describe(seen.pid, process::user(seen.pid));
    let ports = (tree.len() <= TREE).then(|| stranger::listening(&tree)).flatten();
    Some(Stray {
        identity,
        agents: agents.clone(),
        command: sender.cmdline.unwrap_or_else(|| seen.comm.clone()),
        uid: sender.uid,
        since: others::began(process, now),
        rss_bytes: meter.and_then(|meter| meter.read(seen.pid)).map(|usage| usage.rss_bytes),
        processes: tree.len(),
        ports: ports.map(|ports| ports.into_iter().collect()),
    })
}
