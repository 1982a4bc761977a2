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
