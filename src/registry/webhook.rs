//! Reads a `webhook` sink: where to, and in which form.

use super::sink::Fields;
use super::sink_keys::METHODS;
use crate::model::channel::{TemplateSource, Webhook};
use crate::model::sink::SinkKind;
use crate::view::template::{Format, Template};

/// What a body is where nothing else is said.
const JSON: &str = "application/json";

impl Fields<'_, '_, '_, '_> {
    /// The sink; on `None` the reader knows why.
    pub(super) fn webhook(&mut self) -> Option<SinkKind> {
        let (url, header) = (self.secret_address("url"), self.header());
        let put = self.word("method", METHODS) == Some("PUT");
        let content_type = self.content_type();
        let template = match &content_type {
            Some((_, format)) => self.template(*format),
            None => None,
        };
        let (content_type, _) = content_type?;
        Some(SinkKind::Webhook(Webhook { url: url?, header, put, content_type, template }))
    }

    fn content_type(&mut self) -> Option<(String, Format)> {
        let Some(item) = self.table.get("content_type") else { return Some((JSON.to_owned(), Format::Json)) };
        let text = self.reader.text("content_type", item)?;
        let Some(format) = Format::of(&text).filter(|_| !text.contains(char::is_control) && text.is_ascii()) else {
            let hint = "use `application/json` or another of JSON, `application/x-www-form-urlencoded` or `text/plain`: \
                        in others it is not known how foreign text is made harmless";
            return self.reader.fail(item.span(), format!("`content_type` cannot be {text:?}"), hint);
        };
        let has_template = ["template", "template_file"].iter().any(|key| self.table.contains_key(*key));
        if format != Format::Json && !has_template {
            let hint = "add `template`, or take it out: without one the body is JSON";
            return self.reader.fail(item.span(), format!("`content_type` is {text:?} without a template"), hint);
        }
        Some((text, format))
    }

    /// What is wrong with it is in the reader, and drops the sink.
    fn template(&mut self, format: Format) -> Option<TemplateSource> {
        let file = self.table.get("template_file");
        let Some(item) = self.table.get("template") else {
            return self.reader.path("template_file", file?).map(TemplateSource::File);
        };
        if let Some(file) = file {
            let message = "both `template` and `template_file` are given";
            return self.reader.fail(file.span(), message, "keep one of them");
        }
        let text = self.reader.text("template", item)?;
        if let Err(wrong) = Template::read(&text, format) {
            let at = self.reader.within(&item.span(), &text, wrong.at);
            return self.reader.fail(at, format!("`template`: {}", wrong.message), wrong.hint);
        }
        Some(TemplateSource::Inline(text))
    }

    pub(super) fn header(&mut self) -> Vec<(String, String)> {
        let mut header = Vec::new();
        if let Some(table) = self.table.get("header").and_then(|item| self.reader.table("header", item)) {
            for (name, value) in table {
                let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
                if name.get_ref().is_empty() || !name.get_ref().chars().all(token) {
                    let message = format!("`header`: {:?} cannot be the name of a header", name.get_ref());
                    self.reader.fail::<()>(name.span(), message, "use letters, digits and `-`");
                }
                let shown = format!("header.{}", name.get_ref().escape_debug());
                let Some(text) = self.reader.text(&shown, value) else { continue };
                if text.contains(char::is_control) {
                    self.reader.fail::<()>(value.span(), format!("`{shown}` holds a control character"), "take it out");
                }
                header.push((name.get_ref().to_string(), text));
            }
        }
        header
    }
}
