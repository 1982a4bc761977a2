//! What every driver refuses, in the same words.

use std::io;

use bytes::BytesMut;

use super::OpenOptions;

/// There must be room to read into: nothing read would look like the end.
pub(super) fn spare(buffer: &BytesMut) -> io::Result<()> {
    if buffer.len() == buffer.capacity() {
        return Err(invalid(
            "the buffer has no spare capacity to read into: reserve some",
        ));
    }
    Ok(())
}

/// Options that make sense together.
pub(super) fn options(options: OpenOptions) -> io::Result<()> {
    if !options.read && !options.write {
        return Err(invalid("a file is opened for reading, writing or both"));
    }
    if (options.create || options.create_new || options.truncate) && !options.write {
        return Err(invalid(
            "only a file opened for writing can be created or truncated",
        ));
    }
    // It would be cut before it is known whose it is.
    if options.lock && options.truncate {
        return Err(invalid(
            "a file to be locked can't be truncated as it is opened",
        ));
    }
    Ok(())
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
