//! The epochs of slots: who works under a lower one is shut out.

use std::rc::Rc;

use super::batch::Fate;
use super::format::{GRAIN, Item};
use super::index::Place;

/// A slot's epoch, durable. Small: every slot may have one.
pub(super) struct Fence {
    pub(super) epoch: u64,
    segment: u32,
    /// Where it lies in its segment, in grains.
    grain: u32,
}

/// The fences of all slots, found in two steps: every save asks for one.
pub(super) struct Fences(Box<[Option<Box<Page>>]>);

type Page = [Option<Fence>; PAGE];

const PAGE: usize = 64;
const PAGES: usize = (u16::MAX as usize + 1) / PAGE;

impl Default for Fences {
    fn default() -> Self {
        Fences((0..PAGES).map(|_| None).collect())
    }
}

impl Fences {
    #[inline]
    pub(super) fn get(&self, slot: u16) -> Option<&Fence> {
        let page = self.0[usize::from(slot) / PAGE].as_ref()?;
        page[usize::from(slot) % PAGE].as_ref()
    }

    /// Puts `fence` in; gives what it replaces.
    pub(super) fn put(&mut self, slot: u16, fence: Fence) -> Option<Fence> {
        let page = self.0[usize::from(slot) / PAGE]
            .get_or_insert_with(|| Box::new([const { None }; PAGE]));
        page[usize::from(slot) % PAGE].replace(fence)
    }

    /// In order, from `slot` on.
    pub(super) fn from(&self, slot: u16) -> impl Iterator<Item = (u16, &Fence)> {
        let pages = self.0.iter().enumerate().skip(usize::from(slot) / PAGE);
        let there = pages.filter_map(|(number, page)| Some((number * PAGE, page.as_deref()?)));
        let all = there.flat_map(|(begin, page)| (begin..).zip(page));
        all.filter_map(|(slot, fence)| Some((slot as u16, fence.as_ref()?)))
            .skip_while(move |(at, _)| *at < slot)
    }

    pub(super) fn clear(&mut self) {
        *self = Fences::default();
    }
}

/// A slot's epoch that is on its way to the disk.
pub(super) struct Raising {
    pub(super) epoch: u64,
    /// The batch that raises it.
    pub(super) fate: Option<Rc<Fate>>,
}

impl Fence {
    pub(super) fn new(epoch: u64, place: Place) -> Self {
        Fence {
            epoch,
            segment: place.segment,
            // Segments are not as long as that.
            grain: u32::try_from(place.offset / GRAIN as u64).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn place(&self) -> Place {
        Place {
            segment: self.segment,
            offset: u64::from(self.grain) * GRAIN as u64,
        }
    }

    /// As a snapshot keeps it.
    pub(super) fn to_item(&self, slot: u16) -> Item {
        let place = u64::from(self.segment) << 32 | u64::from(self.grain);
        [u64::from(slot), self.epoch, place]
    }

    pub(super) fn of_item([slot, epoch, place]: Item) -> (u16, Self) {
        let fence = Fence {
            epoch,
            segment: (place >> 32) as u32,
            grain: place as u32,
        };
        (slot as u16, fence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_are_in_order_from_any_slot_on() {
        let mut fences = Fences::default();
        let slots = [0, 63, 64, 1_000, u16::MAX];
        for slot in slots.into_iter().rev() {
            let place = Place {
                segment: 1,
                offset: 0,
            };
            let fence = Fence::new(u64::from(slot) + 1, place);
            assert!(fences.put(slot, fence).is_none());
        }
        for (nth, from) in slots.into_iter().enumerate() {
            let found: Vec<_> = fences.from(from).map(|(slot, _)| slot).collect();
            assert_eq!(found, slots[nth..]);
        }
        assert_eq!(fences.get(u16::MAX).map(|fence| fence.epoch), Some(65_536));
        assert!(fences.get(62).is_none());
    }
}
