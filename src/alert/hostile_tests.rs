//! What a process may have written breaks no format: the receiver reads exactly the text, and no mark, mention or header of it.
//!
//! Each property goes through the sink itself, over loopback where it speaks HTTP, so that what is tested is what is sent.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::fake::{Act, http, message};
use super::sinks_tests::cases;
use super::{Message, email, send};
use crate::model::sample::{btc_bot, sink};
use crate::view::hostile::{decoded, hostile, text_of};
use crate::view::words::{cut, strip_control};

/// What the nth sink of this type sends when all is well: head and body.
fn sent(kind: &str, message: &Message) -> (String, String) {
    let find = |base: &str| cases(base).into_iter().find(|case| case.kind.type_name() == kind).unwrap();
    let (base, served) = http(vec![Act::Say(find("http://127.0.0.1:1").well)]);
    drop(send(&sink("s", find(&base).kind), message, Duration::from_secs(20)));
    let request = served.join().unwrap().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn json(kind: &str, message: &Message) -> Json {
    serde_json::from_str(&sent(kind, message).1).unwrap()
}

/// A message with a subject as it can be (one line) and a text as no sink may rely on it not being.
fn with(subject: &str, text: &str) -> Message {
    let mut message = message();
    message.rendered.subject = strip_control(subject);
    message.rendered.brief = text.to_owned();
    message
}

/// The last lines as a letter shows them.
fn shown(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(20)).map(|line| cut(&strip_control(line), 300)).collect()
}

/// The header lines of a letter, unfolded.
fn header(letter: &str) -> Vec<(String, String)> {
    let (head, _) = letter.split_once("\r\n\r\n").unwrap();
    let lines = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    lines
        .split("\r\n")
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A header value as a reader's program shows it: encoded words (RFC 2047) are decoded, blanks between two of them are nothing.
fn read(value: &str) -> String {
    let mut bytes = Vec::new();
    let (mut rest, mut after_word) = (value, false);
    while let Some((before, word)) = rest.split_once("=?utf-8?b?") {
        assert!(!before.contains("=?"), "an encoded word of a process's own in {value}");
        if !(after_word && before.trim().is_empty()) {
            bytes.extend(before.bytes());
        }
        let (word, behind) = word.split_once("?=").unwrap();
        bytes.extend(base64(word));
        (rest, after_word) = (behind, true);
    }
    assert!(!rest.contains("=?"), "an encoded word of a process's own in {value}");
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).unwrap()
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text.trim_end_matches('=').chars() {
        bits = bits << 6 | u32::try_from(DIGITS.find(digit).unwrap()).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    bytes
}

proptest! {
    // Each is a connection or more.
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn html_of_telegram_and_matrix_reads_as_the_text(subject in hostile(), text in hostile()) {
        let message = with(&subject, &text);
        let (subject, text) = (Some(message.rendered.subject.clone()), Some(text));
        let sent = json("telegram", &message);
        let (bold, rest) = sent["text"].as_str().unwrap().strip_prefix("<b>").unwrap().split_once("</b>\n").unwrap();
        prop_assert_eq!((text_of(bold), text_of(rest)), (subject.clone(), text.clone()));
        let sent = json("matrix", &message);
        let marked = sent["formatted_body"].as_str().unwrap();
        let (strong, rest) = marked.strip_prefix("<strong>").unwrap().split_once("</strong><br/><pre>").unwrap();
        prop_assert_eq!((text_of(strong), text_of(rest.strip_suffix("</pre>").unwrap())), (subject, text));
    }

    #[test]
    fn slack_finds_no_link_and_no_mention_and_reads_the_text(subject in hostile(), text in hostile()) {
        let message = with(&subject, &text);
        let sent = json("slack", &message);
        let marked = sent["text"].as_str().unwrap();
        prop_assert!(!marked.contains(['<', '>']), "{}", marked);
        // Slack reads three entities and no other.
        let read = marked.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        prop_assert_eq!(read, format!("*{}*\n{}", message.rendered.subject, text));
    }

    #[test]
    fn discord_finds_one_block_of_code_and_no_mention(subject in hostile(), text in hostile()) {
        let message = with(&subject, &text);
        let sent = json("discord", &message);
        prop_assert_eq!(&sent["allowed_mentions"], &serde_json::json!({"parse": []}));
        let content = sent["content"].as_str().unwrap();
        let (first, rest) = content.split_once("`\n```\n").unwrap();
        prop_assert!(!first.strip_prefix('`').unwrap().contains(['`', '\n']), "{}", content);
        let inside = rest.strip_suffix("\n```").unwrap();
        prop_assert!(!inside.contains("``"), "{}", content);
        prop_assert_eq!(inside.replace('\u{200b}', ""), text.replace('\u{200b}', ""));
    }

    #[test]
    fn json_and_forms_bring_the_text_and_headers_hold_none_of_it(subject in hostile(), text in hostile()) {
        let message = with(&subject, &text);
        let lines = |head: &str| head.lines().count();
        for (kind, title, body) in [
            ("ntfy", "title", "message"),
            ("gotify", "title", "message"),
            ("apprise", "title", "body"),
        ] {
            let (head, sent) = sent(kind, &message);
            let (plain, _) = self::sent(kind, &self::message());
            prop_assert_eq!(lines(&head), lines(&plain), "{}: {}", kind, head);
            let sent: Json = serde_json::from_str(&sent).unwrap();
            prop_assert_eq!((&sent[title], &sent[body]), (&Json::from(message.rendered.subject.as_str()), &Json::from(text.as_str())));
        }
        let (_, form) = sent("pushover", &message);
        let fields: Vec<(&str, String)> =
            form.split('&').map(|field| field.split_once('=').unwrap()).map(|(name, value)| (name, decoded(value))).collect();
        prop_assert_eq!(fields.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["token", "user", "title", "message", "priority", "timestamp"]);
        prop_assert_eq!((&fields[2].1, &fields[3].1), (&message.rendered.subject, &text));
    }

    #[test]
    fn a_letter_has_the_headers_that_it_has_with_any_text_and_its_html_reads_as_the_text(subject in hostile(), text in hostile()) {
        let mut notification = btc_bot();
        notification.log_tail = text.lines().map(str::to_owned).collect();
        let plain = email::compose("g@example.org", &["ops@example.org".to_owned()], &Message::new(&btc_bot(), &[], None)).unwrap();
        let mut message = Message::new(&notification, &[], None);
        message.rendered.subject = strip_control(&subject);
        let letter = email::compose("g@example.org", &["ops@example.org".to_owned()], &message).unwrap();
        let names = |letter: &str| header(letter).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        prop_assert_eq!(names(&letter), names(&plain));
        let shown_subject = header(&letter).into_iter().find(|(name, _)| name == "Subject").unwrap().1;
        prop_assert_eq!(read(&shown_subject).replace("=\u{200b}?", "=?"), message.rendered.subject.split_whitespace().collect::<Vec<_>>().join(" "), "{}", shown_subject);
        prop_assert!(letter.is_ascii(), "8 bits in {}", letter);
        prop_assert!(letter.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])), "{}", letter);
        let marked = &message.rendered.html;
        let shown = shown(&text);
        if !shown.is_empty() {
            let (_, rest) = marked.split_once("<b>Last output</b></p>\n<pre").unwrap();
            let (_, rest) = rest.split_once('>').unwrap();
            let (inside, _) = rest.split_once("</pre>").unwrap();
            prop_assert_eq!(text_of(inside), Some(shown.join("\n")));
        }
    }
}
