//! What a sink asks for while an incident goes on: `after`, `remind`, `escalate_after`, `escalate_to`.

use toml::de::DeTable;

use super::problem::similar;
use super::read::Reader;
use super::sink::Fields;
use crate::model::incident::Insist;
use crate::model::sink::Sink;

impl Fields<'_, '_, '_, '_> {
    /// The four keys; on `None` the reader knows why.
    pub(super) fn insist(&mut self) -> Option<Insist> {
        let after = match self.table.get("after") {
            Some(item) => self.reader.most("after", item)?,
            None => 1,
        };
        let often = "every four hours is usual: `\"4h\"`";
        let remind = match self.table.get("remind") {
            Some(item) => Some(self.reader.some_time("remind", item, often)?),
            None => None,
        };
        let escalate_after = match self.table.get("escalate_after") {
            Some(item) => Some(self.reader.some_time("escalate_after", item, "half an hour is usual: `\"30m\"`")?),
            None => None,
        };
        let escalate_to = self.texts("escalate_to");
        let at = |key: &str| self.table.get(key).map_or(self.at.clone(), toml::Spanned::span);
        match (escalate_after, escalate_to.is_empty()) {
            (Some(_), true) => {
                let hint = "add `escalate_to = [\"SINK\"]`, or take it out";
                self.reader.fail(at("escalate_after"), "`escalate_after` is given without `escalate_to`", hint)
            }
            (None, false) => {
                let hint = "add `escalate_after = \"30m\"`, or take it out";
                self.reader.fail(at("escalate_to"), "`escalate_to` is given without `escalate_after`", hint)
            }
            (_, _) => Some(Insist { after, remind, escalate_after, escalate_to }),
        }
    }
}

/// Reports sinks that escalate to one that is not written down, or in a circle. A sink that is written down but not valid
/// is left out; the others are served.
pub(super) fn check(reader: &mut Reader<'_>, table: &DeTable<'_>, sinks: &mut [Sink]) {
    let written: Vec<String> = table.keys().map(|name| name.get_ref().to_string()).collect();
    let names: Vec<String> = sinks.iter().map(|sink| sink.name.clone()).collect();
    for nth in 0..sinks.len() {
        let name = sinks[nth].name.clone();
        let keys = table.get(name.as_str()).and_then(|item| item.get_ref().as_table());
        let Some(at) = keys.and_then(|keys| keys.get("escalate_to")).map(toml::Spanned::span) else { continue };
        reader.scope = format!("sink `{name}`: ");
        for target in sinks[nth].insist.escalate_to.clone() {
            if written.contains(&target) {
                continue;
            }
            let hint = match similar(&target, written.iter().map(String::as_str)) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => format!("add `[sinks.{}]`, or take it out", target.escape_debug()),
            };
            reader.fail::<()>(at.clone(), format!("`escalate_to`: there is no sink {target:?}"), hint);
        }
        if reaches(sinks, &name, &name, &mut Vec::new()) {
            let hint = "each escalation must end: take one of the names out";
            reader.fail::<()>(at, "`escalate_to` leads back to this sink", hint);
            sinks[nth].insist.escalate_to.clear();
        }
        sinks[nth].insist.escalate_to.retain(|target| names.contains(target));
        reader.scope.clear();
    }
}

fn reaches(sinks: &[Sink], from: &str, to: &str, seen: &mut Vec<String>) -> bool {
    let Some(sink) = sinks.iter().find(|sink| sink.name == from) else { return false };
    sink.insist.escalate_to.iter().any(|next| {
        next == to
            || (!seen.contains(next) && {
                seen.push(next.clone());
                reaches(sinks, next, to, seen)
            })
    })
}
