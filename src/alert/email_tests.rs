//! Mails as they go over the wire, to a server that speaks just enough SMTP.

use super::super::fake::{Act, message, smtp};
use super::*;
use crate::model::sink::Secret;

const LIMIT: Duration = Duration::from_secs(20);

fn to() -> Vec<String> {
    ["a@example.org", "b@example.org", "C <c@example.org>"].map(str::to_owned).to_vec()
}

fn server(port: u16) -> Server<'static> {
    Server { host: "127.0.0.1", port, tls: Tls::None, login: None }
}

fn mail(rules: Vec<(&'static str, Act)>, message: &Message, limit: Duration) -> (Outcome, Vec<String>) {
    let (port, served) = smtp(rules);
    let outcome = send(&server(port), "guardian <guardian@example.org>", &to(), message, limit);
    (outcome, served.join().unwrap())
}

fn count(told: &[String], begin: &str) -> usize {
    told.iter().filter(|line| line.starts_with(begin)).count()
}

#[test]
fn a_subject_that_looks_like_an_encoded_word_is_shown_as_it_was_written() {
    let mut message = message();
    message.rendered.subject = "=?utf-8?q?=0D=0ABcc:_evil?= died".to_owned();
    let letter = compose("g@example.org", &["ops@example.org".to_owned()], &message).unwrap();
    assert!(!letter.contains("=?utf-8?q?"), "{letter}");
}

#[test]
fn one_letter_goes_to_all_and_carries_our_id() {
    let answer = Message { answers: Some("btc-bot.abc.1.premature".into()), ..message() };
    let (outcome, told) = mail(vec![], &answer, LIMIT);
    assert_eq!(outcome, Outcome::delivered("2.0.0 queued as 17"));
    assert_eq!((count(&told, "RCPT TO"), count(&told, "DATA")), (3, 1));
    for line in [
        "Message-ID: <btc-bot.abc.3.premature@trader.example.org.guardian>",
        "In-Reply-To: <btc-bot.abc.1.premature@trader.example.org.guardian>",
        "Auto-Submitted: auto-generated",
        "Date: Wed, 18 Nov 2026 11:06:43 +0000",
    ] {
        assert!(told.iter().any(|told| told == line), "{line} in {told:#?}");
    }
}

#[test]
fn a_refused_recipient_does_not_cost_the_others_their_letter() {
    let rules = vec![("RCPT TO:<b@", Act::Say("550 5.1.1 no such user\r\n"))];
    let (outcome, told) = mail(rules, &message(), LIMIT);
    let Outcome::Delivered { refused, .. } = outcome else { panic!("{outcome:?}") };
    assert!(refused.len() == 1 && refused[0].starts_with("b@example.org:") && refused[0].contains("no such user"));
    assert_eq!(count(&told, "DATA"), 1);
}

#[test]
fn a_recipient_put_off_is_tried_again_alone() {
    let (outcome, told) = mail(vec![("RCPT TO:<b@", Act::Say("451 later\r\n"))], &message(), LIMIT);
    let Outcome::Failed { reached, error, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((reached.clone(), count(&told, "DATA")), (vec!["a@example.org".into(), "c@example.org".into()], 1));
    assert!(error.contains("b@example.org"), "{error}");
    let again = Message { reached, ..message() };
    let (outcome, told) = mail(vec![], &again, LIMIT);
    assert!(matches!(outcome, Outcome::Delivered { .. }));
    assert_eq!(told.iter().filter(|line| line.starts_with("RCPT")).collect::<Vec<_>>(), ["RCPT TO:<b@example.org>"]);
    let (outcome, _) = mail(vec![("RCPT", Act::Say("550 gone\r\n"))], &again, LIMIT);
    assert!(
        matches!(&outcome, Outcome::Delivered { refused, .. } if refused.len() == 1),
        "the others have it: {outcome:?}"
    );
}

#[test]
fn for_good_and_for_now_are_told_apart() {
    let say = Act::Say;
    let cases = [
        ("busy at the sender", vec![("MAIL", say("451 busy\r\n"))], false),
        ("the sender is refused", vec![("MAIL", say("550 never\r\n"))], true),
        ("every recipient is refused", vec![("RCPT", say("550 unknown\r\n"))], true),
        ("the message is refused", vec![(".", say("554 spam\r\n"))], true),
        ("the message is put off", vec![(".", say("452 full\r\n"))], false),
        ("it breaks off after the message", vec![(".", Act::Drop)], false),
        ("it breaks off at once", vec![("connect", Act::Drop)], false),
        ("it is no mail server", vec![("connect", say("HTTP/1.1 400 Bad\r\n"))], false),
    ];
    for (claim, rules, for_good) in cases {
        let (outcome, _) = mail(rules, &message(), LIMIT);
        match outcome {
            Outcome::Refused { .. } => assert!(for_good, "{claim}"),
            Outcome::Failed { reached, .. } => assert!(!for_good && reached.is_empty(), "{claim}"),
            Outcome::Delivered { .. } => panic!("{claim}: delivered"),
        }
    }
}

#[test]
fn a_server_that_hangs_is_left_after_the_limit() {
    for at in ["connect", "EHLO", "RCPT", "."] {
        let (outcome, _) = mail(vec![(at, Act::Stall(""))], &message(), Duration::from_millis(200));
        assert!(matches!(outcome, Outcome::Failed { .. }), "{at}: {outcome:?}");
    }
}

#[test]
fn a_server_that_hangs_at_goodbye_has_the_letter() {
    let (outcome, _) = mail(vec![("QUIT", Act::Stall(""))], &message(), LIMIT);
    assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
}

#[test]
fn nobody_listening_is_tried_again_and_starttls_is_never_skipped() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let outcome = send(&server(port), "g@example.org", &to(), &message(), LIMIT);
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    let (port, served) = smtp(vec![]);
    let strict = Server { tls: Tls::Starttls, ..server(port) };
    let outcome = send(&strict, "g@example.org", &to(), &message(), LIMIT);
    assert!(matches!(&outcome, Outcome::Failed { error, .. } if error.contains("STARTTLS")), "{outcome:?}");
    assert_eq!(count(&served.join().unwrap(), "MAIL"), 0);
}

#[test]
fn a_password_is_not_sent_in_the_clear_and_a_wrong_one_is_for_good() {
    let password = SecretSource::Inline(Secret::new("hunter2".into()));
    let login = Some(("guardian", &password));
    let remote = Server { host: "mail.example.org", port: 25, tls: Tls::None, login };
    let outcome = send(&remote, "g@example.org", &to(), &message(), LIMIT);
    assert!(matches!(&outcome, Outcome::Refused { error } if error.contains("without TLS")), "{outcome:?}");
    let (port, served) = smtp(vec![("AUTH", Act::Say("535 wrong\r\n"))]);
    let outcome = send(&Server { login, ..server(port) }, "g@example.org", &to(), &message(), LIMIT);
    assert!(matches!(&outcome, Outcome::Refused { error } if error.contains("login")), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("hunter2"));
    served.join().unwrap();
}

#[test]
fn no_text_of_the_world_makes_a_header() {
    let mut evil = message();
    evil.rendered.subject = "x\r\nBcc: evil@example.org".into();
    evil.id = "a\r\nX-Evil: 1>".into();
    let (outcome, told) = mail(vec![], &evil, LIMIT);
    assert!(matches!(outcome, Outcome::Delivered { .. }));
    assert!(!told.iter().any(|line| line.starts_with("Bcc") || line.starts_with("X-Evil")), "{told:#?}");
    assert!(matches!(send(&server(1), "no address", &to(), &message(), LIMIT), Outcome::Refused { .. }));
}
