//! What a directory says of itself, in as many copies as it takes for one to be whole.

use super::{BLOCK, Fault, VERSION, put, u16_at, u32_at, u64_at};

const MAGIC: &[u8; 8] = b"QUARKDIR";
const CRC: usize = 40;
const COPIES: usize = 3;

/// The file's length.
pub(in crate::embedded) const META_BYTES: usize = COPIES * BLOCK;

/// What a directory says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Meta {
    pub(in crate::embedded) directory: u64,
    pub(in crate::embedded) generation: u32,
    pub(in crate::embedded) shards: u16,
    /// A hash of where keys live.
    pub(in crate::embedded) homes: u64,
}

impl Meta {
    pub(in crate::embedded) fn encode(&self) -> Vec<u8> {
        let mut all = vec![0; META_BYTES];
        for copy in all.chunks_exact_mut(BLOCK) {
            put(copy, 0, MAGIC);
            put(copy, 8, &VERSION.to_le_bytes());
            put(copy, 10, &self.shards.to_le_bytes());
            put(copy, 12, &self.generation.to_le_bytes());
            put(copy, 16, &self.directory.to_le_bytes());
            put(copy, 24, &self.homes.to_le_bytes());
            let crc = crc32c::crc32c(&copy[..CRC]);
            put(copy, CRC, &crc.to_le_bytes());
        }
        all
    }

    /// What the first whole copy says.
    pub(in crate::embedded) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let copies = bytes.chunks_exact(BLOCK).take(COPIES).map(Self::parse_copy);
        let mut fault = Fault::Damaged;
        for copy in copies {
            match copy {
                Ok(meta) => return Ok(meta),
                Err(newer @ Fault::Newer(_)) => fault = newer,
                Err(_) => {}
            }
        }
        Err(fault)
    }

    fn parse_copy(copy: &[u8]) -> Result<Self, Fault> {
        if &copy[..8] != MAGIC || u32_at(copy, CRC) != crc32c::crc32c(&copy[..CRC]) {
            return Err(Fault::Damaged);
        }
        let version = u16_at(copy, 8);
        if version != VERSION {
            return Err(Fault::Newer(version));
        }
        let meta = Meta {
            directory: u64_at(copy, 16),
            generation: u32_at(copy, 12),
            shards: u16_at(copy, 10),
            homes: u64_at(copy, 24),
        };
        let within = meta.shards > 0 && meta.generation < u32::MAX;
        within.then_some(meta).ok_or(Fault::Damaged)
    }
}
