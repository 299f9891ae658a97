//! `signal`: sends one signal to the managed process, and to nothing else.

use clap::Parser;
use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::evidence::{Life, Recorded};
use crate::model::name::Name;
use crate::model::signal::Signal as Number;
use crate::os::process;
use crate::spool::Why;
use crate::store::record;
use crate::supervise::now;

use super::common::{known, registry};
use super::wait::state_of;
use super::{Call, requests};

/// Sends one signal to the managed process
///
/// To the main process alone, after it was identified by its start time. What it does about it is its own affair: an
/// end is judged as every other. To end it for good there is `stop`.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian signal btc-bot HUP")]
pub(super) struct Signal {
    /// Name of the process
    #[arg(value_name = "NAME")]
    name: String,
    /// The signal, by name or number: `HUP`, `SIGUSR1`, `10`
    #[arg(value_name = "SIG")]
    signal: String,
}

pub(super) fn run(call: &Call, command: &Signal) -> Result<u8, Error> {
    let name: Name = command.name.parse()?;
    let signal = command.signal.parse::<Number>().map_err(|_| {
        Error::new(Code::Usage, "bad_signal", format!("there is no signal {:?}", command.signal))
            .hint("write a name such as `HUP`, or its number; `kill -l` lists them")
    })?;
    known(&registry(call)?, std::slice::from_ref(&name), call)?;
    let down = || {
        Error::new(Code::NotRunning, "not_running", format!("process `{name}` is not running"))
            .hint(format!("guardian start {name}"))
            .about(&name)
    };
    let state = state_of(call, &name)?;
    let open = state.open().ok_or_else(down)?;
    if requests::needed(call) == Some(Why::Namespace) {
        let message = format!("process `{name}` cannot be reached: this is a sandbox with process ids of its own");
        return Err(Error::new(Code::Refused, "sandboxed", message)
            .hint("`guardian stop` and `guardian restart` leave a request for a pass outside; a signal must be sent there")
            .about(&name));
    }
    let main = match record::read(&call.ctx.paths, &name, open.run).0 {
        Recorded::Read(record) => record.main,
        Recorded::Missing | Recorded::Unreadable(_) => None,
    };
    let boot = now()?.boot;
    let main = main.filter(|main| process::life(main, &boot) != Life::Gone).ok_or_else(down)?;
    process::send(&main, &boot, signal.0).map_err(|error| {
        Error::new(Code::System, "signal", format!("cannot send {signal} to pid {}: {error}", main.pid)).about(&name)
    })?;
    call.out.say(&format!("{name}: {signal} sent to pid {}", main.pid));
    call.out
        .json(&json!({"schema": SCHEMA, "name": name, "run": open.run, "pid": main.pid, "signal": signal.to_string()}));
    Ok(0)
}
