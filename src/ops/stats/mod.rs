//! What is written in a log, and what is there at its end.

pub(crate) mod report;
