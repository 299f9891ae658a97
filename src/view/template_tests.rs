//! Whatever a process wrote: the body is what the template says, and the text comes back from it.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::view::hostile::{decoded, hostile};

const DOCUMENT: &str = r#"{"title":"a \"quoted\" one","n":1}"#;

fn fill(template: &str, format: Format, text: &str) -> String {
    let value = |what| if what == Placeholder::Json { DOCUMENT.to_owned() } else { text.to_owned() };
    Template::read(template, format).unwrap().fill(value)
}

#[test]
fn a_content_type_says_how_text_is_escaped_and_one_that_does_not_is_not_taken() {
    for (content_type, want) in [
        ("application/json", Some(Format::Json)),
        ("Application/JSON; charset=utf-8", Some(Format::Json)),
        ("application/vnd.api+json", Some(Format::Json)),
        ("application/x-www-form-urlencoded", Some(Format::Form)),
        ("text/plain;charset=utf-8", Some(Format::Plain)),
        ("text/html", None),
        ("application/xml", None),
        ("application/jsonx", None),
        ("", None),
    ] {
        assert_eq!(Format::of(content_type), want, "{content_type}");
    }
}

#[test]
fn each_place_in_json_gets_what_can_stand_there() {
    let text = "a\"b\\c\n\0\u{2028}{{x";
    let body = fill(
        r#"{"in": "<{{text}}>", "alone": {{text}}, "{{host}}": [{{json}}], "doc": "{{json}}"}"#,
        Format::Json,
        text,
    );
    let body: Json = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["in"], &body["alone"]), (&Json::from(format!("<{text}>")), &Json::from(text)));
    assert_eq!(body[text][0]["n"], 1);
    assert_eq!(body["doc"], DOCUMENT);
    assert_eq!(fill(r#"{"a":{"b":{{json}}}}"#, Format::Json, ""), format!(r#"{{"a":{{"b":{DOCUMENT}}}}}"#));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (template, format, at, message) in [
        ("a {{nmae}}", Format::Plain, 2, "there is no placeholder `{{nmae}}`"),
        ("a {{title", Format::Plain, 2, "`{{` is not closed"),
        ("a {{title\n}}", Format::Plain, 2, "`{{` is not closed"),
        ("{{ {{title}}", Format::Plain, 0, "`{{` is not closed"),
        ("{{}}", Format::Plain, 0, "there is no placeholder `{{}}`"),
        (r#"{"a": 1{{title}}}"#, Format::Json, 7, "it is not JSON: "),
        ("{\n \"a\": \"\\{{title}}\"}", Format::Json, 10, "it is not JSON: invalid escape"),
        (r#"{{{json}}: 1}"#, Format::Json, 0, "`{{` is not closed"),
        (r#"{ {{json}}: 1}"#, Format::Json, 2, "it is not JSON: key must be a string"),
        ("text: {{title}}", Format::Json, 0, "it is not JSON: "),
        ("{\"a\": {{title}}", Format::Json, 15, "it is not JSON: EOF while parsing an object"),
    ] {
        let wrong = Template::read(template, format).unwrap_err();
        assert!(wrong.message.starts_with(message), "{template}: {wrong:?}");
        assert!(wrong.at.abs_diff(at) <= 1 && !wrong.hint.is_empty(), "{template}: {wrong:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_breaks_a_body_and_each_comes_back_exactly(text in hostile()) {
        let json = fill(r#"{"a": "x{{text}}y", "b": {{text}}, "c": [1, "{{title}}{{brief}}"]}"#, Format::Json, &text);
        let read: Json = serde_json::from_str(&json).unwrap();
        let wanted = serde_json::json!({"a": format!("x{text}y"), "b": text, "c": [1, format!("{text}{text}")]});
        prop_assert_eq!(read, wanted);
        let form = fill("a={{text}}&b=1&c={{title}}\n", Format::Form, &text);
        let fields: Vec<_> =
            form.split('&').map(|field| field.split_once('=').unwrap()).map(|(name, value)| (name, decoded(value))).collect();
        prop_assert_eq!(fields, [("a", text.clone()), ("b", "1".to_owned()), ("c", text.clone())]);
        prop_assert_eq!(fill("{{text}}!", Format::Plain, &text), format!("{text}!"));
    }

    #[test]
    fn what_is_taken_for_a_template_of_json_is_json_with_any_text(
        bits in proptest::collection::vec(
            proptest::sample::select(vec![
                "{", "}", "[", "]", "\"", "\\", "\\\"", ":", ",", "1", "{{title}}", "{{json}}", "\"a\":", " ", "\\u00",
            ]),
            0..8,
        ),
        text in hostile(),
    ) {
        let template = bits.concat();
        if Template::read(&template, Format::Json).is_ok() {
            let body = fill(&template, Format::Json, &text);
            prop_assert!(serde_json::from_str::<Json>(&body).is_ok(), "{} became {}", template, body);
        }
    }

    #[test]
    fn no_template_is_read_beyond_itself(template in hostile()) {
        for format in [Format::Json, Format::Form, Format::Plain] {
            if let Err(wrong) = Template::read(&template, format) {
                prop_assert!(wrong.at <= template.len() && template.is_char_boundary(wrong.at));
            }
        }
    }
}
