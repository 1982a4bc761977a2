//! Stores on servers: what every one of them needs, whatever the server.
//!
//! Their libraries need tokio, so they live on one thread, [`Control`], which shards meet only by
//! message. A [`Remote`] is the way to one server, for the whole process; a [`RemoteStore`] is one
//! shard's [`Provider`](crate::provider::Provider) over it. A kind of server is a [`Backend`].
//!
//! **Batches.** What the shards ask is collected while earlier batches are under way, and a backend
//! gets it many requests at a time. One key's requests go one after another, in the order in which
//! they were sent; different keys' go at once.
//!
//! **Lost connections.** A write whose connection broke may have happened. Each write carries a
//! [`Token`], which the server keeps beside the record: the write is sent again on the next
//! connection, and if the record has its token, it had happened, and succeeds. Calls wait
//! meanwhile, as long as the store's patience lasts.
//!
//! **Late writes.** What a caller has given up on may reach the server long after, by a connection
//! that had stalled. It overwrites nothing that this process has written since: one that expects an
//! E-tag does not find it, and of the others, tokens tell that they come too late.

mod backend;
mod backoff;
mod control;
mod dispatch;
mod due;
mod id;
mod jobs;
mod share;
mod store;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "redis", feature = "postgres"))]
pub(crate) mod tls;
#[cfg(any(feature = "redis", feature = "postgres"))]
pub(crate) mod url;

pub use self::backend::{
    Answer, Backend, Connection, Cursor, DuePage, Failure, Limits, Op, Request, Token,
};
pub use self::control::Control;
pub use self::id::{from_id, id_of};
#[cfg(feature = "redis")]
pub(crate) use self::id::{write_digits, write_id};
pub use self::share::{PARTS, Share};
pub use self::store::{Options, Remote, RemoteStore};
#[cfg(any(feature = "redis", feature = "postgres"))]
pub use self::url::UrlError;
