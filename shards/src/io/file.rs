//! Files, read and written at positions.

use std::io;
use std::path::Path;

use bytes::{Bytes, BytesMut};

use super::{IoContext, Owned, context, open, run, unexpected};
use crate::driver::{Op, OpenOptions, Outcome};

/// An open file. Dropped, it is closed by its shard's next sweep; [`close`](Self::close) tells
/// of errors.
pub struct File(Owned);

impl File {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// What the system says, with the path.
    pub async fn open(
        cx: &dyn IoContext,
        path: impl AsRef<Path>,
        options: OpenOptions,
    ) -> io::Result<Self> {
        let path = path.as_ref().to_path_buf();
        let what = context(format!("open {}", path.display()));
        let owned = open(cx, Op::Open { path, options }).await.map_err(what)?;
        Ok(File(owned))
    }

    /// Reads from `offset` on into `buffer`'s spare capacity, once: it may read less, and
    /// reads nothing at the file's end.
    ///
    /// # Errors
    /// What the system says; also if `buffer` has no spare capacity. The buffer is then gone.
    pub async fn read_at(
        &self,
        cx: &dyn IoContext,
        buffer: BytesMut,
        offset: u64,
    ) -> io::Result<BytesMut> {
        let file = self.0.handle;
        let op = Op::Read {
            file,
            buffer,
            offset,
        };
        match run(cx, op).await? {
            Outcome::Filled(buffer) => Ok(buffer),
            other => Err(unexpected(&other)),
        }
    }

    /// Writes `buffer` at `offset`, once; says how much of it was written.
    ///
    /// # Errors
    /// What the system says, for example that the disk is full.
    pub async fn write_at(
        &self,
        cx: &dyn IoContext,
        buffer: Bytes,
        offset: u64,
    ) -> io::Result<usize> {
        let file = self.0.handle;
        let op = Op::Write {
            file,
            buffer,
            offset,
        };
        match run(cx, op).await? {
            Outcome::Wrote(count) => Ok(count),
            other => Err(unexpected(&other)),
        }
    }

    /// Writes all of `buffer` at `offset`.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at); some of it may then have been written.
    pub async fn write_all_at(
        &self,
        cx: &dyn IoContext,
        mut buffer: Bytes,
        mut offset: u64,
    ) -> io::Result<()> {
        while !buffer.is_empty() {
            let count = self.write_at(cx, buffer.clone(), offset).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            offset += count as u64;
            let _written = buffer.split_to(count);
        }
        Ok(())
    }

    /// Makes everything whose write has completed durable.
    ///
    /// # Errors
    /// What the system says. What was written since the last success may then be lost, and
    /// trying again does not bring it back: stop and recover.
    pub async fn sync_data(&self, cx: &dyn IoContext) -> io::Result<()> {
        let file = self.0.handle;
        run(cx, Op::Fdatasync { file }).await.map(drop)
    }

    /// Writes all of `buffer` at `offset` and makes it durable, with everything whose write had
    /// completed before.
    ///
    /// # Errors
    /// What the system says of the write or of the sync; some of it may then have been written,
    /// and as after a failed [`sync_data`](Self::sync_data) nobody knows what is durable.
    pub async fn write_durable(
        &self,
        cx: &dyn IoContext,
        mut buffer: Bytes,
        mut offset: u64,
    ) -> io::Result<()> {
        let file = self.0.handle;
        loop {
            let op = Op::WriteDurable {
                file,
                buffer: buffer.clone(),
                offset,
            };
            let count = match run(cx, op).await? {
                Outcome::Wrote(count) => count,
                other => return Err(unexpected(&other)),
            };
            if count == buffer.len() {
                return Ok(());
            }
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            // The sync that ends the rest covers this part too.
            offset += count as u64;
            let _written = buffer.split_to(count);
        }
    }

    /// Reads `len` bytes from `offset` on. They are given memory at once, so `len` is to be
    /// checked first if it comes from outside. Not for files opened
    /// [direct](OpenOptions::direct): the memory is not aligned.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::UnexpectedEof`] if the file ends before.
    pub async fn read_exact_at(
        &self,
        cx: &dyn IoContext,
        len: usize,
        offset: u64,
    ) -> io::Result<BytesMut> {
        let mut whole = BytesMut::with_capacity(len);
        while whole.len() < len {
            let before = whole.len();
            whole = self.read_at(cx, whole, offset + before as u64).await?;
            if whole.len() == before {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        // There may be more memory than was asked for, and it is read into.
        whole.truncate(len);
        Ok(whole)
    }

    /// Has the disk set room aside for `len` bytes from `offset` on; a file that was shorter
    /// grows, by zeros. Durable by [`sync_data`](Self::sync_data).
    ///
    /// # Errors
    /// What the system says, for example that the disk is full, that the file was not opened for
    /// writing, or `EOPNOTSUPP` where the file system can't.
    pub async fn allocate(&self, cx: &dyn IoContext, offset: u64, len: u64) -> io::Result<()> {
        let file = self.0.handle;
        let op = Op::Allocate { file, offset, len };
        run(cx, op).await.map(drop)
    }

    /// How many bytes it has.
    ///
    /// # Errors
    /// What the system says.
    pub async fn size(&self, cx: &dyn IoContext) -> io::Result<u64> {
        let file = self.0.handle;
        match run(cx, Op::Size { file }).await? {
            Outcome::Size(size) => Ok(size),
            other => Err(unexpected(&other)),
        }
    }

    /// Closes the file.
    ///
    /// # Errors
    /// What the system says. The file is closed all the same.
    pub async fn close(self, cx: &dyn IoContext) -> io::Result<()> {
        self.0.close(cx).await
    }
}
