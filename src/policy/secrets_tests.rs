//! Which text is masked, and which stays as it is.

use super::*;

fn masked(text: &str) -> String {
    Mask::default().text(text)
}

/// A token that no scanner of published sources takes for a real one.
fn made(prefix: &str, length: usize) -> String {
    prefix.chars().chain("aB3dE5gH7jK9mN2p".chars().cycle().take(length)).collect()
}

#[test]
fn every_well_known_token_is_masked_wherever_a_word_may_begin() {
    let upper = |prefix: &str, length| made(prefix, length).to_uppercase();
    let tokens = [
        upper("AKIA", 16),
        upper("ASIA", 16),
        made("ghp_", 36),
        made("gho_", 36),
        made("ghs_", 36),
        made("github_pat_", 82),
        made("glpat-", 20),
        made("glrt-", 20),
        made("xoxb-1234567890-", 24),
        made("xapp-1-", 30),
        made("sk_live_", 24),
        made("rk_test_", 24),
        made("whsec_", 32),
        made("sk-", 48),
        made("sk-proj-", 60),
        made("sk-ant-api03-", 95),
        made("AIza", 35),
        made("ya29.", 60),
        made("npm_", 36),
        made("pypi-AgEIcHlwaS5vcmc", 60),
        made("hf_", 34),
        made("hvs.", 30),
        made("SG.", 22) + &made(".", 43),
        made("12345678:AA", 33),
        format!("eyJ{}.{}.{}", made("", 20), made("eyJ", 30), made("", 43)),
        format!("{}.{}.{}", made("M", 23), made("", 6), made("", 38)),
    ];
    for token in tokens {
        for (before, after) in
            [("", ""), ("key ", " refused"), ("(", ")"), ("x=", "\n"), ("'", "'"), ("ü:", "é"), ("/", "?")]
        {
            let text = format!("{before}{token}{after}");
            assert_eq!(masked(&text), format!("{before}****{after}"), "{text}");
        }
    }
}

#[test]
fn what_only_looks_like_a_token_stays() {
    for text in [
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "request 123e4567-e89b-12d3-a456-426614174000 failed",
        "/usr/lib/python3/site-packages/sk-learn/tests/test_a_very_long_name_of_a_test.py",
        "aGVsbG8gd29ybGQsIHRoaXMgaXMgYSBsb25nIGJsb2Igb2YgYmFzZTY0IHRleHQgaW4gYSBsb2c=",
        "AKIAAAAA is too short, AKIAlowercaseletters is not one",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "2026-11-18T11:06:43.000Z listening on 127.0.0.1:8080",
        "https://example.org/a?b=c user@example.org https://host:8080/x@y",
        "the bearer of bad news; unexpected token: `foo`; token=short",
        "error: secret missing, password required, basic authorization failed",
        "max_tokens=4096 sort_key=abcdefgh primary key: 12345678",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "File \"/app/tokenizer.py\", line 12, in tokenize",
        "password_file=/etc/guardian/password token_path: /run/token",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn headers_addresses_assignments_and_keys_lose_their_secret_part_alone() {
    for (text, want) in [
        ("Authorization: Bearer abc", "Authorization: Bearer ****"),
        ("{'Authorization': 'Basic dXNlcjpw'}", "{'Authorization': 'Basic ****'}"),
        ("authorization=Token t0", "authorization=Token ****"),
        ("sent bearer 0123456789abcdef.x-y_z~+/==", "sent bearer ****"),
        ("postgres://app:hunter22@db/x failed", "postgres://app:****@db/x failed"),
        ("redis://:p@ss:w@cache:6379", "redis://:****@cache:6379"),
        ("DB_PASSWORD=hunter22 MODE=paper", "DB_PASSWORD=**** MODE=paper"),
        ("aws_secret_access_key = wJalrXUtnFEMI", "aws_secret_access_key = ****"),
        ("DB_PASS=hunter22x and SMTP_PASS = hunter23x", "DB_PASS=**** and SMTP_PASS = ****"),
        ("{\"api_key\": \"a b,c d e\", \"n\": 1}", "{\"api_key\": \"****\", \"n\": 1}"),
        ("X-Api-Key: 0a1b2c3d4e", "X-Api-Key: ****"),
        ("tool --token s3cr3t-value --count 5", "tool --token **** --count 5"),
        ("tool --access-key=s3cr3t-value -v", "tool --access-key=**** -v"),
        ("https://hooks.slack.com/services/T00000000/B00000000/abc", "https://hooks.slack.com/services/****"),
        ("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb", "a\n****\nb"),
        ("a\n-----BEGIN PRIVATE KEY-----\nMIIE\nAAAA", "a\n****"),
        ("AAAA\n-----END OPENSSH PRIVATE KEY-----\nb", "****\nb"),
    ] {
        assert_eq!(masked(text), want);
    }
}

#[test]
fn values_of_variables_with_secret_names_are_masked_and_no_others() {
    let mask = Mask::of(
        [
            ("STRIPE_KEY", "plain-looking"),
            ("PGPASSWORD", "hunter22"),
            ("DATABASE_URL", "postgres://app:tr0ub4dor@db/x"),
            ("PEM", "no secret name"),
            ("TLS_PRIVATE_KEY", "first line of it\nsecond line of it"),
            ("SECRET_SHORT", "1"),
            ("DB_PASSWORD", "password"),
            ("SSH_AUTH_SOCK", "/tmp/ssh.sock"),
            ("MAX_TOKENS", "128000"),
            ("PWD", "/srv/application"),
            ("MODE", "production"),
        ]
        .into_iter(),
    );
    let text =
        "plain-looking xhunter22x tr0ub4dor no secret name 1 password /tmp/ssh.sock 128000 /srv/application production";
    let want = "**** x****x **** no secret name 1 password /tmp/ssh.sock 128000 /srv/application production";
    assert_eq!(mask.text(text), want);
    assert_eq!(mask.text("first line of it\nand second line of it"), "****\nand ****");
}

#[test]
fn overlapping_secrets_become_one_mask() {
    let mask = Mask::of([("A_TOKEN", "abcdefgh"), ("B_TOKEN", "efghijkl"), ("C_TOKEN", "defghi")].into_iter());
    assert_eq!(mask.text("<abcdefghijkl>"), "<****>");
    assert_eq!(mask.text(&mask.text("<abcdefghijkl>")), "<****>", "twice is once");
}

#[test]
fn text_that_begins_a_token_again_and_again_is_gone_through_in_the_end() {
    for part in ["sk-", "eyJ-", "eyJ.", "://a:", "token=", "-----BEGIN ", "Bearer ", "1:", "\"token\":\"", "xoxb-"] {
        let text = part.repeat(20 * 1024 / part.len());
        assert!(masked(&text).len() <= text.len() + 4);
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_masked_without_a_panic_and_stays_text(text in ".*", value in ".{6,20}") {
        let mask = Mask::of([("TOKEN", value.as_str())].into_iter());
        let once = mask.text(&text);
        proptest::prop_assert!(once.len() <= text.len() + MASKED.len());
    }
}
