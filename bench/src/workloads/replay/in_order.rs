//! Puts numbered things that come out of order back in order, within a bounded window.

/// Where those that came early wait for the ones before them.
#[derive(Debug)]
pub(super) struct InOrder<T> {
    next: u64,
    /// By number, modulo its length.
    early: Box<[Option<T>]>,
    came_early: u64,
}

impl<T> InOrder<T> {
    /// Begins with number 0. Nothing may come `window` numbers early or more; a power of two is
    /// the fastest.
    pub(super) fn new(window: usize) -> Self {
        InOrder {
            next: 0,
            early: (0..window).map(|_| None).collect(),
            came_early: 0,
        }
    }

    /// The number that is next: all below have been through.
    #[inline]
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// How many had to wait.
    pub(super) fn came_early(&self) -> u64 {
        self.came_early
    }

    /// Keeps `item`, number `number`, for later.
    ///
    /// # Panics
    /// If the number is outside the window, or there already.
    pub(super) fn keep(&mut self, number: u64, item: T) {
        let window = self.early.len() as u64;
        assert!(
            number > self.next && number - self.next < window,
            "number {number} is not within the {window} from {}",
            self.next
        );
        let place = &mut self.early[(number % window) as usize];
        assert!(place.is_none(), "number {number} came twice");
        *place = Some(item);
        self.came_early += 1;
    }

    /// Steps past the number that was next, and gives what has waited for that.
    #[inline]
    pub(super) fn advance(&mut self) -> Option<T> {
        self.next += 1;
        let place = self.next % self.early.len() as u64;
        self.early[place as usize].take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: usize = 8;

    /// Numbers 0 to 99, none of them moved further than the window allows.
    fn shuffled() -> impl Strategy<Value = Vec<u64>> {
        proptest::collection::vec(0..WINDOW, 100).prop_map(|picks| {
            let mut waiting = Vec::new();
            let mut numbers = 0..100;
            let mut next = 0;
            let mut order = Vec::new();
            for pick in picks {
                while waiting.len() < WINDOW && numbers.start < 100 && numbers.start < next + 8 {
                    waiting.extend(numbers.next());
                }
                let number = waiting.remove(pick % waiting.len());
                order.push(number);
                next = waiting.first().copied().unwrap_or(numbers.start);
            }
            order
        })
    }

    proptest! {
        #[test]
        fn whatever_the_order_it_comes_out_straight(numbers in shuffled()) {
            let mut in_order = InOrder::new(WINDOW);
            let mut out = Vec::new();
            for number in numbers {
                if number != in_order.next() {
                    in_order.keep(number, number);
                    continue;
                }
                let mut item = Some(number);
                while let Some(through) = item {
                    out.push(through);
                    item = in_order.advance();
                }
            }
            prop_assert_eq!(out, (0..100).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "number 8 is not within the 8 from 0")]
    fn too_early_is_refused() {
        InOrder::new(WINDOW).keep(8, ());
    }

    #[test]
    #[should_panic(expected = "number 3 came twice")]
    fn twice_is_refused() {
        let mut in_order = InOrder::new(WINDOW);
        in_order.keep(3, ());
        in_order.keep(3, ());
    }
}
