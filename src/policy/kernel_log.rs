//! What the kernel's log says of a kill for want of memory, record by record.
//!
//! Only the kernel's own records count: a program that writes into the log has another facility. Who looks gives the
//! records in order, and says when some were lost; that nothing was found means something only without a gap.

/// What is looked for, and what was seen so far.
#[derive(Debug, Clone)]
pub struct Search {
    pid: i32,
    from_us: u64,
    to_us: u64,
    last: Option<u64>,
    whole: bool,
    found: Named,
}

/// What the log says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// It was not killed for want of memory.
    Not,
    /// It was: the machine had none left.
    ByTheMachine,
    /// It was: a control group above it had used up its limit.
    ByAGroup,
    /// It was; for which of these is not known.
    BySomething,
}

/// One record of the log, as far as it matters.
struct Record {
    sequence: u64,
    at_us: u64,
    killed: Option<(i32, Named)>,
}

impl Search {
    /// For the kill of process `pid` between two times on the log's clock, in microseconds.
    #[must_use]
    pub fn new(pid: i32, from_us: u64, to_us: u64) -> Self {
        Self { pid, from_us, to_us, last: None, whole: false, found: Named::Not }
    }

    /// The next record, as `/dev/kmsg` gives it.
    pub fn see(&mut self, record: &[u8]) {
        let Some(Record { sequence, at_us, killed }) = parse(record) else {
            self.lost();
            return;
        };
        match self.last {
            // Whether the log reaches back to the time in question.
            None => self.whole = sequence == 0 || at_us < self.from_us,
            Some(last) if sequence != last + 1 && at_us >= self.from_us => self.whole = false,
            Some(_) => {}
        }
        self.last = Some(sequence);
        if let Some((pid, named)) = killed
            && pid == self.pid
            && (self.from_us..=self.to_us).contains(&at_us)
        {
            self.found = named;
        }
    }

    /// Records were overwritten while the log was read, or cannot be understood.
    pub fn lost(&mut self) {
        self.whole = false;
        self.last.get_or_insert(0);
    }

    /// Whether the log names the process; `None`: it may have gaps.
    #[must_use]
    pub fn answer(&self) -> Option<Named> {
        (self.whole || self.found != Named::Not).then_some(self.found)
    }
}

/// `priority,sequence,microseconds,flags…;text`.
fn parse(record: &[u8]) -> Option<Record> {
    let (head, text) = record.split_at(record.iter().position(|byte| *byte == b';')?);
    let mut fields = std::str::from_utf8(head).ok()?.split(',');
    let mut number = || fields.next()?.parse::<u64>().ok();
    let (priority, sequence, at_us) = (number()?, number()?, number()?);
    let by_the_kernel = priority < 8;
    Some(Record { sequence, at_us, killed: if by_the_kernel { killed(text) } else { None } })
}

/// `Out of memory: Killed process 42 (name) …`, and the same of a control group.
fn killed(text: &[u8]) -> Option<(i32, Named)> {
    const MARK: &[u8] = b"Killed process ";
    const GROUP: &[u8] = b"Memory cgroup";
    let at = text.windows(MARK.len()).position(|part| part == MARK)?;
    let by_a_group = text.get(..at)?.windows(GROUP.len()).any(|part| part == GROUP);
    let named = if by_a_group { Named::ByAGroup } else { Named::ByTheMachine };
    let rest = text.get(at + MARK.len()..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (pid, after) = rest.split_at(digits);
    let pid = std::str::from_utf8(pid).ok()?.parse().ok()?;
    after.starts_with(b" (").then_some((pid, named))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(records: &[&str]) -> Option<Named> {
        let mut search = Search::new(42, 1_000, 2_000);
        for record in records {
            if *record == "lost" { search.lost() } else { search.see(record.as_bytes()) }
        }
        search.answer()
    }

    #[test]
    fn the_log_answers_only_for_this_process_in_this_time_and_only_without_a_gap() {
        let boot = "6,0,1,-;Linux version";
        let early = "6,7,900,-;something else";
        let ours = "3,8,1500,-;Memory cgroup out of memory: Killed process 42 (python3) total-vm:9kB";
        let cases = [
            ("an empty log says nothing", &[][..], None),
            (
                "named by the machine's killer",
                &[boot, "3,1,1500,-;Out of memory: Killed process 42 (a b) x"],
                Some(Named::ByTheMachine),
            ),
            ("named by a group's killer", &[early, ours], Some(Named::ByAGroup)),
            (
                "named although the log is cut",
                &["6,9,1400,-;late", "3,10,1500,-;Killed process 42 (x)"],
                Some(Named::ByTheMachine),
            ),
            ("not named, the log begins with the boot", &[boot], Some(Named::Not)),
            ("not named, the log reaches back", &[early, "6,8,1600,-;y"], Some(Named::Not)),
            ("the log begins too late", &["6,9,1400,-;late"], None),
            ("records are missing in the time in question", &[early, "6,9,1600,-;y"], None),
            ("records are missing before it", &[boot, "6,5,10,-;y"], Some(Named::Not)),
            ("records were overwritten meanwhile", &[early, "lost", "6,8,1600,-;y"], None),
            ("a record that cannot be understood", &[early, "garbage"], None),
            ("another process", &[early, "3,8,1500,-;Out of memory: Killed process 421 (x)"], Some(Named::Not)),
            (
                "an earlier holder of the pid",
                &[boot, "3,1,500,-;Out of memory: Killed process 42 (x)"],
                Some(Named::Not),
            ),
            ("a later one", &[boot, "3,1,2500,-;Out of memory: Killed process 42 (x)"], Some(Named::Not)),
            (
                "what a program wrote into the log",
                &[early, "12,8,1500,-;Out of memory: Killed process 42 (x)"],
                Some(Named::Not),
            ),
        ];
        for (claim, records, want) in cases {
            assert_eq!(answer(records), want, "{claim}");
        }
    }
}
