//! `fleet`: many hosts at one glance. ssh is the transport; there is no server.

use std::collections::BTreeSet;

use clap::{Parser, Subcommand};

use crate::error::{Code, Error};
use crate::fleet::ask;
use crate::model::units::parse_duration;
use crate::policy::fleet::is_host;
use crate::supervise::now;
use crate::view::fleet::{document, text};

use super::Call;

/// Looks at guardian on many hosts at once
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian fleet status --ssh web1,web2,bot@db1")]
pub(super) struct Fleet {
    #[command(subcommand)]
    command: FleetCommand,
}

#[derive(Debug, Subcommand)]
enum FleetCommand {
    Status(FleetStatus),
}

/// Shows what is not well on other hosts, and how much is
///
/// Each is asked by `ssh HOST guardian status --json`, many at once, without a question to anybody. A host that gives no answer
/// is a line with the reason. Exit code 0: all hosts are well; 1: one is not, or gave no answer.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian fleet status --ssh web1,web2,bot@db1 --timeout 5s")]
struct FleetStatus {
    /// Hosts, as ssh knows them, with commas between or given several times
    #[arg(long, value_name = "HOST", value_delimiter = ',', required = true)]
    ssh: Vec<String>,
    /// How long each may take
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    timeout: String,
    /// What guardian is called there, where it is not in the PATH of ssh
    #[arg(long, value_name = "PATH", default_value = "guardian")]
    program: String,
}

pub(super) fn run(call: &Call, command: &Fleet) -> Result<u8, Error> {
    match &command.command {
        FleetCommand::Status(command) => status(call, command),
    }
}

fn status(call: &Call, command: &FleetStatus) -> Result<u8, Error> {
    let limit = parse_duration(&command.timeout)
        .map_err(|error| Error::new(Code::Usage, "bad_duration", error.what).hint(error.hint))?;
    if limit.is_zero() {
        let error = Error::new(Code::Usage, "bad_duration", "`--timeout` is zero: no host could answer");
        return Err(error.hint("`10s` is usual"));
    }
    let program = shlex::try_quote(&command.program).map_err(|error| {
        Error::new(Code::Usage, "usage", format!("`--program` cannot be given to a shell: {error}"))
    })?;
    let hosts = hosts(&command.ssh)?;
    let at = now()?.wall;
    let hosts = ask(&hosts, &program, limit)
        .map_err(|error| Error::new(Code::System, "fleet", format!("cannot ask other hosts: {error}")))?;
    let well = hosts.iter().all(|host| host.heard.is_well());
    call.out.json(&document(&hosts, at));
    if !call.out.is_json() {
        if well {
            call.out.say(&text(&hosts));
        } else {
            call.out.answer(&text(&hosts));
        }
    }
    Ok(if well { 0 } else { Code::No as u8 })
}

/// Each host once, in the order given.
fn hosts(given: &[String]) -> Result<Vec<String>, Error> {
    let mut seen = BTreeSet::new();
    let mut hosts = Vec::new();
    for host in given.iter().map(|host| host.trim()).filter(|host| !host.is_empty()) {
        if !is_host(host) {
            let message = format!("`{}` cannot be a host", host.escape_debug());
            return Err(
                Error::new(Code::Usage, "bad_host", message).hint("a name, an address, or user@name, as ssh takes it")
            );
        }
        if seen.insert(host) {
            hosts.push(host.to_owned());
        }
    }
    if hosts.is_empty() {
        return Err(
            Error::new(Code::Usage, "no_host", "no host is named").hint("guardian fleet status --ssh web1,web2")
        );
    }
    Ok(hosts)
}
