//! The checks of the kernel: what a fork of a large server needs.

use super::facts::{Facts, Known, SystemFacts};
use super::finding::{Check, Finding};
use crate::base::next_step::{Action, NextStep};

fn system(facts: &Facts) -> Known<&SystemFacts> {
    facts.system.as_ref().map_err(Clone::clone)
}

/// Checks whether a fork can fail although there is memory.
pub(crate) fn overcommit(facts: &Facts) -> Finding {
    const CHECK: Check = Check::Overcommit;
    let judge = || {
        let value = *system(facts)?.overcommit.as_ref().map_err(Clone::clone)?;
        let what = format!("vm.overcommit_memory is {value}");
        if value == 1 {
            return Ok(Finding::ok(CHECK, what));
        }
        let why = "a save or rewrite forks the server, and the kernel can refuse that although there is enough memory";
        let step = NextStep::new(
            "Set it to 1 now, and in /etc/sysctl.conf so that it lasts",
            [Action::run("sysctl", ["-w", "vm.overcommit_memory=1"])],
        );
        Ok(Finding::warning(CHECK, what, why).step(step))
    };
    Finding::of(CHECK, judge())
}

/// Checks whether the kernel copies pages of 2 MiB during a save or rewrite.
pub(crate) fn huge_pages(facts: &Facts) -> Finding {
    const CHECK: Check = Check::HugePages;
    let judge = || {
        let mode = system(facts)?.huge_pages.as_ref().map_err(Clone::clone)?;
        let what = format!("transparent huge pages are {mode}");
        if mode != "always" {
            return Ok(Finding::ok(CHECK, what));
        }
        // Servers since 6.2 turn them off for their own process.
        let own = facts.server.as_ref().map(|server| &server.settings.disable_thp);
        if let Some(Ok(Some(value))) = own
            && value == "yes"
        {
            return Ok(Finding::ok(
                CHECK,
                format!("{what}, and the server turns them off for itself"),
            ));
        }
        let why = "during a save or rewrite each write copies a page of 2 MiB instead of 4 KiB: memory can run out, and the server becomes slow";
        let shell = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
        let step = NextStep::new(
            "Turn them off, and restart the server",
            [Action::run("sh", ["-c", shell])],
        );
        Ok(Finding::warning(CHECK, what, why).step(step))
    };
    Finding::of(CHECK, judge())
}
