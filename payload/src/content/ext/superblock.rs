//! The superblock: sizes, features, state.

use super::checksum::{crc16, crc32c};
use crate::{
    blocks::ReadAt,
    content::doubt::{Doubt, agree, ensure, field, le8, le16, le32, read},
};

/// How descriptors and bitmaps are secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    None,
    /// CRC-16 over descriptors.
    Descriptors(u16),
    /// CRC-32C over everything, from this seed.
    Everything(u32),
}

/// What is needed of it.
#[derive(Debug, Clone)]
pub(super) struct Superblock {
    /// Bytes of a block.
    pub(super) block: u64,
    /// Blocks of the file system.
    pub(super) blocks: u64,
    /// First block that bitmaps describe.
    pub(super) first_block: u64,
    /// Blocks of a unit: more than one with `bigalloc` only.
    pub(super) ratio: u64,
    /// Units (blocks, or clusters of them) in all.
    pub(super) units: u64,
    pub(super) units_per_group: u64,
    pub(super) groups: u64,
    /// Free blocks as the superblock counts them; with `bigalloc` all of each free cluster.
    pub(super) free: u64,
    pub(super) descriptor: u64,
    pub(super) inode_blocks: u64,
    pub(super) inodes_per_group: u64,
    /// Bytes of an inode.
    pub(super) inode_size: u64,
    /// Numbers of blocks have more than 32 bits.
    pub(super) wide: bool,
    /// Blocks kept for more descriptors.
    pub(super) reserved_descriptors: u64,
    /// First block of descriptors that lies in its own groups (`meta_bg`).
    pub(super) first_meta: Option<u64>,
    pub(super) security: Security,
    sparse: Sparse,
}

/// Which groups hold copies of the superblock.
#[derive(Debug, Clone, Copy)]
enum Sparse {
    All,
    Powers,
    Two([u32; 2]),
}

// Bits of the three sets of features (kernel, fs/ext4/ext4.h).
const COMPAT_SPARSE_SUPER2: u32 = 0x200;
const INCOMPAT_RECOVER: u32 = 0x4;
const INCOMPAT_META_BG: u32 = 0x10;
const INCOMPAT_64BIT: u32 = 0x80;
const INCOMPAT_CSUM_SEED: u32 = 0x2000;
const RO_SPARSE_SUPER: u32 = 0x1;
const RO_GDT_CSUM: u32 = 0x10;
const RO_BIGALLOC: u32 = 0x200;
const RO_METADATA_CSUM: u32 = 0x400;
const RO_ORPHAN_PRESENT: u32 = 0x1_0000;

/// dir_prealloc, imagic, has_journal, ext_attr, resize_inode, dir_index, sparse_super2, fast_commit, stable_inodes,
/// orphan_file.
const COMPAT: u32 = 0x3f | COMPAT_SPARSE_SUPER2 | 0x400 | 0x800 | 0x1000;
/// filetype, extents, flex_bg, ea_inode, large_dir, inline_data, encrypt, casefold.
const INCOMPAT: u32 = 0x2
    | 0x40
    | 0x200
    | 0x400
    | 0x4000
    | 0x8000
    | 0x1_0000
    | 0x2_0000
    | INCOMPAT_META_BG
    | INCOMPAT_64BIT
    | INCOMPAT_CSUM_SEED;
/// large_file, dir_nlink, extra_isize, huge_file, quota, read-only, project, verity.
const RO: u32 = 0x2
    | 0x8
    | 0x20
    | 0x40
    | 0x100
    | 0x1000
    | 0x2000
    | 0x8000
    | RO_SPARSE_SUPER
    | RO_GDT_CSUM
    | RO_BIGALLOC
    | RO_METADATA_CSUM;

/// Features by set.
struct Features {
    compat: u32,
    incompat: u32,
    ro: u32,
}

impl Features {
    fn read(bytes: &[u8]) -> Result<Self, Doubt> {
        let features = Self { compat: le32(bytes, 0x5c)?, incompat: le32(bytes, 0x60)?, ro: le32(bytes, 0x64)? };
        ensure(features.incompat & INCOMPAT_RECOVER == 0, || Doubt::dirty("the journal has to be replayed"))?;
        ensure(features.ro & RO_ORPHAN_PRESENT == 0, || Doubt::dirty("deleted files have still to be freed"))?;
        let unknown = [features.compat & !COMPAT, features.incompat & !INCOMPAT, features.ro & !RO];
        ensure(unknown == [0; 3], || {
            let [compat, incompat, ro] = unknown;
            Doubt::unhandled(format!("features that are not handled: {compat:#x}, {incompat:#x}, {ro:#x}"))
        })?;
        Ok(features)
    }
}

