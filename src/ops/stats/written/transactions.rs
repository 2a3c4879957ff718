//! The transactions of a log.

use crate::ops::stats::report::TransactionCounts;

/// MULTI or EXEC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Boundary {
    Multi,
    Exec,
}

/// The transactions of a segment of a log.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Transactions {
    /// The number of commands before the first boundary.
    before_first: u64,
    first: Option<Boundary>,
    /// The number of commands since the MULTI that is open at the end.
    open: Option<u64>,
    counts: TransactionCounts,
}

impl Transactions {
    /// A command other than MULTI and EXEC.
    #[inline(always)]
    pub(super) fn command(&mut self) {
        self.commands(1);
    }

    fn commands(&mut self, count: u64) {
        if self.first.is_none() {
            self.before_first += count;
        } else if let Some(open) = &mut self.open {
            *open += count;
        }
    }

    pub(super) fn boundary(&mut self, boundary: Boundary) {
        self.first.get_or_insert(boundary);
        match boundary {
            Boundary::Multi => self.open = Some(0),
            Boundary::Exec => {
                if let Some(commands) = self.open.take() {
                    self.counts.count += 1;
                    self.counts.commands += commands;
                    self.counts.largest = self.counts.largest.max(commands);
                }
            }
        }
    }

    /// Adds the transactions of the next segment.
    pub(super) fn join(&mut self, later: Transactions) {
        self.commands(later.before_first);
        let Some(first) = later.first else { return };
        self.boundary(first);
        self.open = later.open;
        self.counts.count += later.counts.count;
        self.counts.commands += later.counts.commands;
        self.counts.largest = self.counts.largest.max(later.counts.largest);
    }

    pub(super) fn finish(self) -> TransactionCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transactions(commands: &str) -> Transactions {
        let mut transactions = Transactions::default();
        for command in commands.chars() {
            match command {
                '(' => transactions.boundary(Boundary::Multi),
                ')' => transactions.boundary(Boundary::Exec),
                _ => transactions.command(),
            }
        }
        transactions
    }

    #[test]
    fn any_split_of_a_log_has_the_same_transactions() {
        let log = "ab(cd)e()f(ghi)j)k(l(m)n(o";
        let expected = TransactionCounts { count: 4, commands: 6, largest: 3 };
        assert_eq!(transactions(log).finish(), expected);
        for one in 0..=log.len() {
            for two in one..=log.len() {
                let mut joined = transactions(&log[..one]);
                joined.join(transactions(&log[one..two]));
                joined.join(transactions(&log[two..]));
                assert_eq!(joined.finish(), expected, "split at {one} and {two}");
            }
        }
    }
}
