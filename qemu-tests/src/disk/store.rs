//! The disk that images are kept on: a file system with the store's label, read back on the host without mounting it.

use crate::{
    disk::{Disk, MIB, SECTOR, stamp::Tag},
    tool::Tool,
};
use anyhow::{Context, Result, ensure};
use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// The label the guest looks for.
const LABEL: &str = "MULE-STORE";
/// Where the partition begins.
const START: u64 = MIB;

/// The file system of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ext4,
    Ntfs,
    ExFat,
}

/// A store and where its pieces are.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) disk: Disk,
    kind: Kind,
    folder: PathBuf,
}

impl Store {
    /// An empty store of that many bytes on a disk with one partition.
    pub(crate) fn new(folder: &Path, serial: &str, bytes: u64, kind: Kind) -> Result<Self> {
        ensure!(bytes.is_multiple_of(MIB) && bytes > 2 * MIB, "{bytes} bytes are no store");
        let path = folder.join(format!("{serial}.img"));
        let whole = || -> Result<()> { Ok(File::create(&path)?.set_len(bytes)?) };
        whole().with_context(|| format!("making {}", path.display()))?;
        let script = folder.join(format!("{serial}.sfdisk"));
        fs::write(&script, format!("label: dos\nstart={}, type=83\n", START / SECTOR)).context("a partition list")?;
        Tool::new("sfdisk").args(["-q", "--no-reread", "--no-tell-kernel"]).arg(&path).input(&script).run()?;
        let disk = Disk { path, serial: serial.into(), bytes, tag: Tag::of(serial) };
        let store = Self { disk, kind, folder: folder.to_owned() };
        let part = store.part();
        File::create(&part).and_then(|file| file.set_len(bytes - START)).context("sizing a piece")?;
        match kind {
            Kind::Ext4 => Tool::new("mke2fs").args(["-q", "-F", "-t", "ext4", "-L", LABEL]).arg(&part).run()?,
            Kind::Ntfs => Tool::new("mkntfs")
                .args(["-F", "-Q", "-q", "-p", "2048", "-H", "255", "-S", "63", "-L", LABEL])
                .arg(&part)
                .run()?,
            Kind::ExFat => Tool::new("mkfs.exfat").args(["-L", LABEL]).arg(&part).run()?,
        };
        store.put_part()?;
        Ok(store)
    }

    fn part(&self) -> PathBuf {
        self.folder.join(format!("{}-part.img", self.disk.serial))
    }

    fn put_part(&self) -> Result<()> {
        let (mut from, to) =
            (File::open(self.part())?, OpenOptions::new().read(true).write(true).open(&self.disk.path)?);
        copy(&mut from, 0, &to, START, self.disk.bytes - START)
    }

    fn take_part(&self) -> Result<PathBuf> {
        fs::remove_file(self.part()).context("an old piece")?;
        let (mut from, to) = (
            File::open(&self.disk.path)?,
            OpenOptions::new().read(true).write(true).create_new(true).open(self.part())?,
        );
        to.set_len(self.disk.bytes - START).context("sizing a piece")?;
        copy(&mut from, START, &to, 0, self.disk.bytes - START)?;
        Ok(self.part())
    }

    /// The names of the files in its root.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let part = self.take_part()?;
        let text = match self.kind {
            Kind::Ext4 => Tool::new("debugfs").args(["-R", "ls -p /"]).arg(&part).run()?,
            Kind::Ntfs => Tool::new("ntfsls").arg(&part).run()?,
            Kind::ExFat => anyhow::bail!("no tool lists exFAT without mounting it"),
        };
        let name = |line: &str| match self.kind {
            // `/inode/mode/uid/gid/name/size/`
            Kind::Ext4 => line.split('/').nth(5).map(ToOwned::to_owned),
            _ => Some(line.trim().to_owned()),
        };
        Ok(text.lines().filter_map(name).filter(|name| name.starts_with(|c: char| c.is_ascii_alphanumeric())).collect())
    }

    /// Copies a file out of its root.
    pub(crate) fn pull(&self, name: &str, to: &Path) -> Result<()> {
        let part = self.take_part()?;
        match self.kind {
            Kind::Ext4 => {
                let request = format!("dump \"/{name}\" \"{}\"", to.display());
                Tool::new("debugfs").args(["-R", &request]).arg(&part).run()?;
            }
            Kind::Ntfs => Tool::new("ntfscat").arg(&part).arg(name).output_to(to).run().map(drop)?,
            Kind::ExFat => anyhow::bail!("no tool reads exFAT without mounting it"),
        }
        ensure!(to.metadata().is_ok_and(|m| m.len() > 0), "{name} is not in the store, or empty");
        Ok(())
    }
}

/// Copies a range, leaving holes where it is zero on both sides.
fn copy(from: &mut File, from_at: u64, to: &File, to_at: u64, len: u64) -> Result<()> {
    let (mut buf, mut old) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut done = 0;
    while done < len {
        let part = usize::try_from((len - done).min(1 << 20))?;
        from.read_exact_at(&mut buf[..part], from_at + done).context("reading a store")?;
        to.read_exact_at(&mut old[..part], to_at + done).context("reading a store")?;
        if buf[..part] != old[..part] {
            to.write_all_at(&buf[..part], to_at + done).context("writing a store")?;
        }
        done += part as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_a_store_can_be_pulled_out() {
        for kind in [Kind::Ext4, Kind::Ntfs] {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::new(folder.path(), "STORE", 64 * MIB, kind).unwrap();
            let (file, back) = (folder.path().join("a.txt"), folder.path().join("back.txt"));
            fs::write(&file, "hello").unwrap();
            let part = store.take_part().unwrap();
            match kind {
                Kind::Ext4 => {
                    let request = format!("write {} a.txt", file.display());
                    Tool::new("debugfs").args(["-w", "-R", &request]).arg(&part).run().unwrap();
                }
                _ => drop(Tool::new("ntfscp").args(["-q", "-f"]).arg(&part).arg(&file).arg("a.txt").run().unwrap()),
            }
            store.put_part().unwrap();
            assert!(store.names().unwrap().contains(&"a.txt".to_owned()), "{kind:?}: {:?}", store.names());
            store.pull("a.txt", &back).unwrap();
            assert_eq!(fs::read_to_string(back).unwrap(), "hello");
            assert!(store.pull("b.txt", &folder.path().join("none")).is_err());
        }
        let folder = tempfile::tempdir().unwrap();
        Store::new(folder.path(), "STORE", 64 * MIB, Kind::ExFat).unwrap();
    }
}