impl Superblock {
    pub(super) fn read(volume: &dyn ReadAt) -> Result<Self, Doubt> {
        let bytes = read(volume, 1024, 1024, "the superblock")?;
        ensure(le16(&bytes, 0x38)? == 0xef53, || Doubt::damaged("no superblock"))?;
        // Revision 0 has no features and leaves their fields undefined.
        ensure(le32(&bytes, 0x4c)? == 1, || Doubt::unhandled("an old revision of ext2, which is not handled"))?;
        let features = Features::read(&bytes)?;
        state(&bytes)?;
        let uuid = field(&bytes, 0x68)?;
        let security = security(&bytes, &features, uuid)?;
        let shift = |at: usize| {
            let shift = le32(&bytes, at)?;
            ensure(shift <= 20, || Doubt::damaged("the size of blocks or clusters makes no sense"))?;
            Ok::<u64, Doubt>(1024 << shift)
        };
        let (block, cluster) = (shift(0x18)?, shift(0x1c)?);
        ensure(block <= 65_536, || Doubt::damaged("blocks larger than 64 KiB"))?;
        let upper = |at: usize| {
            Ok::<u64, Doubt>(if features.incompat & INCOMPAT_64BIT == 0 {
                0
            } else {
                u64::from(le32(&bytes, at)?) << 32
            })
        };
        let big = features.ro & RO_BIGALLOC != 0;
        ensure(cluster >= block && (big || cluster == block), || Doubt::damaged("clusters smaller than blocks"))?;
        let meta = features.incompat & INCOMPAT_META_BG != 0;
        let mut superblock = Self {
            block,
            blocks: u64::from(le32(&bytes, 0x4)?) | upper(0x150)?,
            first_block: le32(&bytes, 0x14)?.into(),
            ratio: cluster / block,
            units: 0,
            units_per_group: le32(&bytes, if big { 0x24 } else { 0x20 })?.into(),
            groups: 0,
            free: u64::from(le32(&bytes, 0xc)?) | upper(0x158)?,
            descriptor: if features.incompat & INCOMPAT_64BIT == 0 { 32 } else { le16(&bytes, 0xfe)?.into() },
            inodes_per_group: le32(&bytes, 0x28)?.into(),
            inode_size: le16(&bytes, 0x58)?.into(),
            wide: features.incompat & INCOMPAT_64BIT != 0,
            inode_blocks: (u64::from(le32(&bytes, 0x28)?) * u64::from(le16(&bytes, 0x58)?)).div_ceil(block),
            reserved_descriptors: le16(&bytes, 0xce)?.into(),
            first_meta: if meta { Some(le32(&bytes, 0x104)?.into()) } else { None },
            security,
            sparse: match (features.compat & COMPAT_SPARSE_SUPER2 != 0, features.ro & RO_SPARSE_SUPER != 0) {
                (true, _) => Sparse::Two([le32(&bytes, 0x24c)?, le32(&bytes, 0x250)?]),
                (_, true) => Sparse::Powers,
                _ => Sparse::All,
            },
        };
        superblock.measure(le32(&bytes, 0x20)?.into())?;
        Ok(superblock)
    }

    /// Checks the figures against each other and counts units and groups.
    fn measure(&mut self, blocks_per_group: u64) -> Result<(), Doubt> {
        let first = u64::from(self.block == 1024 && self.ratio == 1);
        let bits = self.block * 8;
        let sense = self.first_block == first
            && self.blocks > self.first_block
            && self.blocks < 1 << 48
            && self.units_per_group.is_multiple_of(8)
            && (256..=bits).contains(&self.units_per_group)
            && self.units_per_group * self.ratio == blocks_per_group
            && (32..=1024).contains(&self.descriptor)
            && self.descriptor.is_power_of_two()
            && (1..=blocks_per_group).contains(&self.inode_blocks)
            && (1..=bits).contains(&self.inodes_per_group)
            && self.inode_size.is_power_of_two()
            && (128..=self.block).contains(&self.inode_size);
        ensure(sense, || Doubt::damaged("the superblock's figures make no sense"))?;
        self.units = (self.blocks - self.first_block).div_ceil(self.ratio);
        self.groups = self.units.div_ceil(self.units_per_group);
        Ok(())
    }

    /// Descriptors in a block.
    pub(super) fn per_block(&self) -> u64 {
        self.block / self.descriptor
    }

    /// First block of a group.
    pub(super) fn start_of(&self, group: u64) -> u64 {
        self.first_block + group * self.units_per_group * self.ratio
    }

    /// Whether a group begins with a copy of the superblock.
    pub(super) fn has_copy(&self, group: u64) -> bool {
        let power_of = |base: u64| {
            let mut power = base;
            while power < group {
                power *= base;
            }
            power == group
        };
        match self.sparse {
            _ if group == 0 => true,
            Sparse::All => true,
            Sparse::Two(groups) => groups.iter().any(|copy| u64::from(*copy) == group),
            Sparse::Powers => group == 1 || [3, 5, 7].into_iter().any(power_of),
        }
    }
}

/// Unmounted, without errors, without files left to be freed.
fn state(bytes: &[u8]) -> Result<(), Doubt> {
    let state = le16(bytes, 0x3a)?;
    ensure(state == 1, || Doubt::dirty(format!("the superblock's state is {state:#x}")))?;
    ensure(le32(bytes, 0xe8)? == 0, || Doubt::dirty("deleted files have still to be freed"))?;
    ensure(le32(bytes, 0x194)? == 0, || Doubt::dirty("errors were found since the last check"))
}

fn security(bytes: &[u8], features: &Features, uuid: [u8; 16]) -> Result<Security, Doubt> {
    if features.ro & RO_METADATA_CSUM == 0 {
        ensure(features.incompat & INCOMPAT_CSUM_SEED == 0, || Doubt::damaged("a checksum seed without checksums"))?;
        let descriptors = features.ro & RO_GDT_CSUM != 0;
        return Ok(if descriptors { Security::Descriptors(crc16(!0, &uuid)) } else { Security::None });
    }
    ensure(le8(bytes, 0x175)? == 1, || Doubt::unhandled("a kind of checksum that is not handled"))?;
    let sum = crc32c(!0, bytes.get(..0x3fc).unwrap_or_default());
    agree("the superblock and its checksum", sum, le32(bytes, 0x3fc)?)?;
    let seeded = features.incompat & INCOMPAT_CSUM_SEED != 0;
    Ok(Security::Everything(if seeded { le32(bytes, 0x270)? } else { crc32c(!0, &uuid) }))
}
