//! Platform-independent random numbers: SplitMix64, and a Zipf sampler in integers only.
//!
//! Both are implemented here because a seed must give the same log on every platform and in every later version;
//! floating-point powers and the unspecified generators of crates guarantee neither.

/// A SplitMix64 generator (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// Returns the next 64 random bits.
    #[inline]
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`, by multiplication; 0 if `bound` is 0. The deviation from uniform is less than
    /// `bound` in 2^64.
    #[inline]
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// Returns true with the probability `share`.
    #[inline]
    pub(super) fn chance(&mut self, share: Share) -> bool {
        self.next() >> 32 < share.0
    }
}

/// A probability, stored in units of 2^-32 so that no platform rounds it differently.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share(u64);

impl Share {
    /// Creates a probability from 0.0 (never) to 1.0 (always); values outside are clamped.
    pub(super) fn new(share: f64) -> Self {
        // A product with a power of two is exact.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Share((share.clamp(0.0, 1.0) * 4_294_967_296.0) as u64)
    }
}

/// Draws numbers below `n`, 0 most often: number `i` has weight 1 / (i + 1).
///
/// The ranks 1.. are divided into octaves `2^j .. 2^(j+1)`. An octave is drawn uniformly, then a rank in it uniformly
/// (1 in 2^j), and the rank is accepted with probability 2^j / rank: in total 1 / rank, exactly and without a table.
#[derive(Debug, Clone)]
pub(super) struct Zipf {
    n: u64,
    octaves: u64,
}

impl Zipf {
    /// Creates a sampler of numbers below `n`; 0 is treated as 1.
    pub(super) fn new(n: u64) -> Self {
        let n = n.max(1);
        Zipf { n, octaves: u64::from(n.ilog2()) + 1 }
    }

    #[inline]
    pub(super) fn draw(&self, random: &mut Random) -> u64 {
        loop {
            let low = 1 << random.below(self.octaves);
            let rank = low + random.below(low);
            if rank <= self.n && random.below(rank) < low {
                return rank - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published sequence for seed 1234567.
    #[test]
    fn it_is_splitmix64() {
        let mut random = Random::new(1_234_567);
        let got: Vec<u64> = (0..5).map(|_| random.next()).collect();
        assert_eq!(
            got,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn draws_are_below_bound() {
        let mut random = Random::new(0);
        assert_eq!(random.below(0), 0);
        for bound in [1, 2, 3, 1000, u64::MAX] {
            for _ in 0..100 {
                assert!(random.below(bound) < bound);
            }
        }
        assert!((0..100).all(|_| random.chance(Share::new(1.0))));
        assert!(!(0..100).any(|_| random.chance(Share::new(0.0))));
    }

    #[test]
    fn zipf_draws_each_rank_by_its_weight() {
        const DRAWS: u32 = 200_000;
        let mut random = Random::new(7);
        let n = 37_u32;
        let zipf = Zipf::new(u64::from(n));
        let mut seen = vec![0u32; n as usize];
        for _ in 0..DRAWS {
            seen[usize::try_from(zipf.draw(&mut random)).unwrap()] += 1;
        }
        let harmonic: f64 = (1..=n).map(|k| 1.0 / f64::from(k)).sum();
        for (i, &count) in (1..).zip(&seen) {
            let expected = f64::from(DRAWS) / f64::from(i) / harmonic;
            let off = (f64::from(count) - expected).abs() / expected;
            assert!(off < 0.1, "rank {i}: {count} draws, {expected} expected");
        }
    }

    #[test]
    fn zipf_stays_below_n_whatever_n_is() {
        let mut random = Random::new(3);
        for n in [1, 2, 3, 4, 5, 1023, 1024, 1025, 1 << 33] {
            let zipf = Zipf::new(n);
            assert!((0..200).all(|_| zipf.draw(&mut random) < n));
        }
    }
}
