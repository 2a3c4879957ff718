//! The facts of the kernel.

use std::fs;
use std::path::Path;

use crate::base::error::Error;
use crate::ops::doctor::facts::SystemFacts;

/// Reads the settings of the kernel below `root`.
pub(super) fn read_system(root: &Path) -> SystemFacts {
    let read = |name: &str| {
        let path = root.join(name);
        fs::read_to_string(&path).map_err(|error| Error::io("read", &path, error).to_string())
    };
    let overcommit = read("proc/sys/vm/overcommit_memory").and_then(|text| {
        text.trim().parse().map_err(|_| "vm.overcommit_memory is not a number".to_owned())
    });
    // The mode in use is the one in brackets: `always [madvise] never`.
    let huge_pages = read("sys/kernel/mm/transparent_hugepage/enabled").and_then(|text| {
        let mode = text.split_once('[').and_then(|(_, rest)| Some(rest.split_once(']')?.0));
        mode.map(str::to_owned)
            .ok_or_else(|| "the mode of transparent huge pages is unknown".to_owned())
    });
    SystemFacts { overcommit, huge_pages }
}
