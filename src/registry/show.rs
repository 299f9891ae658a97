//! One process with all its defaults filled in, for `config show`.

use super::keys::{Field, Key, PROCESS};
use super::secret::Spelling;
use super::value::Value;
use crate::model::name::Name;
use crate::model::spec::Spec;

fn values(spec: &Spec) -> impl Iterator<Item = (&'static Key, Option<Value>)> {
    let mut spec = spec.clone();
    let masked = |key: &Key, value| match matches!(key.field, Field::Secret(Spelling::Value, _)) {
        true => Value::Text("****".to_owned()),
        false => value,
    };
    PROCESS.iter().map(move |key| (key, key.value(&mut spec).map(|value| masked(key, value))))
}

/// As TOML that reads back as the same spec. Keys that have no value are comments.
#[must_use]
pub fn show(name: &Name, spec: &Spec) -> String {
    let mut text = format!("[process.{}]\n", toml_edit::Key::new(name.as_str()));
    let other = |key: &Key| matches!(key.name, "command" | "shell");
    for (key, value) in values(spec) {
        match value {
            Some(value) => text.push_str(&format!("{} = {value}\n", key.name)),
            None if other(key) => {}
            None => text.push_str(&format!("# {} is not set\n", key.name)),
        }
    }
    text
}

/// As JSON, one member for each key; what is not set is `null`.
#[must_use]
pub fn to_json(spec: &Spec) -> serde_json::Value {
    let member = |(key, value): (&Key, Option<Value>)| {
        (key.name.to_owned(), value.map_or(serde_json::Value::Null, |value| value.to_json()))
    };
    values(spec).map(member).collect::<serde_json::Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;
    use crate::registry::parse::processes;

    fn rich() -> Spec {
        let text = "[process.x]\ncommand = ['a', \"it's\\n\"]\ntarget = '8h'\ntolerance = 0.5\nenv = { A = '1' }\n\
                    cwd = '/srv'\nstop_signal = 'INT'\nsuccess_codes = [0, 3]\ntime_limit = '9h'\ngroup = 'g'\n";
        processes(text).remove("x").unwrap()
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same_spec() {
        let name = Name::from_str("x.1").unwrap();
        let text = show(&name, &rich());
        assert_eq!(processes(&text).remove("x.1"), Some(rich()), "{text}");
    }

    #[test]
    fn json_has_every_key_and_null_for_what_is_not_set() {
        let json = to_json(&rich());
        assert_eq!(json.as_object().unwrap().len(), PROCESS.len());
        assert_eq!(json["env_file"], serde_json::Value::Null);
        assert_eq!(json["shell"], serde_json::Value::Null);
        assert_eq!(json["grace"], "10s");
    }
}
