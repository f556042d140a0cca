//! The disk as it is, with holes where it holds zeros.

use super::Target;
use std::{fs::File, io, os::unix::fs::FileExt};

pub(super) struct Raw<'a> {
    file: &'a File,
}

impl<'a> Raw<'a> {
    pub(super) fn new(file: &'a File, size: u64) -> io::Result<Self> {
        file.set_len(size)?;
        Ok(Self { file })
    }
}

impl Target for Raw<'_> {
    fn clusters(&mut self, offset: u64, data: &[u8], _: &[Option<Vec<u8>>]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}
