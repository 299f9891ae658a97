//! Calls in the code of another language that give a line to a shell, or words to the system.
//!
//! A scanner of names, strings and comments, no parser: what a call gets is read as far as it stands there; `X` stands for
//! what is only known when the code runs.

use super::embedded::Language;

/// What a call gives away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    /// A line for a shell.
    Line(String),
    /// A program with its arguments.
    Words(Vec<String>),
}

/// Longest code that is scanned, in letters.
const LONGEST: usize = 64 * 1024;
/// Longest arguments of one call.
const LONGEST_CALL: usize = 4096;

/// Code as it is read.
struct Scanner<'a> {
    letters: Vec<char>,
    at: usize,
    /// Where it stops to read.
    end: usize,
    language: &'a Language,
}

/// One argument of a call.
#[derive(Debug, Default)]
struct Argument {
    text: String,
    /// Whether anything of it was written out.
    literal: bool,
    list: Option<Vec<String>>,
}

/// What the calls in `code` give away, and the code without its strings and comments.
pub(super) fn calls(code: &str, language: &Language) -> (Vec<Given>, String) {
    let mut scanner = Scanner { letters: code.chars().take(LONGEST).collect(), at: 0, end: LONGEST, language };
    let (mut found, mut bare) = (Vec::new(), String::new());
    while let Some(letter) = scanner.letter() {
        if scanner.comment() {
            continue;
        }
        if matches!(letter, '\'' | '"' | '`') {
            let text = scanner.string(letter);
            found.extend((letter == '`' && language.backticks).then_some(Given::Line(text)));
            continue;
        }
        let name = scanner.name();
        bare.push_str(&name);
        if name.is_empty() {
            bare.push(letter);
            scanner.at += 1;
        } else if name == "qx" && language.backticks {
            found.extend(scanner.delimited().map(Given::Line));
        } else {
            found.extend(scanner.call(&name));
        }
    }
    (found, bare)
}

