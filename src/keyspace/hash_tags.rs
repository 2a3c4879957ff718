//! A one-byte hash tag for each of a few names, so that a name is found without comparing all the
//! others.

/// The tags of up to `N` names, by their indexes. `N` is a multiple of 16.
#[derive(Debug, Clone)]
pub(super) struct HashTags<const N: usize>([u8; N]);

impl<const N: usize> Default for HashTags<N> {
    fn default() -> Self {
        HashTags([0; N])
    }
}

const ONES: u128 = u128::MAX / 0xFF;
const HIGHEST: u128 = ONES << 7;

impl<const N: usize> HashTags<N> {
    /// Returns the first index below `count` for which `same` returns true, that is, the name
    /// matches; `same` is called for few other indexes.
    #[inline]
    pub(super) fn find(
        &self,
        name: &[u8],
        count: usize,
        same: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let wanted = ONES * u128::from(mark(name));
        let (groups, _) = self.0.as_chunks::<16>();
        for (group, marks) in groups.iter().enumerate().take(count.div_ceil(16)) {
            let differ = u128::from_le_bytes(*marks) ^ wanted;
            // The highest bit of each byte that is zero; possibly also of bytes after one.
            let mut zeros = differ.wrapping_sub(ONES) & !differ & HIGHEST;
            while zeros != 0 {
                let place = group * 16 + zeros.trailing_zeros() as usize / 8;
                if place >= count {
                    return None;
                }
                if same(place) {
                    return Some(place);
                }
                zeros &= zeros - 1;
            }
        }
        None
    }

    /// Sets the tag at an index, replacing the previous one; indexes beyond the last are ignored.
    #[inline]
    pub(super) fn put(&mut self, place: usize, name: &[u8]) {
        if let Some(at) = self.0.get_mut(place) {
            *at = mark(name);
        }
    }

    /// Inserts a tag at an index and moves the following ones up.
    #[inline]
    pub(super) fn insert(&mut self, place: usize, name: &[u8]) {
        if place < N {
            self.0.copy_within(place..N - 1, place + 1);
            self.put(place, name);
        }
    }

    /// Removes the tag at an index and moves the following ones down.
    #[inline]
    pub(super) fn remove(&mut self, place: usize) {
        if place < N {
            self.0.copy_within(place + 1.., place);
        }
    }

    /// Replaces the tag at an index with that at `last`.
    #[inline]
    pub(super) fn swap_remove(&mut self, place: usize, last: usize) {
        if place < N && last < N {
            self.0[place] = self.0[last];
        }
    }
}

/// Returns a byte that depends on the length, the first bytes and the last: similar names mostly
/// differ there. An attacker who creates names with equal tags makes the search as slow as it is
/// without tags.
#[inline]
fn mark(name: &[u8]) -> u8 {
    let len = name.len();
    let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
            }
            _ => {
                let byte = |at: usize| u64::from(name.get(at).copied().unwrap_or(0));
                (byte(0) | byte(1) << 8, byte(2))
            }
        },
    };
    let mixed =
        (first.rotate_left(29) ^ last ^ (len as u64) << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 56) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compared with a vector of the standard library.
    #[test]
    fn names_are_found_at_their_index() {
        let names: Vec<Vec<u8>> = (0..48_u32)
            .map(|n| format!("{:0width$}", n, width = n as usize % 12).into_bytes())
            .collect();
        let mut marks = HashTags::<32>::default();
        let mut model: Vec<&[u8]> = Vec::new();
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let random = usize::try_from(state >> 33).expect("small");
            let name = &names[random % names.len()][..];
            let found = model.iter().position(|other| *other == name);
            assert_eq!(marks.find(name, model.len(), |at| model[at] == name), found);
            let place = random / 64 % (model.len() + 1);
            match found {
                Some(at) if random % 3 == 0 => {
                    marks.remove(at);
                    model.remove(at);
                }
                Some(at) => {
                    marks.swap_remove(at, model.len() - 1);
                    model.swap_remove(at);
                }
                None if model.len() == 32 => {
                    marks.put(place.min(31), name);
                    model[place.min(31)] = name;
                }
                None => {
                    marks.insert(place, name);
                    model.insert(place, name);
                }
            }
        }
    }
}
