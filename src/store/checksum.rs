//! Checksums in what is stored, so that a flipped bit is damage that is seen and never another fact.
//!
//! A sum is the last key of a JSON object (`"sum":"16 hex digits"`, over all that stands before it), so that builds which
//! do not know it pass over it. What has none was written by an earlier build, and is taken as it is.

use serde::Deserialize;
use serde::de::Error;

/// What precedes the digits.
const KEY: &[u8] = br#","sum":""#;
/// How many digits there are.
const DIGITS: usize = 16;

/// Tells torn or flipped bytes; eight at a time, because it is paid on every pass. Any one bit makes a difference.
#[must_use]
pub fn of(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, word: u64| (sum.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(bytes.len() as u64, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte)))
}

/// Adds the sum to a JSON object; inside the inner one, where the object is one kind with its content (`{"end":{…}}`).
#[must_use]
pub fn seal(mut json: Vec<u8>) -> Vec<u8> {
    let body = body(&json).len();
    let closing = json.split_off(body);
    let digits = format!("{:016x}", of(&json));
    json.extend(KEY);
    json.extend(digits.bytes());
    json.push(b'"');
    json.extend(closing);
    json
}

/// Without the closing brace of the object, or both of an object in an object.
fn body(json: &[u8]) -> &[u8] {
    let one = json.strip_suffix(b"}").unwrap_or(json);
    if one.starts_with(br#"{""#) && is_one_kind(one) { one.strip_suffix(b"}").unwrap_or(one) } else { one }
}

/// `{"kind":{…}`: nothing follows the inner object, and nothing stood before it.
fn is_one_kind(open: &[u8]) -> bool {
    let name = open.iter().skip(2).take_while(|byte| byte.is_ascii_lowercase() || **byte == b'_').count();
    open.get(2 + name..).is_some_and(|rest| rest.starts_with(br#"":{"#)) && open.ends_with(b"}")
}

/// Whether a JSON object, perhaps with its newline, is what was sealed. True as well where there is no sum.
#[must_use]
pub fn is_intact(json: &[u8]) -> bool {
    let (body, sum) = split(json);
    sum.is_none_or(|sum| sum == of(body))
}

/// Whether it carries a sum that fits: somebody wrote exactly this.
#[must_use]
pub fn is_sealed(json: &[u8]) -> bool {
    let (body, sum) = split(json);
    sum.is_some_and(|sum| sum == of(body))
}

/// Reads JSON that is UTF-8 as a whole: quicker than looking at it string by string.
///
/// # Errors
/// It is not what is to be read.
pub fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> serde_json::Result<T> {
    serde_json::from_str(std::str::from_utf8(json).map_err(Error::custom)?)
}

fn split(json: &[u8]) -> (&[u8], Option<u64>) {
    let end = json.iter().rposition(|byte| !matches!(byte, b'\n' | b'}')).map_or(0, |last| last + 1);
    let found = json.get(..end).and_then(|open| {
        let digits_end = open.strip_suffix(b"\"")?;
        let (rest, digits) = digits_end.split_at_checked(digits_end.len().checked_sub(DIGITS)?)?;
        let sum = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        Some((rest.strip_suffix(KEY)?, Some(sum)))
    });
    found.unwrap_or((json, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_flipped_bit_is_seen_or_leaves_the_value_as_it_was() {
        for json in [r#"{"a":1,"b":{"c":"x}"}}"#, r#"{"end":{"status":{"code":0},"at":7}}"#, r#"{"end":{"a":1},"b":2}"#]
        {
            let sealed = seal(json.as_bytes().to_vec());
            assert!(is_intact(&sealed) && is_sealed(&sealed), "{}", String::from_utf8_lossy(&sealed));
            let value = |bytes: &[u8]| {
                let mut value = serde_json::from_slice::<serde_json::Value>(bytes).ok()?;
                let outer = value.as_object_mut()?;
                outer.retain(|key, _| key.len() != 3 || key == "end");
                if let Some(inner) = outer.get_mut("end").and_then(serde_json::Value::as_object_mut) {
                    inner.retain(|key, _| key.len() != 3);
                }
                Some(value)
            };
            let want = value(&sealed).unwrap();
            for (at, bit) in (0..sealed.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
                let mut flipped = sealed.clone();
                flipped[at] ^= 1 << bit;
                let Some(got) = value(&flipped) else { continue };
                assert!(!is_intact(&flipped) || got == want, "byte {at} bit {bit}: {got}");
            }
        }
    }

    #[test]
    fn a_sum_is_a_key_that_earlier_builds_pass_over() {
        let sealed = |json: &str| String::from_utf8(seal(json.as_bytes().to_vec())).unwrap();
        assert!(sealed(r#"{"a":{"b":1}}"#).starts_with(r#"{"a":{"b":1,"sum":""#));
        assert!(sealed(r#"{"a":1}"#).starts_with(r#"{"a":1,"sum":""#));
        assert!(sealed(r#"{"x":0,"a":{"b":1}}"#).starts_with(r#"{"x":0,"a":{"b":1},"sum":""#));
        assert!(is_intact(b"{\"a\":1}\n") && !is_sealed(b"{\"a\":1}"));
    }
}
