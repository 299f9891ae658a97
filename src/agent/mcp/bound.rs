//! An answer that fits a small context: what is too long loses the end of its longest list, and says how much.

use serde_json::{Value, json};

/// Longest answer, in bytes of JSON: some four thousand tokens.
pub(super) const MOST: usize = 16_000;
/// Longest single text that is kept where shortening lists does not help, in characters.
const TEXT: usize = 2000;

/// `document` within [`MOST`] bytes. `omitted` says for each list how many of its items are missing.
pub(super) fn bound(mut document: Value) -> Value {
    while document.to_string().len() > MOST {
        if !shorten_a_list(&mut document) {
            cut_texts(&mut document);
            break;
        }
    }
    document
}

/// Halves the longest list of the document's own fields; false: there is none of more than one item.
fn shorten_a_list(document: &mut Value) -> bool {
    let Some(fields) = document.as_object_mut() else { return false };
    let longest = fields
        .iter_mut()
        .filter(|(name, _)| *name != "omitted")
        .filter_map(|(name, value)| Some((name.clone(), value.as_array_mut()?)))
        .filter(|(_, list)| list.len() > 1)
        .max_by_key(|(_, list)| list.iter().map(|item| item.to_string().len()).sum::<usize>());
    let Some((name, list)) = longest else { return false };
    let keep = list.len() / 2;
    let gone = list.len() - keep;
    list.truncate(keep);
    let before = fields.get("omitted").and_then(|omitted| omitted[&name].as_u64()).unwrap_or(0);
    let omitted = fields.entry("omitted").or_insert_with(|| json!({}));
    omitted[name] = json!(before + gone as u64);
    true
}

fn cut_texts(value: &mut Value) {
    match value {
        Value::String(text) if text.chars().count() > TEXT => {
            *text = text.chars().take(TEXT).chain(['…']).collect();
        }
        Value::Array(items) => items.iter_mut().for_each(cut_texts),
        Value::Object(fields) => fields.values_mut().for_each(cut_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_left_as_it_is() {
        let document = json!({"schema": 1, "processes": [{"name": "a"}]});
        assert_eq!(bound(document.clone()), document);
    }

    #[test]
    fn the_longest_list_loses_its_end_and_the_answer_says_how_much() {
        let rows: Vec<Value> = (0..1000).map(|nth| json!({"name": format!("p{nth}"), "state": "running"})).collect();
        let bounded = bound(json!({"schema": 1, "processes": rows, "errors": ["x", "y"]}));
        assert!(bounded.to_string().len() <= MOST);
        let kept = bounded["processes"].as_array().unwrap().len() as u64;
        assert_eq!(kept + bounded["omitted"]["processes"].as_u64().unwrap(), 1000);
        assert_eq!((bounded["errors"].as_array().unwrap().len(), &bounded["processes"][0]["name"]), (2, &json!("p0")));
    }

    #[test]
    fn a_single_text_that_is_too_long_is_cut() {
        let bounded = bound(json!({"schema": 1, "lines": ["ä".repeat(100_000)]}));
        assert!(bounded.to_string().len() <= MOST && bounded["lines"][0].as_str().unwrap().ends_with('…'));
    }
}
