//! A registry as few bytes that are quick to read back.
//!
//! Most processes differ in little but name, command and surroundings, so what they share is kept
//! once as a *shape*, and each process is a row that names its shape. Reading a thousand rows costs
//! about as much as cloning the registry, a third less than reading it field by field.

use serde::{Deserialize, Serialize};

use crate::model::hook::HookConfig;
use crate::model::name::Name;
use crate::model::rotation::LogsConfig;
use crate::model::sink::{HealthcheckConfig, SecretSource, Sink};
use crate::model::spec::{Command, Spec, Target};
use crate::registry::{Entry, Registry, WatchEntry};

/// All but the processes.
#[derive(Serialize, Deserialize)]
struct Head {
    /// Specs without what is in a [`Row`].
    shapes: Vec<Spec>,
    watches: Vec<(Name, WatchEntry)>,
    sinks: Vec<Sink>,
    healthcheck: HealthcheckConfig,
    hook: HookConfig,
    logs: LogsConfig,
    invalid: Vec<String>,
    rows: usize,
}

/// What is a process's own.
#[derive(Serialize, Deserialize)]
struct Row<'a> {
    name: &'a str,
    line: u32,
    shape: usize,
    #[serde(borrow)]
    command: Line<'a>,
    target: Target,
    cwd: Option<&'a str>,
    #[serde(borrow)]
    env: Vec<(&'a str, &'a str)>,
    group: Option<&'a str>,
    #[serde(borrow)]
    depends_on: Vec<&'a str>,
    schedule: Option<&'a str>,
    ping_url: Option<SecretSource>,
}

#[derive(Serialize, Deserialize)]
enum Line<'a> {
    Argv(#[serde(borrow)] Vec<&'a str>),
    Shell(&'a str),
}

/// `spec` without what is in a [`Row`].
fn shape(spec: &Spec) -> Spec {
    Spec {
        command: Command::Argv(Vec::new()),
        target: Target::Forever,
        cwd: None,
        env: std::collections::BTreeMap::new(),
        group: None,
        depends_on: Vec::new(),
        schedule: None,
        ping_url: None,
        ..spec.clone()
    }
}

/// Appends a registry to `bytes`.
pub(super) fn write(registry: &Registry, bytes: Vec<u8>) -> postcard::Result<Vec<u8>> {
    let mut shapes = Vec::new();
    let mut rows = Vec::with_capacity(registry.processes.len());
    for (name, Entry { spec, line }) in &registry.processes {
        let own = shape(spec);
        let at = shapes.iter().position(|known| *known == own);
        let shape = at.unwrap_or_else(|| {
            shapes.push(own);
            shapes.len() - 1
        });
        rows.push(Row {
            name: name.as_str(),
            line: *line,
            shape,
            command: match &spec.command {
                Command::Argv(argv) => Line::Argv(argv.iter().map(String::as_str).collect()),
                Command::Shell(line) => Line::Shell(line),
            },
            target: spec.target,
            cwd: spec.cwd.as_deref(),
            env: spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            group: spec.group.as_deref(),
            depends_on: spec.depends_on.iter().map(Name::as_str).collect(),
            schedule: spec.schedule.as_deref(),
            ping_url: spec.ping_url.clone(),
        });
    }
    let head = Head {
        shapes,
        watches: registry.watches.iter().map(|(name, entry)| (name.clone(), entry.clone())).collect(),
        sinks: registry.sinks.clone(),
        healthcheck: registry.healthcheck.clone(),
        hook: registry.hook.clone(),
        logs: registry.logs,
        invalid: registry.invalid.clone(),
        rows: rows.len(),
    };
    let bytes = postcard::to_extend(&head, bytes)?;
    rows.iter().try_fold(bytes, |bytes, row| postcard::to_extend(row, bytes))
}

/// Reads what [`write`] wrote; `None`: it is not that.
pub(super) fn read(bytes: &[u8]) -> Option<Registry> {
    let (head, mut rest) = postcard::take_from_bytes::<Head>(bytes).ok()?;
    let mut next = || {
        // Row by row: the short-lived parts of one row reuse the memory of the last.
        let (row, after) = postcard::take_from_bytes::<Row<'_>>(rest).ok()?;
        rest = after;
        let mut spec = head.shapes.get(row.shape)?.clone();
        spec.command = match row.command {
            Line::Argv(argv) => Command::Argv(argv.into_iter().map(str::to_owned).collect()),
            Line::Shell(line) => Command::Shell(line.to_owned()),
        };
        spec.target = row.target;
        spec.cwd = row.cwd.map(str::to_owned);
        spec.env = row.env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        spec.group = row.group.map(str::to_owned);
        spec.depends_on = row.depends_on.into_iter().map(str::parse).collect::<Result<_, _>>().ok()?;
        spec.schedule = row.schedule.map(str::to_owned);
        spec.ping_url = row.ping_url;
        Some((row.name.parse::<Name>().ok()?, Entry { spec, line: row.line }))
    };
    // A row has several bytes, so what claims more rows than bytes is not a registry.
    let mut processes = Vec::with_capacity(head.rows.min(bytes.len()));
    for _ in 0..head.rows {
        processes.push(next()?);
    }
    let processes = processes.into_iter().collect();
    rest.is_empty().then_some(Registry {
        processes,
        watches: head.watches.into_iter().collect(),
        sinks: head.sinks,
        healthcheck: head.healthcheck,
        hook: head.hook,
        logs: head.logs,
        invalid: head.invalid,
    })
}
