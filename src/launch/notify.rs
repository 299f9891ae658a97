//! What a program is given to speak of itself with (sd_notify): the name of its shim's socket.

use crate::error::Error;
use crate::model::probe::Probe;
use crate::model::spec::Spec;
use crate::os::notify;
use crate::policy::environment::Environment;

use super::system;

/// The socket that the program may speak of itself through (empty: none), and what its environment has of it.
pub(super) fn socket(spec: &Spec, environment: &mut Environment) -> Result<String, Error> {
    let needed = spec.ready == Some(Probe::Notify) || spec.watchdog.is_some();
    if !needed && spec.heartbeat.is_none() {
        return Ok(String::new());
    }
    let name = match notify::fresh_name() {
        Ok(name) => name,
        Err(_) if !needed => return Ok(String::new()), // a file can be touched as well
        Err(error) => return Err(system("make the socket for `ready = \"notify\"` or `watchdog`", &error)),
    };
    environment.insert("NOTIFY_SOCKET".into(), format!("@{name}").into());
    if let Some(every) = spec.watchdog.or(spec.heartbeat) {
        environment.insert("WATCHDOG_USEC".into(), every.as_micros().to_string().into());
    }
    Ok(name)
}
