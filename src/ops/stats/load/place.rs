//! Bytes of a log that are in a sample.

/// A range of bytes of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) part: u32,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// Appends a range; one that follows the last directly extends it.
pub(super) fn push(places: &mut Vec<Place>, place: Place) {
    match places.last_mut() {
        Some(last) if last.part == place.part && last.to == place.from => last.to = place.to,
        _ => places.push(place),
    }
}
