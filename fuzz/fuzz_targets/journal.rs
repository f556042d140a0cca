//! The log: read in every way, then opened, appended to and opened again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mule::{
    blocks::ReadAt,
    journal::{
        Journal, Medium, Owner,
        bounded::Text,
        event::Event,
        replay::Replay,
        scan::{Reach, collect},
        superblock::{Found, Superblock},
    },
};
use mule_fuzz::Sparse;
use std::{
    io,
    sync::{Arc, Mutex},
};

#[derive(Clone)]
struct Log(Arc<Mutex<Sparse>>);

impl Medium for Log {
    fn len(&self) -> u64 {
        self.0.lock().expect("no panic").size()
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.lock().expect("no panic").read_at(offset, buf)
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        assert!(offset + data.len() as u64 <= self.len(), "a write behind the end");
        self.0.lock().expect("no panic").write(offset, data);
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let Some(mut disk) = Sparse::new(input) else { return };
    // A small log shows all there is.
    if disk.size() > 1 << 20 {
        return;
    }
    if disk.flags & 1 != 0 {
        disk.fit_log();
    }
    let mut log = Log(Arc::new(Mutex::new(disk)));
    let Ok(Found::Whole { superblock, .. }) = Superblock::read(&mut log) else { return };
    for reach in [Reach::Start, Reach::Near, Reach::Everywhere] {
        if let Ok(scan) = collect(&mut log, &superblock, reach) {
            assert_eq!(scan.end.next, scan.entries.len() as u64);
            assert!(scan.end.position <= log.len().max(8192));
            let replay = Replay::of(&scan.entries);
            let _ = (replay.unfinished(), format!("{replay:?}"));
        }
    }
    let owner = Owner { image: superblock.image, binding: superblock.binding };
    let Ok((mut journal, _)) = Journal::open(Box::new(log.clone()), owner, 1) else { return };
    let event = Event::Note { text: Text::new("fuzz") };
    let Ok(head) = journal.append(2, &event) else { return };
    drop(journal);
    let (journal, _) = Journal::open(Box::new(log), owner, 3).expect("a log that was written can be opened again");
    assert_eq!(journal.head(), head);
});
