//! Time zones by name: which one is meant, and which one may have been.

use chrono_tz::{TZ_VARIANTS, Tz};

/// The zone of this name; else the name that was probably meant, if there is one like it.
///
/// # Errors
/// No zone has this name.
pub fn find(name: &str) -> Result<Tz, Option<&'static str>> {
    name.parse().map_err(|_| similar(name))
}

/// The zone whose name is most like `name`: the same in other letters, the place alone, or a slip.
fn similar(name: &str) -> Option<&'static str> {
    let plain = |name: &str| name.to_lowercase().replace([' ', '-'], "_");
    let wanted = plain(name);
    let likeness = |known: &str| {
        let known = plain(known);
        let place = known.rsplit('/').next().unwrap_or(&known);
        strsim::jaro(&wanted, &known).max(strsim::jaro(&wanted, place))
    };
    let scored = TZ_VARIANTS.iter().map(|zone| (likeness(zone.name()), zone.name()));
    let best = scored.filter(|(score, _)| *score > 0.85).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_found_by_its_name_and_a_slip_gets_the_one_that_was_meant() {
        assert_eq!(find("Europe/Berlin"), Ok(Tz::Europe__Berlin));
        assert_eq!(find("UTC"), Ok(Tz::UTC));
        for slip in ["Europe/Berln", "europe/berlin", "Berlin", "Europe-Berlin"] {
            assert_eq!(find(slip), Err(Some("Europe/Berlin")), "{slip}");
        }
        assert_eq!(find("new york"), Err(Some("America/New_York")));
        assert_eq!(find("Middle-earth"), Err(None));
    }
}
