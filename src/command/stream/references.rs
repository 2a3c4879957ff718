//! References to deleted entries: KEEPREF, DELREF and ACKED.

use super::super::apply::Unapplied;
use crate::base::server::{Product, Server};
use crate::keyspace::stream::{Stream, StreamId};

/// The treatment of the references from consumer groups to an entry that is removed (Redis 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum References {
    /// KEEPREF: references remain.
    #[default]
    Keep,
    /// DELREF: references are removed, too.
    Delete,
    /// ACKED: an entry with references is not removed.
    Acknowledged,
}

impl References {
    pub(super) fn parse(option: &[u8]) -> Option<References> {
        let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
        if is("KEEPREF") {
            Some(References::Keep)
        } else if is("DELREF") {
            Some(References::Delete)
        } else if is("ACKED") {
            Some(References::Acknowledged)
        } else {
            None
        }
    }

    pub(super) fn known(server: Server) -> bool {
        server.product == Product::Redis && server.has_redis(8, 2)
    }
}

/// Returns whether all groups have delivered an entry, and it was acknowledged in each.
pub(super) fn is_acknowledged(stream: &Stream<'_>, id: StreamId) -> Result<bool, Unapplied> {
    if stream.is_referenced(id) {
        return Ok(false);
    }
    unclear(stream, id)?;
    Ok(true)
}

/// Refuses an entry that is not referenced, but that a server may treat as referenced.
pub(super) fn unclear(stream: &Stream<'_>, id: StreamId) -> Result<(), Unapplied> {
    if stream.may_be_held_by_a_gone_group(id) {
        return Err(Unapplied::Refused(
            "whether ACKED spares an entry depends on a group that is gone",
        ));
    }
    Ok(())
}
