//! The groups of one run, as its shim makes, reads and removes them.
//!
//! In the unified hierarchy one group does everything that its controllers are there for. In version 1 there is one for
//! memory, which counts kills for want of it, and one each for processes and CPU time where such a limit is set.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use crate::model::evidence::{Level, Oom, Placed};
use crate::model::spec::Isolation;
use crate::model::time::Identity;

use super::wanted::PERIOD_US;
use super::{Entrance, Hierarchy, TOP, Wanted, leave, make, parse, put, scope, tree};

/// As near as this to the limit no further allocation went through, in bytes: the kernel takes memory in batches.
const SLACK: u64 = 1 << 20;

/// Where a run is put, and the way there.
#[derive(Debug)]
pub struct Made {
    /// For the record.
    pub placed: Placed,
    /// Its groups, if there are any.
    pub group: Option<Group>,
    /// The way in for the program.
    pub entrance: Entrance,
}

/// The groups of a run.
#[derive(Debug)]
pub struct Group {
    /// From the root of each hierarchy.
    path: String,
    /// Where memory is counted.
    memory: Option<Hierarchy>,
    /// The limit that is kept there.
    limit: Option<u64>,
}

/// Takes this process, a shim that has made no other yet, to the best place there is, and makes the groups of its run.
///
/// A level that `wanted` forbids is not tried; one that it demands and that is not reached shows in the level.
#[must_use]
pub fn place(wanted: &Wanted) -> Made {
    if wanted.isolation == Isolation::Session {
        return session(wanted, None);
    }
    let own = match leave().and_then(|()| own(wanted)) {
        Ok(made) => return made,
        Err(error) => error,
    };
    let no_scope = match scope::enter(&wanted.group) {
        Ok(path) => return in_scope(wanted, &path),
        Err(why) => why,
    };
    session(wanted, Some(format!("no control group of its own: {}; {no_scope}", plain(&own))))
}

/// The text of an error without its number.
fn plain(error: &io::Error) -> String {
    error.raw_os_error().map_or(error.to_string(), |errno| nix::errno::Errno::from_raw(errno).desc().to_lowercase())
}

/// Where a run is whose groups were made and cannot be entered.
#[must_use]
pub fn outside(wanted: &Wanted, error: &io::Error) -> Placed {
    session(wanted, Some(format!("its control group cannot be entered: {}", plain(error)))).placed
}

/// In a session of its own only.
fn session(wanted: &Wanted, why: Option<String>) -> Made {
    let limits = [
        (wanted.memory.is_some(), "`memory` is watched by guardian instead"),
        (wanted.cpu_us.is_some(), "`cpu` is not kept without one"),
        (wanted.tasks.is_some(), "`tasks` is not kept without one"),
    ];
    let lost = limits.iter().filter(|(set, _)| *set).map(|(_, what)| (*what).to_owned());
    let why: Vec<String> = why.into_iter().chain(lost).collect();
    let why = (!why.is_empty()).then(|| why.join("; "));
    let placed = Placed { level: Level::Session, cgroup: None, keeps_memory: false, why };
    Made { placed, group: None, entrance: Entrance::default() }
}

/// In groups of its own below [`TOP`].
fn own(wanted: &Wanted) -> io::Result<Made> {
    let mut making = Making::new(format!("/{TOP}/{}", wanted.group), wanted);
    let mut failed = None;
    if let Some(mount) = Hierarchy::Unified.mount() {
        let top = mount.join(TOP);
        failed = make(&top).and_then(|()| making.unified(&[mount, &top])).err();
    }
    failed = making.version_1().err().or(failed);
    making.finish(Level::Cgroup, None).ok_or_else(|| {
        tree::remove(&format!("/{TOP}/{}", wanted.group));
        failed.unwrap_or_else(|| io::Error::other("no control groups are mounted"))
    })
}

/// In the scope at `path`, which this process is in: it takes itself aside first, because a group that hands on
/// controllers may hold no process.
fn in_scope(wanted: &Wanted, path: &str) -> Made {
    let mut making = Making::new(format!("{path}/run"), wanted);
    let prepared = Hierarchy::Unified.directory(path).ok_or_else(|| io::ErrorKind::NotFound.into()).and_then(|scope| {
        let aside = scope.join("shim");
        make(&aside)?;
        put(&aside.join("cgroup.procs"), "0")?;
        making.unified(&[&scope])
    });
    let why = match prepared {
        Ok(()) => scope::mortality(),
        Err(error) => Some(format!("no group in the scope: {}", plain(&error))),
    };
    let fallback = Placed { level: Level::Scope, cgroup: None, keeps_memory: false, why: why.clone() };
    making.finish(Level::Scope, why).unwrap_or_else(|| {
        let made = session(wanted, fallback.why.clone());
        Made { placed: Placed { why: made.placed.why, ..fallback }, ..made }
    })
}

