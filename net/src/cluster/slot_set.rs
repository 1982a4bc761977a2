use quark_shards::slots::SLOTS;

/// A set of slots: a bit for each.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SlotSet(Box<[u64]>);

impl SlotSet {
    pub(super) fn new() -> Self {
        SlotSet(vec![0; SLOTS / 64].into())
    }

    #[inline]
    pub(super) fn contains(&self, slot: u16) -> bool {
        self.0[usize::from(slot) / 64] >> (slot % 64) & 1 != 0
    }

    #[inline]
    pub(super) fn insert(&mut self, slot: u16) {
        self.0[usize::from(slot) / 64] |= 1 << (slot % 64);
    }
}
