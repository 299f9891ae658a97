//! What goes over the wire to each service, and the answers that mean something to that service alone.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::fake::{Act, http, message};
use super::sinks_tests::{SECRET, cases};
use super::{Message, send};
use crate::model::delivery::Outcome;
use crate::model::event::{EventKind, Severity};
use crate::model::sample::sink;

const PATIENT: Duration = Duration::from_secs(20);

/// A message whose text would do harm in every format.
fn evil() -> Message {
    let mut message = message();
    message.rendered.subject = "<b>s</b> & `@everyone`".to_owned();
    message.rendered.brief = "</pre><script> & ``` @everyone <!channel>".to_owned();
    message
}

/// What the sink of this type sends, and what came of it.
fn sent(kind: &str, nth: usize, message: &Message, acts: Vec<Act>) -> (Vec<String>, Outcome) {
    let (base, served) = http(acts);
    let case = cases(&base).into_iter().filter(|case| case.kind.type_name() == kind).nth(nth).unwrap();
    let outcome = send(&sink("s", case.kind), message, PATIENT);
    (served.join().unwrap(), outcome)
}

fn split(request: &str) -> (String, Json) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), serde_json::from_str(body).unwrap_or(Json::Null))
}

fn ok() -> Act {
    Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\":true}")
}

#[test]
fn telegram_gets_html_with_all_foreign_text_escaped() {
    let (requests, outcome) = sent("telegram", 0, &evil(), vec![ok()]);
    assert_eq!(outcome, Outcome::delivered("HTTP 200 OK"));
    let (head, body) = split(&requests[0]);
    assert!(head.starts_with(&format!("post /bot{SECRET}/sendmessage http/1.1")), "{head}");
    assert_eq!(body["chat_id"], json!(-100));
    assert_eq!(body["parse_mode"], "HTML");
    assert_eq!(body["link_preview_options"]["is_disabled"], true);
    let text = body["text"].as_str().unwrap();
    assert!(text.starts_with("<b>&lt;b&gt;s&lt;/b&gt; &amp; `@everyone`</b>\n&lt;/pre&gt;"), "{text}");
}

