//! Which fields of a hash a server sees.

use super::super::apply::{Context, Notes};
use crate::keyspace::{Field, Hash};

/// Whether a field is seen by the server that is followed: Redis overlooks one whose time had passed when it
/// loads the log. Counts those, or, where no time is given, all of which a clock would have to decide.
#[inline]
pub(super) fn sees(
    context: &Context<'_>,
    notes: &mut Notes,
    hash: &Hash<'_>,
    field: Field,
) -> bool {
    let Some(expires_ms) = hash.expiry(field) else { return true };
    let seen = context.fields_expire_ms.is_none_or(|now_ms| expires_ms >= now_ms);
    notes.passed_fields += u64::from(!seen || context.fields_expire_ms.is_none());
    seen
}
