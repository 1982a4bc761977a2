use quark_shards::slots::SLOTS;

/// A set of slots: a bit for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotSet(Box<[u64]>);

impl Default for SlotSet {
    fn default() -> Self {
        SlotSet::new()
    }
}

impl SlotSet {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        SlotSet(vec![0; SLOTS / 64].into())
    }

    #[inline]
    /// Whether `slot` is one of them.
    #[must_use]
    pub fn contains(&self, slot: u16) -> bool {
        self.0[usize::from(slot) / 64] >> (slot % 64) & 1 != 0
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Those of these that are not among `others`.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let words = self.0.iter().zip(&others.0);
        SlotSet(words.map(|(mine, other)| mine & !other).collect())
    }

    /// Those that are among these or among `others`.
    #[must_use]
    pub fn with(&self, others: &Self) -> Self {
        let words = self.0.iter().zip(&others.0);
        SlotSet(words.map(|(mine, other)| mine | other).collect())
    }

    /// One more.
    #[inline]
    pub fn insert(&mut self, slot: u16) {
        self.0[usize::from(slot) / 64] |= 1 << (slot % 64);
    }
}
