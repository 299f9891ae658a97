//! Durations and sizes as people write them: `90s 15m 8h 2d 1h30m`, `512M 2G`.

use std::time::Duration;

/// Why a text is not a duration or size; the message names the text, the hint the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct UnitError {
    /// What is wrong with which text.
    pub what: String,
    /// What to write instead.
    pub hint: String,
}

/// Longest duration accepted: 100 years. Beyond that arithmetic on clocks could overflow.
const MAX: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Parses `90s`, `15m`, `8h`, `2d`, `1h30m`, `250ms`, `0s`.
///
/// # Errors
/// A bare number (the hint offers `480m`), a sign, a fraction, an unknown unit, more than 100 years.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let fail = |why: &str, hint: String| Err(UnitError { what: format!("duration {text:?} {why}"), hint });
    let usual = || "write for example `90s`, `15m`, `8h`, `2d` or `1h30m`".to_owned();
    if text.is_empty() {
        return fail("is empty", usual());
    }
    if text.starts_with('-') {
        return fail("is negative", usual());
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return fail(
            "has no unit",
            format!("write `{text}m` for minutes, `{text}s` for seconds or `{text}h` for hours"),
        );
    }
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= MAX => Ok(duration),
        Ok(_) => {
            fail("is longer than 100 years", "leave the option out, or use `forever` where it is a target".to_owned())
        }
        Err(error) => fail(&format!("cannot be read: {error}"), usual()),
    }
}

/// A duration in seconds, for programs: 1261 ms are `1.261`, without the dust that a sum of two fractions leaves.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
pub fn seconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}

/// A duration in the form that [`parse_duration`] reads: `1h 30m` is written `1h30m`.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if rest >= ms {
            text.push_str(&format!("{}{unit}", rest / ms));
            rest %= ms;
        }
    }
    text
}

/// A duration for people, at most two units: `3s`, `1m 02s`, `7h 12m`, `3d 4h`, `340ms`.
#[must_use]
pub fn human_duration(duration: Duration) -> String {
    let secs = duration.as_secs();
    match secs {
        0 if duration.is_zero() => "0s".to_owned(),
        0 => format!("{}ms", duration.as_millis()),
        1..=59 => format!("{secs}s"),
        60..=3599 => format!("{}m {:02}s", secs / 60, secs % 60),
        3600..=86_399 => format!("{}h {:02}m", secs / 3600, secs % 3600 / 60),
        _ => format!("{}d {}h", secs / 86_400, secs % 86_400 / 3600),
    }
}

/// Parses `512M`, `2G`, `64K`, `100B`; units are powers of 1024. Zero is refused.
///
/// # Errors
/// A bare number, a sign, an unknown unit, zero, more than 2^63 bytes.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let fail = |why: &str| {
        Err(UnitError { what: format!("size {text:?} {why}"), hint: "write for example `512M` or `2G`".to_owned() })
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let Ok(number) = number.parse::<u64>() else { return fail("does not begin with a whole number") };
    let shift = match unit.trim_end_matches("iB") {
        "B" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        "" => return fail("has no unit"),
        _ => return fail("has an unknown unit"),
    };
    match number.checked_mul(1 << shift) {
        Some(0) => fail("is zero"),
        Some(bytes) if i64::try_from(bytes).is_ok() => Ok(bytes),
        _ => fail("is too large"),
    }
}

/// The same where the name of the option says the unit: there a bare number is bytes.
///
/// # Errors
/// As [`parse_size`], but for a bare number.
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if bare { parse_size(&format!("{text}B")) } else { parse_size(text) }
}

/// Bytes for people, rounded: `512 KiB`, `37 GiB`.
#[must_use]
pub fn human_size(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(shift, _)| bytes >> shift >= 1) {
        Some((shift, unit)) => format!("{} {unit}", bytes >> shift),
        None => format!("{bytes} B"),
    }
}

/// The size in the largest unit that it is a whole number of: `512M`, `1536K`, `100B`. [`parse_size`] reads it back.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    let units = [(40, "T"), (30, "G"), (20, "M"), (10, "K")];
    let fits = |shift: u32| bytes > 0 && bytes.trailing_zeros() >= shift;
    match units.into_iter().find(|(shift, _)| fits(*shift)) {
        Some((shift, unit)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them_are_read() {
        let cases =
            [("90s", 90), ("15m", 900), ("8h", 28_800), ("2d", 172_800), ("1h30m", 5400), ("1.5h", 5400), ("0s", 0)];
        for (text, secs) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(secs)), "{text}");
            let again = parse_duration(&format_duration(Duration::from_secs(secs)));
            assert_eq!(again, Ok(Duration::from_secs(secs)), "{text} written and read again");
        }
    }

    #[test]
    fn a_bare_number_is_refused_with_the_unit_it_may_have_meant() {
        let error = parse_duration("480").unwrap_err();
        assert!(error.hint.contains("`480m`"), "{error:?}");
    }

    #[test]
    fn durations_that_mean_nothing_are_refused() {
        for bad in ["-5m", "1e99h", "", "m", "5 parsecs", "99999999999999999999h", "200000d", "٣m"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sizes_are_read_in_powers_of_1024() {
        assert_eq!(parse_size("512M"), Ok(512 << 20));
        assert_eq!(parse_size("2GiB"), Ok(2 << 30));
        for text in ["512M", "1536K", "100B", "2G", "3T"] {
            assert_eq!(parse_size(text).map(format_size).as_deref(), Ok(text), "written and read again");
        }
        assert_eq!((parse_bytes("4096"), parse_bytes("4K")), (Ok(4096), Ok(4096)));
        assert!(parse_bytes("0").is_err() && parse_bytes("").is_err());
        for bad in ["512", "-1M", "0M", "1X", "99999999T", ""] {
            assert!(parse_size(bad).is_err(), "{bad:?}");
        }
    }
}
