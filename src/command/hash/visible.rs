//! The visibility of hash fields.

use super::super::apply::{Context, Warnings};
use crate::keyspace::{Field, Hash};

/// Returns whether a field is visible on the emulated server: Redis ignores one whose time had
/// passed when it loads the log. Counts the ignored fields, or, without a time of loading, all
/// fields that depend on it.
#[inline]
pub(super) fn sees(
    context: &Context<'_>,
    warnings: &mut Warnings,
    hash: &Hash<'_>,
    field: Field,
) -> bool {
    let Some(expires_ms) = hash.expiry(field) else { return true };
    let seen = context.fields_expire_ms.is_none_or(|now_ms| expires_ms >= now_ms);
    warnings.passed_fields += u64::from(!seen || context.fields_expire_ms.is_none());
    seen
}
