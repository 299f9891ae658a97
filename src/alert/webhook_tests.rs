//! Posts as they go over the wire, to a server that speaks just enough HTTP.

use super::super::fake::{Act, http, message};
use super::*;
use crate::alert::either;
use crate::model::sink::{Secret, SecretSource};

fn post(url: &str, limit: Duration) -> Outcome {
    let header = [("X-Team".to_owned(), "ops".to_owned())];
    let url = SecretSource::Inline(Secret::new(url.to_owned()));
    either(send(&Webhook::plain(url, header.to_vec()), &message(), limit))
}

fn ask(act: Act, limit: Duration) -> Outcome {
    let (url, served) = http(vec![act]);
    let outcome = post(&url, limit);
    served.join().unwrap();
    assert!(!format!("{outcome:?}").contains("secret-path"), "the url shows in {outcome:?}");
    outcome
}

#[test]
fn the_request_is_that_of_the_contract() {
    let (url, served) = http(vec![Act::Say("HTTP/1.1 204 No Content\r\n\r\n")]);
    assert_eq!(post(&url, Duration::from_secs(20)), Outcome::delivered("HTTP 204 No Content"));
    let request = served.join().unwrap().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    for line in [
        "post /secret-path http/1.1",
        "idempotency-key: btc-bot.abc.3.premature",
        "x-team: ops",
        "content-type: application/json",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert_eq!(body, message().rendered.json);
}

#[test]
fn each_answer_means_what_http_says_it_means() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let busy = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 120\r\nContent-Length: 4\r\n\r\nslow";
    let broken = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    let unknown = "HTTP/1.1 404 Not Found\r\nContent-Length: 30\r\n\r\nCannot POST /secret-path \u{1b}such";
    let moved = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/evil\r\nContent-Length: 0\r\n\r\n";
    let wait = Some(Duration::from_secs(120));
    let cases = [
        (ok, Outcome::delivered("HTTP 200 OK")),
        (busy, Outcome::Failed { error: "HTTP 429 Too Many Requests: slow".into(), after: wait, reached: vec![] }),
        (broken, Outcome::failed("HTTP 500 Internal Server Error")),
        (unknown, Outcome::refused("HTTP 404 Not Found: Cannot POST **** such")),
        (moved, Outcome::refused("HTTP 302 Found: the server redirects, which is not followed; give the final url")),
    ];
    for (answer, want) in cases {
        assert_eq!(ask(Act::Say(answer), Duration::from_secs(20)), want);
    }
}

#[test]
fn a_server_that_says_nothing_or_breaks_off_is_tried_again() {
    let soon = Duration::from_millis(300);
    assert!(matches!(ask(Act::Stall(""), soon), Outcome::Failed { .. }));
    assert!(matches!(
        ask(Act::Stall("HTTP/1.1 503 No\r\nContent-Length: 9999\r\n\r\npart"), soon),
        Outcome::Failed { .. }
    ));
    assert!(matches!(ask(Act::Drop, Duration::from_secs(20)), Outcome::Failed { .. }));
}

#[test]
fn a_good_answer_whose_body_never_ends_is_delivered() {
    let act = Act::Stall("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\npart");
    assert_eq!(ask(act, Duration::from_secs(20)), Outcome::delivered("HTTP 200 OK"));
}

#[test]
fn what_is_no_web_address_is_refused_without_showing_it() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(post(&format!("http://{nobody}/x"), Duration::from_secs(20)), Outcome::Failed { .. }));
    for bad in ["ftp://token@host/", "http://", "http://a b/token"] {
        let outcome = post(bad, Duration::from_secs(5));
        assert!(matches!(&outcome, Outcome::Refused { error } if !error.contains("token")), "{bad}: {outcome:?}");
    }
}

/// What is sent, by this template.
fn sent(content_type: &str, template: TemplateSource, message: &Message) -> (String, Outcome) {
    let (url, served) = http(vec![Act::Say("HTTP/1.1 204 No Content\r\n\r\n")]);
    let url = SecretSource::Inline(Secret::new(url));
    let sink = Webhook {
        content_type: content_type.to_owned(),
        put: true,
        template: Some(template),
        ..Webhook::plain(url, vec![])
    };
    let outcome = either(send(&sink, message, Duration::from_secs(20)));
    (served.join().unwrap().remove(0), outcome)
}

#[test]
fn a_template_makes_the_body_that_the_receiver_wants_and_keeps_the_id() {
    let mut message = message();
    message.rendered.brief = "\"},{\\ \n\0\u{2028}{{json}}".to_owned();
    let template = TemplateSource::Inline("{\"text\": \"{{ title }}: {{brief}}\", \"all\": {{json}}}".to_owned());
    let (request, outcome) = sent("application/json; charset=utf-8", template, &message);
    assert_eq!(outcome, Outcome::delivered("HTTP 204 No Content"));
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(head.starts_with("put /secret-path") && head.contains("content-type: application/json; charset=utf-8"));
    assert!(head.contains(&format!("idempotency-key: {}", message.id)), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["text"], format!("{}: {}", message.rendered.subject, message.rendered.brief));
    assert_eq!(body["all"], serde_json::from_str::<serde_json::Value>(&message.rendered.json).unwrap());
}

#[test]
fn a_template_file_is_read_at_each_delivery_refused_where_it_is_wrong_and_waited_for_where_it_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("body");
    let file = || TemplateSource::File(path.to_str().unwrap().to_owned());
    let form = "application/x-www-form-urlencoded";
    fs::write(&path, "p={{process}}&t={{title}}\n").unwrap();
    let (request, _) = sent(form, file(), &message());
    let wanted = format!("\r\n\r\np=btc-bot&t={}", http::percent(&message().rendered.subject));
    assert!(request.ends_with(&wanted), "{request}");
    let nowhere = SecretSource::Inline(Secret::new("http://127.0.0.1:1/".to_owned()));
    let sink = Webhook { content_type: form.to_owned(), template: Some(file()), ..Webhook::plain(nowhere, vec![]) };
    assert_eq!(examine(&sink), None);
    fs::write(&path, "a=1\n&b={{nmae}}").unwrap();
    let outcome = either(send(&sink, &message(), Duration::from_secs(5)));
    let shown = format!("{}:2:4: there is no placeholder `{{{{nmae}}}}`", path.display());
    assert!(matches!(&outcome, Outcome::Refused { error } if error.starts_with(&shown)), "{outcome:?}");
    assert_eq!(examine(&sink).map(|(at, problem)| (at, problem.line, problem.column)), Some((path.clone(), 2, 4)));
    fs::remove_file(&path).unwrap();
    let outcome = either(send(&sink, &message(), Duration::from_secs(5)));
    assert!(matches!(&outcome, Outcome::Failed { error, .. } if error.contains("cannot be read")), "{outcome:?}");
    assert!(examine(&sink).is_some());
}
