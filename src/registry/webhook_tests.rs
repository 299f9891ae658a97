//! What a `webhook` sink may say of its form, and what it may not, with the place.

use super::tests::{problem, valid};
use crate::model::channel::TemplateSource;
use crate::model::sink::SinkKind;

const HEAD: &str = "[sinks.h]\ntype = 'webhook'\nurl = 'https://a/b'\n";

fn wrong(keys: &str) -> super::Problem {
    problem(&format!("{HEAD}{keys}\n"))
}

#[test]
fn method_form_and_template_are_read() {
    let inline = |text: &str| Some(TemplateSource::Inline(text.to_owned()));
    let file = Some(TemplateSource::File("/home/me/body.json".to_owned()));
    for (keys, put, content_type, template) in [
        ("", false, "application/json", None),
        (
            "method = 'PUT'\ncontent_type = 'text/plain'\ntemplate = '{{title}}'",
            true,
            "text/plain",
            inline("{{title}}"),
        ),
        ("method = 'POST'\ntemplate_file = '~/body.json'", false, "application/json", file),
    ] {
        let registry = valid(&format!("{HEAD}{keys}\n"));
        let SinkKind::Webhook(webhook) = &registry.sinks[0].kind else { panic!("{keys}") };
        let read = (webhook.put, webhook.content_type.as_str(), &webhook.template);
        assert_eq!(read, (put, content_type, &template), "{keys}");
    }
    assert!(wrong("method = 'GET'").message.contains("`method` cannot be \"GET\""));
}

#[test]
fn a_mistake_in_a_template_is_told_with_line_and_column() {
    for (keys, line, column, message) in [
        ("template = '{\"a\": \"{{nmae}}\"}'", 4, 20, "there is no placeholder `{{nmae}}`"),
        ("template = '''\n{\n \"a\": {{title}\n}'''", 6, 7, "`{{` is not closed"),
        ("template = '''\n{\n \"a\": {{title}},\n}'''", 7, 1, "it is not JSON: trailing comma"),
        ("template = \"{\\\"a\\\": {{nmae}}}\"", 4, 12, "there is no placeholder `{{nmae}}`"),
        ("template = 'x'\ntemplate_file = '/b'", 5, 17, "both `template` and `template_file` are given"),
        ("content_type = 'text/html'\ntemplate = '{{title}}'", 4, 16, "`content_type` cannot be \"text/html\""),
        ("content_type = 'text/plain'", 4, 16, "without a template"),
        ("content_type = \"text/plain; a=\\n\"\ntemplate = 'x'", 4, 16, "`content_type` cannot be"),
    ] {
        let problem = wrong(keys);
        assert!(problem.message.contains(message) && !problem.hint.is_empty(), "{keys}: {problem}");
        assert_eq!((problem.line, problem.column), (line, column), "{keys}: {problem}");
    }
}
