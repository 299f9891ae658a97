//! The size of a terminal's window.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::units::UnitError;

/// Columns and rows, each from 1 to 9999. Written `80x24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

impl Window {
    /// What terminals have had since they were made of glass.
    pub const USUAL: Self = Self { columns: 80, rows: 24 };
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.columns, self.rows)
    }
}

impl FromStr for Window {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let number = |text: &str| text.parse::<u16>().ok().filter(|number| (1..=9999).contains(number));
        let read = text.split_once('x').and_then(|(columns, rows)| Some((number(columns)?, number(rows)?)));
        read.map(|(columns, rows)| Self { columns, rows }).ok_or_else(|| UnitError {
            what: format!("{text:?} is no size of a window"),
            hint: "write columns and rows such as `80x24`, each from 1 to 9999".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        for text in ["80x24", "1x1", "9999x9999"] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
        for text in ["", "80", "80x", "0x24", "80x-1", "80 x 24", "80x24x1", "99999x1"] {
            assert!(text.parse::<Window>().is_err(), "{text:?}");
        }
    }
}
