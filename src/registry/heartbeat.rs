//! Reads when a sink hears how all stands: `heartbeat` and `timezone`.

use super::schedule::{read_line, read_zone};
use super::sink::Fields;
use crate::model::schedule::Zone;
use crate::model::sink::Heartbeat;
use crate::policy::zone;

impl Fields<'_, '_, '_, '_> {
    /// What is wrong with it is in the reader, and drops the sink. `machine`: the time zone of this machine.
    pub(super) fn heartbeat(&mut self, machine: Option<&str>) -> Option<Heartbeat> {
        let named = self.table.get("timezone").map(|item| read_zone(self.reader, "timezone", item));
        let item = self.table.get("heartbeat")?;
        let line = read_line(self.reader, "heartbeat", item)?;
        let zone = match (named, machine) {
            (Some(named), _) => named?,
            (None, Some(name)) if zone::find(name).is_ok() => Zone::Machine(Some(name.to_owned())),
            (None, _) => {
                let hint = "add `timezone = \"Europe/Berlin\"`, or whichever is meant";
                let what = "the name of this machine's time zone is not known";
                return self.reader.fail(item.span(), what, hint);
            }
        };
        Some(Heartbeat { line, zone })
    }
}
