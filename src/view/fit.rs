//! Text in lines of so many columns, whatever script it is in.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::words::{cut, strip_control};

/// The text in lines of so many columns; what does not fit into `most` of them is cut.
pub(super) fn wrap(text: &str, width: usize, most: usize) -> Vec<String> {
    // No more than can be shown: a command line may have a megabyte.
    let clean = strip_control(&cut(text, most * width * 2));
    let mut lines = vec![String::new()];
    for word in clean.split(' ') {
        let full = lines.len() >= most;
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() || full || line.width() + 1 + word.width() <= width {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.into_iter().map(|line| fit(&line, width)).collect()
}

/// As much of the text as fits into so many columns.
pub(super) fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fitting = text.chars().take_while(|letter| {
        let width = letter.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    });
    fitting.chain(['…']).collect()
}
