use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use super::{Handler, Link, LinkError, ListenReport};

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

/// The links of one acceptor, the oldest first.
pub(super) struct Links<H: Handler> {
    opening: RefCell<VecDeque<Weak<Link<H>>>>,
    open: RefCell<Vec<Weak<Link<H>>>>,
}

impl<H: Handler> Default for Links<H> {
    fn default() -> Self {
        Links {
            opening: RefCell::default(),
            open: RefCell::default(),
        }
    }
}

impl<H: Handler> Links<H> {
    pub(super) fn add(&self, link: &Rc<Link<H>>) {
        self.opening.borrow_mut().push_back(Rc::downgrade(link));
    }

    /// Counts those that have opened as open, and forgets handshakes that have ended.
    pub(super) fn sort_out(&self) {
        let mut open = self.open.borrow_mut();
        self.opening.borrow_mut().retain(|link| {
            let Some(known) = link.upgrade().filter(|link| !link.has_ended()) else {
                return false;
            };
            let is_open = known.is_open();
            if is_open {
                open.push(link.clone());
            }
            !is_open
        });
    }

    /// Forgets sessions that have ended.
    pub(super) fn forget_ended(&self) {
        let is_alive = |link: &Weak<Link<H>>| link.upgrade().is_some_and(|link| !link.has_ended());
        self.open.borrow_mut().retain(is_alive);
    }

    /// Calls `f` with each that has not ended.
    pub(super) fn each(&self, mut f: impl FnMut(&Rc<Link<H>>)) {
        let all: Vec<_> = {
            let (opening, open) = (self.opening.borrow(), self.open.borrow());
            opening
                .iter()
                .chain(&*open)
                .filter_map(Weak::upgrade)
                .collect()
        };
        all.iter().filter(|link| !link.has_ended()).for_each(&mut f);
    }

    pub(super) fn len(&self) -> usize {
        self.open.borrow().len() + self.opening()
    }

    pub(super) fn opening(&self) -> usize {
        self.opening.borrow().len()
    }

    /// Gives the oldest handshake up; false if there is none.
    pub(super) fn crowd_out(&self) -> bool {
        let oldest = self.opening.borrow_mut().pop_front();
        let Some(oldest) = oldest else { return false };
        if let Some(link) = oldest.upgrade() {
            link.close();
        }
        true
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
