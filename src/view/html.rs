//! A notification as HTML for mail: one column that fits a phone, nothing from elsewhere, readable in dark mode.
//!
//! Says what the text says, from the same facts. Styles stand at each element, for readers drop others. Text keeps the
//! reader's own colours; only the bar of the severity has its own, white on a dark ground (contrast above 4.5).

use super::alert::{more, opening, tail};
use super::escape::html as escaped;
use super::facts::{commands, facts};
use crate::model::event::{Event, Notification, Severity};

/// Code, in lines that break where they must.
const CODE: &str = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px;white-space:pre-wrap;\
                    overflow-wrap:anywhere";

/// The whole document.
pub(super) fn html(notification: &Notification, folded: &[&Event], subject: &str) -> String {
    let event = &notification.event;
    let colour = match event.severity {
        Severity::Info => "#1d6f42",
        Severity::Warning => "#8a5300",
        Severity::Critical => "#b3261e",
    };
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title></head>\n\
         <body style=\"margin:0;padding:12px;font-family:system-ui,sans-serif;font-size:15px;line-height:1.4\">\n\
         <p style=\"margin:0 0 12px;padding:8px 12px;border-radius:4px;background:{colour};color:#ffffff\">\
         <b>{}</b> {}</p>\n<table style=\"border-collapse:collapse\">\n",
        escaped(subject),
        event.severity.word().to_uppercase(),
        escaped(&opening(notification)),
    );
    for (label, value) in facts(notification) {
        page.push_str(&format!(
            "<tr><th style=\"text-align:left;vertical-align:top;padding:2px 12px 2px 0\">{label}</th>\
             <td style=\"padding:2px 0;overflow-wrap:anywhere\">{}</td></tr>\n",
            escaped(&value)
        ));
    }
    page.push_str("</table>\n");
    let block = |title: &str, lines: &[String]| {
        format!(
            "<p style=\"margin:12px 0 4px\"><b>{title}</b></p>\n\
             <pre style=\"margin:0;padding:8px;border:1px solid #808080;border-radius:4px;{CODE}\">{}</pre>\n",
            escaped(&lines.join("\n"))
        )
    };
    let more = more(&event.process, folded);
    if !more.is_empty() {
        page.push_str(&block("Besides", &more));
    }
    let tail = tail(notification);
    if !tail.is_empty() {
        page.push_str(&block("Last output", &tail));
    }
    for (label, command) in commands(event) {
        page.push_str(&block(label, &[command]));
    }
    page.push_str(&format!(
        "<p style=\"margin:12px 0 0;font-size:12px\">id {}</p>\n</body></html>\n",
        escaped(&event.id)
    ));
    page
}
