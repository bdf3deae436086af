//! Reading what the test harness prints: how many tests ended how, and the names of those that stand for a promise.

/// The sum over all test programs of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
    /// Ignored, and not run by a suite of their own either.
    pub(super) skipped: u64,
    pub(super) promises: Vec<PromiseTest>,
}

/// A test whose name says which promise it guards.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PromiseTest {
    pub(super) promise: u32,
    /// The name without its modules.
    pub(super) name: String,
    pub(super) ending: TestEnding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TestEnding {
    Passed,
    Failed,
    Ignored,
}

/// Which tests a run of the harness takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Selection {
    /// All that are not marked as ignored.
    Ordinary,
    /// Tests that are ignored in an ordinary run, because they need something that their suite brings.
    Ignored,
}

impl Tally {
    /// Takes in one line of the harness.
    pub(super) fn see(&mut self, line: &str, selection: Selection) {
        if let Some((passed, failed, ignored)) = summary(line) {
            self.passed += passed;
            self.failed += failed;
            match selection {
                Selection::Ordinary => self.skipped += ignored,
                // These were counted as ignored by the ordinary run.
                Selection::Ignored => self.skipped = self.skipped.saturating_sub(passed + failed),
            }
        } else if let Some((name, ending)) = test_line(line)
            && let Some(promise) = promise_of(name)
        {
            self.record(PromiseTest { promise, name: name.to_owned(), ending });
        }
    }

    /// Keeps a test once: the suite that really runs it replaces what an ordinary run said.
    fn record(&mut self, test: PromiseTest) {
        match self.promises.iter_mut().find(|known| known.name == test.name && known.ending == TestEnding::Ignored) {
            Some(known) => *known = test,
            None => self.promises.push(test),
        }
    }
}

/// Reads `test result: ok. 5 passed; 0 failed; 1 ignored; …` into the three numbers.
fn summary(line: &str) -> Option<(u64, u64, u64)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| {
        counts.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse::<u64>().ok()).unwrap_or_default()
    };
    Some((count("passed"), count("failed"), count("ignored")))
}

/// Reads `test module::name ... ok` into the name without its modules and how it ended.
fn test_line(line: &str) -> Option<(&str, TestEnding)> {
    let (path, ending) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let ending = match ending {
        "ok" => TestEnding::Passed,
        "FAILED" => TestEnding::Failed,
        ending if ending.starts_with("ignored") => TestEnding::Ignored,
        _ => return None,
    };
    let path = path.trim_end_matches(" - should panic");
    Some((path.rsplit("::").next().unwrap_or(path), ending))
}

/// The number in `promise_5_a_plugin_that_loops_is_stopped`.
fn promise_of(name: &str) -> Option<u32> {
    name.strip_prefix("promise_")?.split('_').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lines: &[(&str, Selection)]) -> Tally {
        let mut tally = Tally::default();
        for (line, selection) in lines {
            tally.see(line, *selection);
        }
        tally
    }

    #[test]
    fn the_results_of_all_test_programs_are_added_up() {
        let tally = seen(&[
            (
                "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
                Selection::Ordinary,
            ),
            ("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out", Selection::Ordinary),
            ("a line that a test printed: 9 passed; 9 failed", Selection::Ordinary),
        ]);
        assert_eq!((tally.passed, tally.failed, tally.skipped), (7, 3, 1));
    }

    #[test]
    fn a_test_that_a_later_suite_runs_is_not_skipped() {
        let tally = seen(&[
            ("test kills::promise_1_an_abort_loses_nothing ... ignored, needs failpoints", Selection::Ordinary),
            ("test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out", Selection::Ordinary),
            ("test kills::promise_1_an_abort_loses_nothing ... ok", Selection::Ignored),
            ("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 6 filtered out", Selection::Ignored),
        ]);
        assert_eq!((tally.passed, tally.failed, tally.skipped), (6, 0, 1));
        assert_eq!(tally.promises.len(), 1);
        assert_eq!(tally.promises[0].ending, TestEnding::Passed);
    }

    #[test]
    fn a_promise_is_read_from_the_name_of_its_test() {
        let tally = seen(&[
            ("test promise_5::promise_5_a_plugin_that_loops_is_stopped ... FAILED", Selection::Ordinary),
            ("test decide::tests::a_rejected_delivery_is_retried ... ok", Selection::Ordinary),
            ("test promise_without_a_number ... ok", Selection::Ordinary),
        ]);
        let expected = PromiseTest {
            promise: 5,
            name: "promise_5_a_plugin_that_loops_is_stopped".into(),
            ending: TestEnding::Failed,
        };
        assert_eq!(tally.promises, [expected]);
    }
}
