//! Many buffers sent as one.

use std::mem;
use std::ptr;

use bytes::Bytes;

use crate::driver::PARTS_MOST;

/// Messages kept to be used again: one is needed for each such send under way.
const SPARE_MOST: usize = 64;

/// The buffers of a send, and the list of them that the kernel reads: on the heap, for it must
/// stay where it is.
pub(super) struct Message {
    buffers: Vec<Bytes>,
    header: libc::msghdr,
    parts: [libc::iovec; PARTS_MOST],
}

/// Messages that are not in use.
#[derive(Default)]
pub(super) struct Messages(
    #[expect(clippy::vec_box, reason = "the kernel is given their places")] Vec<Box<Message>>,
);

impl Messages {
    /// A message of the first [`PARTS_MOST`] of `buffers`.
    pub(super) fn take(&mut self, buffers: Vec<Bytes>) -> Box<Message> {
        let mut message = self.0.pop().unwrap_or_else(Message::blank);
        let Message { header, parts, .. } = &mut *message;
        for (part, buffer) in parts.iter_mut().zip(&buffers) {
            // The kernel only reads what is sent.
            part.iov_base = buffer.as_ptr().cast_mut().cast();
            part.iov_len = buffer.len();
        }
        header.msg_iov = parts.as_mut_ptr();
        header.msg_iovlen = buffers.len().min(PARTS_MOST) as _;
        message.buffers = buffers;
        message
    }

    /// Takes back a message that was sent; gives its buffers.
    pub(super) fn give(&mut self, mut message: Box<Message>) -> Vec<Bytes> {
        let buffers = mem::take(&mut message.buffers);
        if self.0.len() < SPARE_MOST {
            self.0.push(message);
        }
        buffers
    }
}

impl Message {
    pub(super) fn header(&self) -> *const libc::msghdr {
        &raw const self.header
    }

    fn blank() -> Box<Self> {
        let nothing = libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        };
        Box::new(Message {
            buffers: Vec::new(),
            // SAFETY: all zeroes is a msghdr with neither address, parts nor control data.
            header: unsafe { mem::zeroed() },
            parts: [nothing; PARTS_MOST],
        })
    }
}
