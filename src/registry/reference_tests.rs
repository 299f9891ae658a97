//! The table of keys, the schema and the reference page say the same.

use super::tests::{all_of_the_example, spec};
use super::*;

#[test]
fn words_in_a_table_of_keys_are_the_words_that_are_read() {
    for key in keys::PROCESS {
        let keys::Field::Words(words, get, set) = key.field else { continue };
        for word in words {
            let mut spec = spec("");
            set(&mut spec, word);
            assert_eq!(get(&spec), *word, "{}", key.name);
        }
    }
}

#[test]
fn the_schema_has_every_key_and_agrees_with_the_example() {
    let schema = reference::schema();
    let process = &schema["properties"]["process"]["additionalProperties"]["properties"];
    for key in keys::PROCESS {
        assert!(process[key.name].is_object(), "{}", key.name);
    }
    assert_eq!(process.as_object().unwrap().len(), keys::PROCESS.len());
    let example: serde_json::Value =
        serde_json::to_value(toml::from_str::<toml::Table>(&all_of_the_example()).unwrap()).unwrap();
    for (table, known) in example.as_object().unwrap() {
        assert!(schema["properties"][table].is_object(), "{table}");
        if table == "process" {
            for key in known.as_object().unwrap().values().flat_map(|entry| entry.as_object().unwrap().keys()) {
                assert!(process[key].is_object(), "{key}");
            }
        }
    }
    let sinks = schema["properties"]["sinks"]["additionalProperties"]["oneOf"].as_array().unwrap();
    for sink in example["sinks"].as_object().unwrap().values() {
        let own = sinks.iter().find(|known| known["properties"]["type"]["const"] == sink["type"]).unwrap();
        for key in sink.as_object().unwrap().keys() {
            assert!(own["properties"][key].is_object(), "{key}");
        }
        for key in own["required"].as_array().unwrap() {
            assert!(sink.get(key.as_str().unwrap()).is_some(), "{key}");
        }
    }
}

#[test]
fn the_reference_names_every_key() {
    let page = reference::reference();
    let names = keys::PROCESS.iter().map(|key| key.name);
    for name in names.chain(sink_keys::SINK.iter().chain(sink_keys::HEALTHCHECK).chain(logs::LOGS).map(|key| key.name))
    {
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn the_reference_page_is_the_one_in_docs() {
    expect_test::expect_file!["../../docs/registry.md"].assert_eq(&reference::reference());
}

#[test]
fn the_schema_is_the_one_in_docs() {
    let schema = serde_json::to_string_pretty(&reference::schema()).unwrap() + "\n";
    expect_test::expect_file!["../../docs/registry.schema.json"].assert_eq(&schema);
}
