/// The calls that wait for a peer's replies, each under a number of its own.
///
/// A number's lower half is a place in the table, which the peer keeps its own by; its upper half
/// tells the uses of that place apart.
pub(super) struct Asked<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    /// As many as the peer has room for.
    most: u32,
}

struct Slot<T> {
    use_of_it: u32,
    call: Option<AskedCall<T>>,
}

/// A call that waits for its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AskedCall<T> {
    pub(super) ticket: T,
    /// Of its frame.
    pub(super) bytes: u32,
    /// Where its frame ends in all that this side has written.
    pub(super) ends_at: u64,
}

impl<T> Asked<T> {
    pub(super) fn new(most: u32) -> Self {
        Asked {
            slots: Vec::new(),
            free: Vec::new(),
            most,
        }
    }

    /// Whether a number is free.
    #[inline]
    pub(super) fn has_place(&self) -> bool {
        !self.free.is_empty() || self.slots.len() < self.most as usize
    }

    /// The number that the next call will have; nothing if all are in use.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u64> {
        if let Some(place) = self.free.last() {
            return Some(number(*place, self.slots[*place as usize].use_of_it));
        }
        let place = u32::try_from(self.slots.len()).ok()?;
        (place < self.most).then_some(number(place, 0))
    }

    /// Notes the call that goes by the number that [`next`](Self::next) gave.
    #[inline]
    pub(super) fn insert(&mut self, call: AskedCall<T>) {
        match self.free.pop() {
            Some(place) => self.slots[place as usize].call = Some(call),
            None => self.slots.push(Slot {
                use_of_it: 0,
                call: Some(call),
            }),
        }
    }

    /// Takes out the call of this number; nothing if there is none.
    #[inline]
    pub(super) fn remove(&mut self, number: u64) -> Option<AskedCall<T>> {
        let place = number as u32;
        let slot = self.slots.get_mut(place as usize)?;
        if u64::from(slot.use_of_it) != number >> 32 {
            return None;
        }
        let call = slot.call.take()?;
        slot.use_of_it = slot.use_of_it.wrapping_add(1);
        self.free.push(place);
        Some(call)
    }

    /// Takes out all.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = AskedCall<T>> + use<T> {
        self.free.clear();
        std::mem::take(&mut self.slots)
            .into_iter()
            .filter_map(|slot| slot.call)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

const fn number(place: u32, use_of_it: u32) -> u64 {
    ((use_of_it as u64) << 32) | place as u64
}