#[test]
fn telegram_is_sent_plain_text_where_it_cannot_parse_the_markup() {
    let unparsable = Act::Say(
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 84\r\n\r\n{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: can't parse entities: x\"}  ",
    );
    let (requests, outcome) = sent("telegram", 0, &evil(), vec![unparsable, ok()]);
    assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    let (_, body) = split(&requests[1]);
    assert_eq!(body["parse_mode"], Json::Null);
    assert!(body["text"].as_str().unwrap().contains("</pre><script>"));
}

#[test]
fn telegram_says_in_its_body_when_to_come_back_and_where_a_group_went() {
    let busy = Act::Say(
        "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 109\r\n\r\n{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after 3\",\"parameters\":{\"retry_after\":3}}",
    );
    let (_, outcome) = sent("telegram", 0, &message(), vec![busy]);
    assert!(
        matches!(outcome, Outcome::Failed { after: Some(after), .. } if after == Duration::from_secs(3)),
        "{outcome:?}"
    );
    let moved = Act::Say(
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 118\r\n\r\n{\"ok\":false,\"error_code\":400,\"description\":\"group chat was upgraded\",\"parameters\":{\"migrate_to_chat_id\":-100777}}     ",
    );
    let (requests, outcome) = sent("telegram", 0, &message(), vec![moved, ok()]);
    assert_eq!(split(&requests[1]).1["chat_id"], json!(-100_777));
    assert!(matches!(&outcome, Outcome::Delivered { refused, .. } if refused[0].contains("-100777")), "{outcome:?}");
}

#[test]
fn slack_reads_no_mention_in_foreign_text_and_a_bot_is_judged_by_the_body() {
    let (requests, outcome) = sent("slack", 0, &evil(), vec![ok()]);
    assert!(matches!(outcome, Outcome::Delivered { .. }));
    let text = split(&requests[0]).1["text"].as_str().unwrap().to_owned();
    assert!(text.contains("&lt;!channel&gt;") && !text.contains("<!"), "{text}");
    let (requests, outcome) = sent("slack", 1, &evil(), vec![ok()]);
    assert_eq!(outcome, Outcome::delivered("ok"));
    let (head, body) = split(&requests[0]);
    assert!(head.starts_with("post /chat.postmessage http/1.1"), "{head}");
    assert!(head.contains(&format!("authorization: bearer {SECRET}")));
    assert_eq!(body["channel"], "U1");
    let gone = Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"ok\":false,\"error\":\"channel_not_found\"}");
    let (_, outcome) = sent("slack", 1, &evil(), vec![gone]);
    assert_eq!(outcome, Outcome::refused("Slack says channel_not_found"));
    let busy = Act::Say(
        "HTTP/1.1 200 OK\r\nRetry-After: 9\r\nContent-Length: 34\r\n\r\n{\"ok\":false,\"error\":\"ratelimited\"}",
    );
    let (_, outcome) = sent("slack", 1, &evil(), vec![busy]);
    assert!(
        matches!(outcome, Outcome::Failed { after: Some(after), .. } if after == Duration::from_secs(9)),
        "{outcome:?}"
    );
    let odd = Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwhat");
    assert!(matches!(sent("slack", 1, &evil(), vec![odd]).1, Outcome::Failed { .. }), "unknown is not delivered");
}

#[test]
fn discord_mentions_nobody_and_waits_as_long_as_it_is_told() {
    let (requests, outcome) = sent("discord", 0, &evil(), vec![Act::Say("HTTP/1.1 204 No Content\r\n\r\n")]);
    assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    let (_, body) = split(&requests[0]);
    assert_eq!(body["allowed_mentions"], json!({"parse": []}));
    assert_eq!(body["content"].as_str().unwrap().matches("```").count(), 2, "{body}");
    let busy = Act::Say("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 22\r\n\r\n{\"retry_after\": 1.337}");
    let (_, outcome) = sent("discord", 0, &evil(), vec![busy]);
    assert!(
        matches!(outcome, Outcome::Failed { after: Some(after), .. } if after == Duration::from_millis(1337)),
        "{outcome:?}"
    );
}

#[test]
fn ntfy_gets_its_topic_in_the_body_and_a_priority_by_severity() {
    for (severity, priority) in [(Severity::Critical, 5), (Severity::Warning, 4), (Severity::Info, 2)] {
        let mut message = message();
        message.event.severity = severity;
        let (requests, _) = sent("ntfy", 0, &message, vec![ok()]);
        let (head, body) = split(&requests[0]);
        assert!(head.starts_with("post / http/1.1") && head.contains(&format!("bearer {SECRET}")), "{head}");
        assert_eq!((&body["topic"], &body["priority"]), (&json!(SECRET), &json!(priority)));
        assert!(body["message"].as_str().unwrap().len() <= 4096);
    }
}

#[test]
fn pushover_gets_a_form_that_foreign_text_cannot_break() {
    let (requests, _) = sent("pushover", 0, &evil(), vec![ok()]);
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /1/messages.json HTTP/1.1"), "{head}");
    assert_eq!(body.split('&').count(), 6, "{body}");
    assert!(body.starts_with(&format!("token={SECRET}&user=u&title=%3Cb%3Es%3C%2Fb%3E%20%26%20")), "{body}");
}

#[test]
fn gotify_and_matrix_get_what_their_specifications_say() {
    let (requests, _) = sent("gotify", 0, &evil(), vec![ok()]);
    let (head, body) = split(&requests[0]);
    assert!(head.starts_with("post /message http/1.1") && head.contains(&format!("x-gotify-key: {SECRET}")), "{head}");
    assert_eq!(body["title"], "<b>s</b> & `@everyone`");
    let (requests, _) = sent("matrix", 0, &evil(), vec![ok()]);
    let (head, body) = split(&requests[0]);
    let path = "put /_matrix/client/v3/rooms/%21r%3ax/send/m.room.message/btc-bot.abc.3.premature http/1.1";
    assert!(head.starts_with(path), "{head}");
    assert!(body["formatted_body"].as_str().unwrap().contains("<pre>&lt;/pre&gt;&lt;script&gt;"), "{body}");
    let busy = Act::Say("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 24\r\n\r\n{\"retry_after_ms\": 2500}");
    let (_, outcome) = sent("matrix", 0, &evil(), vec![busy]);
    assert!(
        matches!(outcome, Outcome::Failed { after: Some(after), .. } if after == Duration::from_millis(2500)),
        "{outcome:?}"
    );
}

#[test]
fn pagerduty_resolves_by_the_key_that_it_triggered_with() {
    let accepted = || Act::Say("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    let (requests, outcome) = sent("pagerduty", 0, &message(), vec![accepted()]);
    assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    let (head, trigger) = split(&requests[0]);
    assert!(head.starts_with("post /v2/enqueue http/1.1"), "{head}");
    assert_eq!((&trigger["event_action"], &trigger["routing_key"]), (&json!("trigger"), &json!(SECRET)));
    assert_eq!(trigger["payload"]["severity"], "warning");
    let mut well = message();
    well.event.kind = EventKind::Recovered;
    let (requests, _) = sent("pagerduty", 0, &well, vec![accepted()]);
    let (_, resolve) = split(&requests[0]);
    assert_eq!(resolve["event_action"], "resolve");
    assert_eq!(resolve["dedup_key"], trigger["dedup_key"]);
    let busy = Act::Say("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n");
    let (_, outcome) = sent("pagerduty", 0, &message(), vec![busy]);
    assert!(
        matches!(outcome, Outcome::Failed { after: Some(after), .. } if after >= Duration::from_secs(60)),
        "{outcome:?}"
    );
}
