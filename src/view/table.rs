//! Columns that line up, whatever script is in them.

use unicode_width::UnicodeWidthStr;

/// Rows of cells as lines: each column as wide as its widest cell, two blanks between, none at the end.
#[must_use]
pub fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_line_up_with_wide_characters_too() {
        let rows = [["ab", "x"], ["漢字", "y"]].map(|row| row.map(str::to_owned));
        assert_eq!(super::align(&rows), "ab    x\n漢字  y\n");
    }
}
