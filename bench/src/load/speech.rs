use super::LoadError;

/// How a server is spoken to on one connection, without the connection: bytes in, bytes out.
pub trait Speech {
    /// Whether requests may be made: the handshake, if there is one, is over.
    fn is_open(&self) -> bool;

    /// Makes one more request, which counts something at `key`. `now` is when, in nanoseconds; it
    /// comes back with the answer.
    ///
    /// # Errors
    ///
    /// When there is no room for it.
    fn ask(&mut self, key: u64, now: u64) -> Result<(), LoadError>;

    /// Takes in what has come by `now`, wherever it is cut; `answered` is told of each answer, by
    /// when it was asked for.
    ///
    /// # Errors
    ///
    /// When it makes no sense, or a request was refused.
    fn hear(&mut self, bytes: &[u8], now: u64, answered: impl FnMut(u64)) -> Result<(), LoadError>;

    /// Appends all that is to be sent by now.
    ///
    /// # Errors
    ///
    /// When it can't be sealed.
    fn say(&mut self, out: &mut Vec<u8>) -> Result<(), LoadError>;
}