/// Groups on the way to being made.
struct Making<'a> {
    path: String,
    wanted: &'a Wanted,
    entrance: Entrance,
    /// Who keeps memory, processes and CPU time.
    keepers: [Option<Hierarchy>; 3],
    made: bool,
}

/// Controllers in the order of [`Making::keepers`], and the key of the limit that each keeps.
const CONTROLLERS: [(&str, &str, Hierarchy); 3] =
    [("memory", "memory", Hierarchy::Memory), ("pids", "tasks", Hierarchy::Pids), ("cpu", "cpu", Hierarchy::Cpu)];

impl<'a> Making<'a> {
    fn new(path: String, wanted: &'a Wanted) -> Self {
        Self { path, wanted, entrance: Entrance::default(), keepers: [None; 3], made: false }
    }

    /// Whether each controller is of use: memory counts kills even without a limit.
    fn asked(&self) -> [bool; 3] {
        [true, self.wanted.tasks.is_some(), self.wanted.cpu_us.is_some()]
    }

    /// The group in the unified hierarchy. `parents`: from the outermost, those that must hand on controllers.
    fn unified(&mut self, parents: &[&Path]) -> io::Result<()> {
        let asked: Vec<&str> =
            CONTROLLERS.iter().zip(self.asked()).filter(|(_, asked)| *asked).map(|(c, _)| c.0).collect();
        // A parent with processes in it hands on nothing: then it is a group that can be killed, without limits.
        let given = parents.iter().try_fold(asked, |asked, parent| hand_on(parent, &asked));
        let directory = Hierarchy::Unified.directory(&self.path).ok_or(io::ErrorKind::NotFound)?;
        fresh(&directory)?;
        self.entrance.directory = Some(File::open(&directory)?);
        self.made = true;
        for (keeper, (controller, _, _)) in self.keepers.iter_mut().zip(CONTROLLERS) {
            let has = given.as_ref().is_ok_and(|given| given.contains(&controller));
            *keeper = has.then_some(Hierarchy::Unified);
        }
        Ok(())
    }

    /// Groups of version 1 for what the unified hierarchy does not do.
    fn version_1(&mut self) -> io::Result<()> {
        let asked = self.asked();
        for ((keeper, (_, _, hierarchy)), asked) in self.keepers.iter_mut().zip(CONTROLLERS).zip(asked) {
            let Some(mount) = hierarchy.mount().filter(|_| asked && keeper.is_none()) else { continue };
            make(&mount.join(TOP))?;
            let directory = mount.join(self.path.trim_start_matches('/'));
            fresh(&directory)?;
            self.entrance.doors.push(OpenOptions::new().write(true).open(directory.join(hierarchy.door()))?);
            *keeper = Some(hierarchy);
            self.made = true;
        }
        Ok(())
    }

    /// Sets the limits; `None`: there is no group.
    fn finish(self, level: Level, why: Option<String>) -> Option<Made> {
        if !self.made {
            return None;
        }
        let limits = [self.wanted.memory, self.wanted.tasks.map(u64::from), self.wanted.cpu_us];
        let mut said: Vec<String> = why.into_iter().collect();
        let mut kept = [false; 3];
        for (index, (limit, (controller, key, _))) in limits.into_iter().zip(CONTROLLERS).enumerate() {
            let Some(limit) = limit else { continue };
            let keeper = self.keepers.get(index).copied().flatten();
            match keeper.ok_or_else(|| io::Error::other(format!("no controller `{controller}`"))).and_then(|keeper| {
                let directory = keeper.directory(&self.path).ok_or(io::ErrorKind::NotFound)?;
                set(&directory, keeper, controller, limit)
            }) {
                Ok(()) => kept.iter_mut().skip(index).take(1).for_each(|kept| *kept = true),
                Err(error) => said.push(format!("`{key}` is not kept: {}", plain(&error))),
            }
        }
        let [keeps_memory, _, _] = kept;
        let [memory, _, _] = self.keepers;
        let why = (!said.is_empty()).then(|| said.join("; "));
        let placed = Placed { level, cgroup: Some(self.path.clone()), keeps_memory, why };
        let group = Group { path: self.path, memory, limit: self.wanted.memory.filter(|_| keeps_memory) };
        Some(Made { placed, group: Some(group), entrance: self.entrance })
    }
}

