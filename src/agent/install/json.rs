//! JSON of an agent's own, with comments or without: guardian's entries go in, and out again, and nothing else moves.
//!
//! A template is laid over the file. Its objects are entered; its arrays are lists of entries, of which those that call
//! guardian are guardian's; its other values are set where there are none. A property named `guardian` is guardian's.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstRootNode};
use serde_json::Value;

use super::Wrong;
use super::speak::{calls_guardian, plain};

/// The property that is guardian's wherever it stands.
const NAME: &str = "guardian";

pub(super) fn put(old: &str, template: &CstInputValue) -> Result<String, Wrong> {
    let fresh = old.trim().is_empty();
    let root = parse(if fresh { "{}\n" } else { old })?;
    let object = top(&root)?;
    let CstInputValue::Object(entries) = template else { return Ok(old.to_owned()) };
    let changed = put_into(&object, entries, "")?;
    Ok(if changed || fresh { root.to_string() } else { old.to_owned() })
}

pub(super) fn take(old: &str, template: &CstInputValue) -> Result<Option<String>, Wrong> {
    if old.trim().is_empty() {
        return Ok(None);
    }
    let root = parse(old)?;
    let object = top(&root)?;
    let CstInputValue::Object(entries) = template else { return Ok(Some(old.to_owned())) };
    if !take_from(&object, entries) {
        return Ok(Some(old.to_owned()));
    }
    let rest = root.to_string();
    let has_comments = rest.contains("//") || rest.contains("/*");
    Ok((has_comments || !is_bare(&object, entries)).then_some(rest))
}

fn parse(text: &str) -> Result<CstRootNode, Wrong> {
    let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
    CstRootNode::parse(text, &options)
        .map_err(|error| Wrong::new(format!("is not valid JSON: {error}"), "mend it, and give the command again"))
}

fn top(root: &CstRootNode) -> Result<CstObject, Wrong> {
    root.object_value().ok_or_else(|| Wrong::new("is not a JSON object", "mend it, and give the command again"))
}

/// Whether anything was changed. `path` names the object for errors.
fn put_into(object: &CstObject, entries: &[(String, CstInputValue)], path: &str) -> Result<bool, Wrong> {
    let mut changed = false;
    for (key, wanted) in entries {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let Some(found) = object.get(key).and_then(|property| property.value()) else {
            object.append(key, wanted.clone());
            changed = true;
            continue;
        };
        changed |= match wanted {
            CstInputValue::Object(_) if calls_guardian(&plain(wanted)) => {
                put_server(object, key, &found, wanted, &path)?
            }
            CstInputValue::Object(entries) => {
                let inner = found.as_object().ok_or_else(|| wrong_kind(&path, "an object"))?;
                put_into(&inner, entries, &path)?
            }
            CstInputValue::Array(items) => {
                let array = found.as_array().ok_or_else(|| wrong_kind(&path, "a list"))?;
                put_items(&array, items)
            }
            CstInputValue::Null | CstInputValue::Bool(_) | CstInputValue::Number(_) | CstInputValue::String(_) => false,
        };
    }
    Ok(changed)
}

fn wrong_kind(path: &str, kind: &str) -> Wrong {
    Wrong::new(format!("has a `{path}` that is not {kind}"), "mend it, and give the command again")
}

/// A server named `guardian`: what a person added to it stays.
fn put_server(
    object: &CstObject,
    key: &str,
    found: &CstNode,
    wanted: &CstInputValue,
    path: &str,
) -> Result<bool, Wrong> {
    let there = found.to_serde_value().unwrap_or(Value::Null);
    if !calls_guardian(&there) {
        let hint = "give that one another name, or remove it, and give the command again";
        return Err(Wrong::new(format!("has another server as `{path}`"), hint));
    }
    let (Some(server), CstInputValue::Object(entries)) = (found.as_object(), wanted) else {
        object.append(key, wanted.clone());
        return Ok(true);
    };
    let mut changed = false;
    for (key, wanted) in entries {
        let says = key == "command" || key == "args";
        match server.get(key) {
            None => drop(server.append(key, wanted.clone())),
            Some(property) if says && there.get(key) != Some(&plain(wanted)) => property.set_value(wanted.clone()),
            Some(_) => continue,
        }
        changed = true;
    }
    Ok(changed)
}

/// Whether anything was changed. Entries of guardian's that are not wanted as they are make way.
fn put_items(array: &CstArray, items: &[CstInputValue]) -> bool {
    let there = |node: &CstNode| node.to_serde_value().unwrap_or(Value::Null);
    let wanted: Vec<Value> = items.iter().map(plain).collect();
    let elements = array.elements();
    let kept: Vec<Value> = elements.iter().map(there).filter(|item| wanted.contains(item)).collect();
    let all_there = wanted.iter().all(|item| kept.iter().filter(|kept| *kept == item).count() == 1);
    let others = elements.iter().any(|node| has_ours(&there(node)) && !wanted.contains(&there(node)));
    if all_there && !others {
        return false;
    }
    remove_ours(array, &wanted);
    for item in items {
        array.append(item.clone());
    }
    true
}

/// Whether an entry of a list has a part that is guardian's.
fn has_ours(item: &Value) -> bool {
    calls_guardian(item)
        || item.get("hooks").and_then(Value::as_array).is_some_and(|hooks| hooks.iter().any(calls_guardian))
}

/// Removes what is guardian's; of a group that somebody else's hooks stand in as well only guardian's hooks.
fn remove_ours(array: &CstArray, wanted: &[Value]) -> bool {
    let mut changed = false;
    for element in array.elements() {
        let item = element.to_serde_value().unwrap_or(Value::Null);
        if calls_guardian(&item) || wanted.contains(&item) {
            element.remove();
            changed = true;
        } else if let Some(hooks) = element.as_object().and_then(|group| group.array_value("hooks")) {
            changed |= remove_ours(&hooks, &[]);
        }
    }
    changed
}

/// Whether anything was removed.
fn take_from(object: &CstObject, entries: &[(String, CstInputValue)]) -> bool {
    let mut changed = false;
    for (key, wanted) in entries {
        let Some(property) = object.get(key) else { continue };
        let Some(found) = property.value() else { continue };
        let emptied = match wanted {
            CstInputValue::Object(_) if key == NAME => {
                let there = found.to_serde_value().unwrap_or(Value::Null);
                !calls_guardian(&plain(wanted)) || calls_guardian(&there)
            }
            CstInputValue::Object(entries) => found.as_object().is_some_and(|inner| {
                let taken = take_from(&inner, entries);
                changed |= taken;
                taken && inner.properties().is_empty()
            }),
            CstInputValue::Array(items) => found.as_array().is_some_and(|array| {
                let taken = remove_ours(&array, &items.iter().map(plain).collect::<Vec<_>>());
                changed |= taken;
                taken && array.elements().is_empty()
            }),
            CstInputValue::Null | CstInputValue::Bool(_) | CstInputValue::Number(_) | CstInputValue::String(_) => false,
        };
        if emptied {
            property.remove();
            changed = true;
        }
    }
    changed
}

/// Whether nothing is left but what guardian had put there first.
fn is_bare(object: &CstObject, entries: &[(String, CstInputValue)]) -> bool {
    object.properties().iter().all(|property| {
        let there = property.value().and_then(|value| value.to_serde_value());
        entries
            .iter()
            .any(|(key, wanted)| property.decoded_name().as_ref() == Some(key) && there == Some(plain(wanted)))
    })
}
