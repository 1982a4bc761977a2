//! What peers answer, for `tests/fuzz`.

use bytes::BytesMut;

use super::moved::Again;
use super::status;
use crate::error::CallError;

/// Any bytes as what became of a call, and as a call that was sent back: what can be read is written
/// as it was read.
///
/// # Panics
/// If it is not.
pub fn read_answer(reply_status: u16, body: &[u8]) {
    let error: CallError = status::read(reply_status, body);
    let (written, along) = status::write(&error);
    let again: CallError = status::read(written, &along);
    assert_eq!(again.never_ran(), error.never_ran());
    if let Some(again) = Again::read(body) {
        let mut out = BytesMut::new();
        again.write(&mut out);
        assert_eq!(out, body);
        assert_eq!(Again::read(&out), Some(again));
    }
}