impl Scanner<'_> {
    fn letter(&self) -> Option<char> {
        self.letters.get(self.at).filter(|_| self.at < self.end).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.letter();
        self.at += 1;
        letter
    }

    fn blanks(&mut self) {
        while self.letter().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Past a comment, if one begins here.
    fn comment(&mut self) -> bool {
        let begins = self.language.comment.chars().enumerate();
        let is_one = begins.into_iter().all(|(index, letter)| self.letters.get(self.at + index) == Some(&letter));
        while is_one && self.letter().is_some_and(|letter| letter != '\n') {
            self.at += 1;
        }
        is_one
    }

    fn name(&mut self) -> String {
        let rest = self.letters.get(self.at..).unwrap_or_default();
        let name: String = rest.iter().take_while(|letter| letter.is_alphanumeric() || **letter == '_').collect();
        self.at += name.chars().count();
        name
    }

    /// The string that begins here, and past it.
    fn string(&mut self, quote: char) -> String {
        let three = self.letters.get(self.at..self.at + 3).is_some_and(|ahead| ahead.iter().all(|l| *l == quote));
        let width = if three && quote != '`' { 3 } else { 1 };
        self.at += width;
        let mut text = String::new();
        while let Some(letter) = self.letter() {
            let ahead = self.letters.get(self.at..self.at + width).unwrap_or_default();
            if ahead.len() == width && ahead.iter().all(|letter| *letter == quote) {
                self.at += width;
                break;
            }
            self.at += 1;
            if letter == '\\' {
                text.extend(self.next().map(|letter| if letter == 'n' { '\n' } else { letter }));
            } else {
                text.push(letter);
            }
        }
        text
    }

    /// `qx{…}`.
    fn delimited(&mut self) -> Option<String> {
        let close = match self.letter()? {
            '{' => '}',
            '(' => ')',
            '[' => ']',
            other @ ('/' | '!' | '|') => other,
            _ => return None,
        };
        self.at += 1;
        let rest = self.letters.get(self.at..).unwrap_or_default();
        let text: String = rest.iter().take_while(|letter| **letter != close).collect();
        self.at += text.chars().count();
        Some(text)
    }

    /// What a call of `name` gives away; the scanner stays behind the name, so that calls in arguments are found.
    fn call(&mut self, name: &str) -> Option<Given> {
        let Language { lines, words, .. } = self.language;
        if !lines.contains(&name) && !words.contains(&name) {
            return None;
        }
        let begin = self.at;
        self.end = begin + LONGEST_CALL;
        let arguments = self.arguments();
        self.end = LONGEST;
        let text: String =
            self.letters.get(begin..self.at.min(self.letters.len())).unwrap_or_default().iter().collect();
        self.at = begin;
        let shell = ["shell=True", "shell = True", "shell: true", "shell:true"].iter().any(|word| text.contains(word));
        let mut arguments = arguments?.into_iter();
        let first = arguments.next()?;
        let rest: Vec<Argument> = arguments.collect();
        let more = rest.iter().take_while(|argument| argument.literal).map(|argument| argument.text.clone());
        match first.list {
            Some(list) if shell => Some(Given::Line(list.into_iter().next()?)),
            Some(list) => Some(Given::Words(list)),
            None if !first.literal => None,
            None if lines.contains(&name) && self.language.splits && rest.first().is_some_and(|next| next.literal) => {
                Some(Given::Words(std::iter::once(first.text).chain(more).collect()))
            }
            None if lines.contains(&name) || shell => Some(Given::Line(first.text)),
            None => {
                let list = rest.into_iter().next().and_then(|argument| argument.list).unwrap_or_default();
                Some(Given::Words(std::iter::once(first.text).chain(list).collect()))
            }
        }
    }

    /// The arguments of a call; `None`: it is none.
    fn arguments(&mut self) -> Option<Vec<Argument>> {
        while self.letter() == Some(' ') {
            self.at += 1;
        }
        let parenthesis = self.letter() == Some('(');
        if parenthesis {
            self.at += 1;
            self.blanks();
        } else if !self.language.bare_calls || !matches!(self.letter(), Some('\'' | '"')) {
            return None;
        }
        let mut found = Vec::new();
        loop {
            found.push(self.argument(parenthesis));
            if self.letter() != Some(',') {
                return Some(found);
            }
            self.at += 1;
        }
    }

    /// One argument, up to what ends it.
    fn argument(&mut self, lines_go_on: bool) -> Argument {
        let mut argument = Argument::default();
        self.blanks();
        if self.letter() == Some('[') {
            self.at += 1;
            let mut list = Vec::new();
            while self.letter().is_some_and(|letter| !matches!(letter, ']' | ')' | ';')) {
                let element = self.argument(true);
                list.extend((!element.text.is_empty()).then_some(element.text));
                if self.letter() == Some(',') {
                    self.at += 1;
                }
                self.blanks();
            }
            self.at += 1;
            argument.list = Some(list);
        }
        while let Some(letter) = self.letter() {
            match letter {
                ',' | ')' | ']' | '}' | ';' => break,
                '\n' if !lines_go_on => break,
                '\'' | '"' | '`' => {
                    let text = self.string(letter);
                    argument.text.push_str(&text);
                    argument.literal = true;
                }
                '(' | '[' | '{' => self.nested(),
                _ => {
                    if self.name().is_empty() {
                        self.at += 1;
                    } else if !matches!(self.letter(), Some('\'' | '"')) {
                        argument.text.push('X'); // not the `f` of `f"…"`
                    }
                }
            }
        }
        argument
    }

    /// Past what stands in brackets.
    fn nested(&mut self) {
        let mut depth = 0_usize;
        while let Some(letter) = self.letter() {
            match letter {
                '\'' | '"' | '`' => {
                    self.string(letter);
                    continue;
                }
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::shell::embedded::language;

    #[test]
    fn calls_are_read_as_far_as_they_are_written_out() {
        let line = |text: &str| vec![Given::Line(text.to_owned())];
        let words = |words: &[&str]| vec![Given::Words(words.iter().map(|word| (*word).to_owned()).collect())];
        for (base, code, given) in [
            ("python3", "os.system('a &')", line("a &")),
            ("python3", "os.system(f'nohup {x} &')", line("nohup {x} &")),
            ("python3", "os.system('nohup ' + y.z(',') + ' &')", line("nohup XX &")),
            ("python3", "os.system('''a\nb''')", line("a\nb")),
            ("python3", "subprocess.run(['a', \"b c\", d], check=True)", words(&["a", "b c", "X"])),
            ("python3", "subprocess.run('a &', shell=True)", line("a &")),
            ("python3", "print('system(\"a &\")') # os.system('b &')", vec![]),
            ("python3", "os.system(", vec![]),
            ("node", "cp.spawn('a', ['b'], {})", words(&["a", "b"])),
            ("node", "cp.execSync(`a &`) // exec('b')", line("a &")),
            ("perl", "system 'a', 'b';", words(&["a", "b"])),
            ("perl", "system \"a &\"; print `b`; qx{c &}", [line("a &"), line("b"), line("c &")].concat()),
        ] {
            assert_eq!(calls(code, language(base).unwrap()).0, given, "{code}");
        }
    }
}
