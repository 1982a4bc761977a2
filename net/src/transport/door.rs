use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use super::{Handler, Link, LinkError, ListenReport};

/// Links that have ended and may be in a list yet, beside as many as have not.
const FORGOTTEN: usize = 16;

/// What a listening side knows of all its links together: which there are, what became of those that
/// ended, and what they hold.
pub(super) struct Door<H: Handler> {
    pub(super) report: ListenReport,
    pub(super) links: Links<H>,
    /// Bytes that the links hold.
    held: Cell<u64>,
    /// As many as they may.
    most: u64,
}

impl<H: Handler> Door<H> {
    pub(super) fn new(most: u64) -> Self {
        Door {
            report: ListenReport::default(),
            links: Links::default(),
            held: Cell::new(0),
            most,
        }
    }

    /// A link holds `now` bytes where it held `before`. If they are too many altogether, whoever holds
    /// the most goes.
    pub(super) fn hold(&self, before: u64, now: u64) {
        self.held.set(self.held.get() - before + now);
        while now > before && self.held.get() > self.most {
            let Some(greatest) = self.links.greatest() else {
                return;
            };
            greatest.end(&LinkError::Memory {
                held: greatest.held(),
                most: self.most,
            });
        }
    }
}

/// The links of one acceptor, the oldest first. Those that have ended are forgotten by and by, so that
/// none costs more than another however many there are; what counts is counted.
pub(super) struct Links<H: Handler> {
    /// Those whose handshake is not known to be over.
    opening: RefCell<VecDeque<Weak<Link<H>>>>,
    others: RefCell<Vec<Weak<Link<H>>>>,
    /// How many handshakes are under way, and how many sessions are open.
    counts: Cell<Counts>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    opening: usize,
    open: usize,
}

impl<H: Handler> Default for Links<H> {
    fn default() -> Self {
        Links {
            opening: RefCell::default(),
            others: RefCell::default(),
            counts: Cell::default(),
        }
    }
}

impl<H: Handler> Links<H> {
    pub(super) fn add(&self, link: &Rc<Link<H>>) {
        let Counts { opening, open } = self.counts.get();
        self.counts.set(Counts {
            opening: opening + 1,
            open,
        });
        let mut all = self.opening.borrow_mut();
        if all.len() > 2 * opening + FORGOTTEN {
            self.sort_out(&mut all);
        }
        all.push_back(Rc::downgrade(link));
    }

    /// A handshake has come to its end.
    pub(super) fn opened(&self) {
        let Counts { opening, open } = self.counts.get();
        self.counts.set(Counts {
            opening: opening - 1,
            open: open + 1,
        });
    }

    /// A link has ended, which was open or not.
    pub(super) fn ended(&self, was_open: bool) {
        let mut counts = self.counts.get();
        if was_open {
            counts.open -= 1;
        } else {
            counts.opening -= 1;
        }
        self.counts.set(counts);
    }

    fn sort_out(&self, opening: &mut VecDeque<Weak<Link<H>>>) {
        opening.retain(|link| {
            let known = link.upgrade().filter(|link| !link.has_ended());
            let is_opening = known.as_ref().is_some_and(|link| !link.has_peer());
            if known.is_some() && !is_opening {
                self.keep(link.clone());
            }
            is_opening
        });
    }

    fn keep(&self, link: Weak<Link<H>>) {
        let mut others = self.others.borrow_mut();
        if others.len() > 2 * self.counts.get().open + FORGOTTEN {
            others.retain(|link| link.upgrade().is_some_and(|link| !link.has_ended()));
        }
        others.push(link);
    }

    /// Calls `f` with each that has not ended.
    pub(super) fn each(&self, mut f: impl FnMut(&Rc<Link<H>>)) {
        let all: Vec<_> = {
            let (opening, others) = (self.opening.borrow(), self.others.borrow());
            opening
                .iter()
                .chain(&*others)
                .filter_map(Weak::upgrade)
                .collect()
        };
        all.iter().filter(|link| !link.has_ended()).for_each(&mut f);
    }

    pub(super) fn len(&self) -> usize {
        let Counts { opening, open } = self.counts.get();
        opening + open
    }

    pub(super) fn opening(&self) -> usize {
        self.counts.get().opening
    }

    /// Gives the oldest handshake up; false if there is none.
    pub(super) fn crowd_out(&self) -> bool {
        loop {
            let oldest = self.opening.borrow_mut().pop_front();
            let Some(oldest) = oldest else { return false };
            let Some(link) = oldest.upgrade().filter(|link| !link.has_ended()) else {
                continue;
            };
            if link.has_peer() {
                self.keep(oldest);
                continue;
            }
            link.close();
            return true;
        }
    }

    /// Who holds the most; nobody if none holds anything.
    fn greatest(&self) -> Option<Rc<Link<H>>> {
        let mut greatest = None;
        self.each(|link| {
            let is_greater = greatest
                .as_ref()
                .is_none_or(|other: &Rc<Link<H>>| other.held() < link.held());
            if link.held() > 0 && is_greater {
                greatest = Some(link.clone());
            }
        });
        greatest
    }
}
