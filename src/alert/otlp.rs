//! The `otlp` sink: each message as a log record of OpenTelemetry, by OTLP/HTTP with JSON.
//!
//! Numbers of 64 bits are texts, names are lowerCamelCase. A collector that takes the request and not the record says so in
//! `partialSuccess`; by the specification such a record is not sent again.

use std::time::Duration;

use serde_json::{Value, json};

use super::syslog::headline;
use super::{Message, Sent, http, secret};
use crate::model::channel::Otlp;
use crate::model::delivery::Outcome;
use crate::model::event::Severity;

/// Sends the message.
pub(super) fn send(sink: &Otlp, message: &Message, limit: Duration) -> Sent {
    let base = secret::read(&sink.url, "url", limit).map_err(Outcome::failed)?;
    let url = format!("{}/v1/logs", base.expose().trim_end_matches('/'));
    let body = logs(message).to_string();
    let request = http::Request {
        url: &url,
        content_type: "application/json",
        header: sink.header.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        body: &body,
        secrets: vec![base.expose()],
        ..http::Request::default()
    };
    let mut answer = http::send(&request, limit)?;
    if !answer.status.is_success() {
        return Ok(answer.judge());
    }
    // That it took it is known; an answer that breaks off changes nothing.
    let said: Option<Value> = answer.body().and_then(|body| serde_json::from_str(&body).ok());
    match said.as_ref().and_then(rejection) {
        Some(why) => Ok(Outcome::refused(format!("the collector rejected the record: {}", answer.shown(&why)))),
        None => Ok(Outcome::delivered(format!("HTTP {}", answer.status))),
    }
}

/// Why the record was rejected; `None`: it was not.
fn rejection(said: &Value) -> Option<String> {
    let partial = said.get("partialSuccess")?;
    let count = partial.get("rejectedLogRecords")?;
    let count = count.as_i64().or_else(|| count.as_str()?.parse().ok())?;
    let why = partial.get("errorMessage").and_then(Value::as_str).unwrap_or("it does not say why");
    (count > 0).then(|| why.to_owned())
}

/// Number and text of the severity, as OpenTelemetry maps those of syslog.
fn severity(message: &Message) -> u8 {
    match message.event.severity {
        _ if message.event.ends_an_incident() => 10,
        Severity::Critical => 18,
        Severity::Warning => 13,
        Severity::Info => 9,
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn logs(message: &Message) -> Value {
    let event = &message.event;
    let version = env!("CARGO_PKG_VERSION");
    let at = (i128::from(message.at.0) * 1_000_000).to_string();
    let words = [
        ("guardian.id", Some(message.id.as_str())),
        ("guardian.process", Some(event.process.as_str())),
        ("guardian.group", event.group.as_deref()),
        ("guardian.kind", Some(event.kind.word())),
        ("guardian.severity", Some(event.severity.word())),
        ("guardian.cause", event.cause.as_ref().map(|cause| cause.kind())),
        ("guardian.verdict", event.verdict.map(|verdict| verdict.word())),
        ("guardian.action", Some(event.action.as_str()).filter(|action| !action.is_empty())),
        ("guardian.text", Some(message.rendered.text.as_str())),
    ];
    let numbers =
        [("guardian.run", event.run.map(|run| run.to_string())), ("process.pid", event.pid.map(|pid| pid.to_string()))];
    let words = words.into_iter().filter_map(|(key, value)| Some(text(key, value?)));
    let numbers =
        numbers.into_iter().filter_map(|(key, value)| Some(json!({"key": key, "value": {"intValue": value?}})));
    let ran = event.ran_s.map(|ran| json!({"key": "guardian.ran_s", "value": {"doubleValue": ran}}));
    let record = json!({
        "timeUnixNano": at, "observedTimeUnixNano": at,
        "severityNumber": severity(message), "severityText": event.severity.word(),
        "eventName": format!("guardian.{}", event.kind.word()),
        "body": {"stringValue": headline(message)},
        "attributes": words.chain(numbers).chain(ran).collect::<Vec<_>>(),
    });
    json!({"resourceLogs": [{
        "resource": {"attributes": [
            text("service.name", "guardian"), text("service.version", version), text("host.name", &message.host),
        ]},
        "scopeLogs": [{"scope": {"name": "guardian", "version": version}, "logRecords": [record]}],
    }]})
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Act, http, message};
    use super::super::send as send_by_sink;
    use super::*;
    use crate::model::sample::sink;
    use crate::model::sink::{Secret, SecretSource, SinkKind};

    const PATIENT: Duration = Duration::from_secs(20);

    fn to(base: &str) -> Otlp {
        let header = vec![("X-Key".to_owned(), "hush-hush".to_owned())];
        Otlp { url: SecretSource::Inline(Secret::new(base.to_owned())), header }
    }

    #[test]
    fn a_record_is_written_as_the_specification_wants_it() {
        let (base, served) = http(vec![Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")]);
        let outcome = send_by_sink(&sink("o", SinkKind::Otlp(to(&format!("{base}/")))), &message(), PATIENT);
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
        let request = served.join().unwrap().remove(0);
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /secret-path/v1/logs HTTP/1.1"), "{head}");
        assert!(head.to_lowercase().contains("content-type: application/json") && head.contains("hush-hush"), "{head}");
        let body: Value = serde_json::from_str(body).unwrap();
        let logs = &body["resourceLogs"][0];
        assert_eq!(
            logs["resource"]["attributes"][0],
            json!({"key": "service.name", "value": {"stringValue": "guardian"}})
        );
        let record = &logs["scopeLogs"][0]["logRecords"][0];
        let message = message();
        assert_eq!(record["timeUnixNano"], format!("{}000000", message.at.0), "64 bits are a text");
        assert_eq!(record["severityText"], message.event.severity.word());
        assert!((1..=24).contains(&record["severityNumber"].as_u64().unwrap()), "{record}");
        assert_eq!(record["eventName"], format!("guardian.{}", message.event.kind.word()));
        let attributes = record["attributes"].as_array().unwrap();
        let of = |key: &str| attributes.iter().find(|attribute| attribute["key"] == key).map(|found| &found["value"]);
        assert_eq!(of("guardian.process"), Some(&json!({"stringValue": message.event.process})));
        assert_eq!(of("guardian.run"), Some(&json!({"intValue": message.event.run.unwrap().to_string()})));
        assert_eq!(of("guardian.id"), Some(&json!({"stringValue": message.id})));
    }

    #[test]
    fn a_record_that_was_rejected_is_not_sent_again_and_says_why() {
        for (body, refused) in [
            (r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}"#, true),
            (r#"{"partialSuccess":{"rejectedLogRecords":1,"errorMessage":"too old"}}"#, true),
            (r#"{"partialSuccess":{"rejectedLogRecords":"0","errorMessage":"a warning"}}"#, false),
            (r#"{"partialSuccess":{}}"#, false),
            ("not json", false),
        ] {
            let words = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let (base, served) = http(vec![Act::Say(Box::leak(words.into_boxed_str()))]);
            let outcome = send_by_sink(&sink("o", SinkKind::Otlp(to(&base))), &message(), PATIENT);
            served.join().unwrap();
            let is = matches!(&outcome, Outcome::Refused { error } if error.contains("too old"));
            assert_eq!(is, refused, "{body}: {outcome:?}");
            assert!(refused || matches!(outcome, Outcome::Delivered { .. }), "{body}: {outcome:?}");
        }
    }
}
