//! What a driver has open, by handle.

use std::fs::File;
use std::io;
use std::rc::Rc;

use ::glommio::io::{BufferedFile, PollableFd};

use crate::driver::Handle;

/// A socket that glommio waits on for us. Non-blocking.
pub(super) type Socket = PollableFd<socket2::Socket>;

/// An open file, and what holds its lock if it has one.
pub(super) struct OpenFile {
    pub(super) file: BufferedFile,
    pub(super) lock: Option<File>,
}

/// Something open. Operations hold on to it until they end.
#[derive(Clone)]
pub(super) enum Open {
    File(Rc<OpenFile>),
    Socket(Rc<Socket>),
}

/// The open files and sockets. A handle is a place in the table, never a descriptor, so that a
/// stale one cannot touch what is another's.
#[derive(Default)]
pub(super) struct Handles {
    places: Vec<Option<Open>>,
    free: Vec<i32>,
}

impl Handles {
    pub(super) fn add(&mut self, open: Open) -> Handle {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            i32::try_from(self.places.len() - 1).expect("fewer than 2^31 files and sockets")
        });
        self.places[place as usize] = Some(open);
        Handle(place)
    }

    pub(super) fn file(&self, handle: Handle) -> io::Result<Rc<OpenFile>> {
        match self.get(handle) {
            Some(Open::File(file)) => Ok(file.clone()),
            _ => Err(not_open()),
        }
    }

    pub(super) fn socket(&self, handle: Handle) -> io::Result<Rc<Socket>> {
        match self.get(handle) {
            Some(Open::Socket(socket)) => Ok(socket.clone()),
            Some(Open::File(_)) => Err(io::Error::from_raw_os_error(libc::ENOTSOCK)),
            None => Err(not_open()),
        }
    }

    pub(super) fn remove(&mut self, handle: Handle) -> io::Result<Open> {
        let place = usize::try_from(handle.0).ok();
        let place = place.and_then(|place| self.places.get_mut(place));
        let open = place.and_then(Option::take).ok_or_else(not_open)?;
        self.free.push(handle.0);
        Ok(open)
    }

    fn get(&self, handle: Handle) -> Option<&Open> {
        let place = usize::try_from(handle.0).ok()?;
        self.places.get(place)?.as_ref()
    }
}

fn not_open() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}