/// Lets groups below `parent` have those of `asked` that it has itself; which these are.
fn hand_on<'a>(parent: &Path, asked: &[&'a str]) -> io::Result<Vec<&'a str>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let there = parse::listed(&fs::read_to_string(parent.join("cgroup.controllers"))?, asked);
    let switch = parent.join("cgroup.subtree_control");
    let on = if there.is_empty() { Vec::new() } else { parse::listed(&fs::read_to_string(&switch)?, &there) };
    let off: Vec<String> = there.iter().filter(|name| !on.contains(name)).map(|name| format!("+{name}")).collect();
    if !off.is_empty() {
        put(&switch, &off.join(" "))?;
    }
    Ok(there)
}

/// Makes a group that nobody is in.
fn fresh(directory: &Path) -> io::Result<()> {
    match fs::create_dir(directory) {
        // A start that was cut short left it. With processes in it, it cannot be removed, and is not ours to use.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            tree::remove_empty(directory, tree::DEEPEST);
            fs::create_dir(directory)
        }
        made => made,
    }
}

/// Sets one limit in a group.
fn set(directory: &Path, keeper: Hierarchy, controller: &str, limit: u64) -> io::Result<()> {
    let set = |file: &str, value: String| put(&directory.join(file), &value);
    // Swap is counted only where the kernel was built and started for it.
    let if_there = |file: &str, value: String| match set(file, value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    };
    match (controller, keeper) {
        ("pids", _) => set("pids.max", limit.to_string()),
        ("memory", Hierarchy::Unified) => {
            set("memory.max", limit.to_string())?;
            if_there("memory.swap.max", "0".to_owned())
        }
        ("memory", _) => {
            set("memory.limit_in_bytes", limit.to_string())?;
            if_there("memory.memsw.limit_in_bytes", limit.to_string())
        }
        (_, Hierarchy::Unified) => set("cpu.max", format!("{limit} {PERIOD_US}")),
        (_, _) => {
            set("cpu.cfs_period_us", PERIOD_US.to_string())?;
            set("cpu.cfs_quota_us", limit.to_string())
        }
    }
}

impl Group {
    /// The groups of a run that lives in them already, going by its record.
    #[must_use]
    pub fn of(placed: &Placed) -> Option<Self> {
        let path = placed.cgroup.clone()?;
        let files = [
            (Hierarchy::Unified, "memory.events", "memory.max"),
            (Hierarchy::Memory, "memory.oom_control", "memory.limit_in_bytes"),
        ];
        let counted = files.into_iter().find_map(|(hierarchy, counter, limit)| {
            let directory = hierarchy.directory(&path)?;
            let limit = fs::read_to_string(directory.join(limit)).ok().and_then(|limit| limit.trim().parse().ok());
            directory.join(counter).exists().then_some((hierarchy, limit))
        });
        let limit = counted.and_then(|(_, limit)| limit).filter(|_| placed.keeps_memory);
        Some(Self { path, memory: counted.map(|(hierarchy, _)| hierarchy), limit })
    }

    /// What its counters say: kills for want of memory, and the most memory that was used.
    #[must_use]
    pub fn evidence(&self) -> (Option<Oom>, Option<u64>) {
        let Some((hierarchy, directory)) = self.memory.and_then(|memory| Some((memory, memory.directory(&self.path)?)))
        else {
            return (None, None);
        };
        let read = |file: &str| fs::read_to_string(directory.join(file)).ok();
        let (events, peak) = match hierarchy {
            Hierarchy::Unified => ("memory.events", "memory.peak"),
            Hierarchy::Memory | Hierarchy::Systemd | Hierarchy::Pids | Hierarchy::Cpu => {
                ("memory.oom_control", "memory.max_usage_in_bytes")
            }
        };
        let events = read(events);
        let own_group = events.as_deref().and_then(|events| parse::keyed(events, "oom_kill"));
        let peak = read(peak).and_then(|peak| peak.trim().parse::<u64>().ok());
        // Whether the limit itself was run into: else somebody else's memory ran out, such as the machine's.
        let into_limit = match hierarchy {
            Hierarchy::Unified => events.as_deref().and_then(|events| parse::keyed(events, "oom")).map(|oom| oom > 0),
            Hierarchy::Memory | Hierarchy::Systemd | Hierarchy::Pids | Hierarchy::Cpu => {
                peak.zip(self.limit).map(|(peak, limit)| peak + SLACK >= limit)
            }
        };
        let killed = own_group.is_some_and(|count| count > 0) && into_limit == Some(true);
        let oom = Oom { named: None, own_group, limit_bytes: self.limit.filter(|_| killed) };
        (Some(oom), peak)
    }

    /// Kills all that is in it at once, if that is nobody but `living`.
    pub fn kill(&self, living: &[Identity]) {
        tree::kill(&self.path, living);
    }

    /// Removes the groups, unless something lives in them.
    pub fn remove(&self) {
        tree::remove(&self.path);
    }
}
