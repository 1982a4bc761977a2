//! A small seeded generator, the root of all randomness in a shard.

use std::ops::RangeInclusive;

/// SplitMix64: one word of state, a full period of 2^64, equal on every machine.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    /// The generator of `seed`. Any seed is a good one.
    pub(crate) const fn new(seed: u64) -> Self {
        SplitMix64(seed)
    }

    /// A generator of its own for each `stream` of one seed.
    pub(crate) const fn stream(seed: u64, stream: u64) -> Self {
        SplitMix64(mix(seed ^ mix(stream.wrapping_add(GOLDEN))))
    }

    /// The next word.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number in `range`. The bias of the multiplication is below 2^-32 for the short ranges
    /// it is used on.
    pub(crate) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = (*range.start(), *range.end());
        debug_assert!(low <= high, "an empty range has no number in it");
        match (high - low).checked_add(1) {
            Some(span) => low + ((u128::from(self.next()) * u128::from(span)) >> 64) as u64,
            None => self.next(),
        }
    }

    /// True with `probability` (0.0 never, 1.0 always). Draws in either case, so that changing
    /// a probability does not shift every later draw.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        // 53 bits make every double in [0, 1) that a test can need.
        let unit = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        unit < probability
    }
}

/// Folds `word` into a running hash.
pub(crate) const fn fold(hash: u64, word: u64) -> u64 {
    mix(hash.wrapping_add(GOLDEN) ^ word)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_published_sequence() {
        // The reference implementation's first words for seed 1234567.
        let mut random = SplitMix64::new(1_234_567);
        let words: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(
            words,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn stays_within_its_range_and_reaches_both_ends() {
        let mut random = SplitMix64::new(1);
        let drawn: Vec<u64> = (0..1_000).map(|_| random.within(3..=5)).collect();
        assert!(drawn.iter().all(|n| (3..=5).contains(n)));
        assert!((3..=5).all(|n| drawn.contains(&n)));
        assert_eq!(random.within(7..=7), 7);
    }

    #[test]
    fn chance_is_never_at_zero_and_always_at_one() {
        let mut random = SplitMix64::new(2);
        assert!((0..1_000).all(|_| !random.chance(0.0)));
        assert!((0..1_000).all(|_| random.chance(1.0)));
        let heads = (0..10_000).filter(|_| random.chance(0.25)).count();
        assert!((2_200..2_800).contains(&heads), "{heads} of 10000");
    }
}
