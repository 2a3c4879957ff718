//! What a person asks for: typed options in, typed report out, nothing printed.

pub mod check_aof;
