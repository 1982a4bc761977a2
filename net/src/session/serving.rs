/// The peer's calls that this side has not answered yet, by the places that their numbers name.
pub(super) struct Serving {
    calls: Vec<Option<ServedCall>>,
    /// As many as this side has room for.
    most: u32,
    len: usize,
}

#[derive(Clone, Copy)]
struct ServedCall {
    use_of_it: u32,
    bytes: u32,
}

impl Serving {
    pub(super) fn new(most: u32) -> Self {
        Serving {
            calls: Vec::new(),
            most,
            len: 0,
        }
    }

    /// Notes a call; false if its place is in use, or beyond what this side has room for.
    #[inline]
    pub(super) fn insert(&mut self, number: u64, bytes: u32) -> bool {
        let place = number as u32;
        if place >= self.most {
            return false;
        }
        let place = place as usize;
        if place >= self.calls.len() {
            self.calls.resize(place + 1, None);
        }
        let call = &mut self.calls[place];
        if call.is_some() {
            return false;
        }
        *call = Some(ServedCall {
            use_of_it: (number >> 32) as u32,
            bytes,
        });
        self.len += 1;
        true
    }

    /// How many bytes the frame of a call had; nothing if it is not under way.
    #[inline]
    pub(super) fn bytes(&self, number: u64) -> Option<u32> {
        let call = self.calls.get(number as u32 as usize)?;
        call.filter(|call| u64::from(call.use_of_it) == number >> 32)
            .map(|call| call.bytes)
    }

    /// Takes out a call that is under way.
    #[inline]
    pub(super) fn remove(&mut self, number: u64) {
        self.calls[number as u32 as usize] = None;
        self.len -= 1;
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}
