use super::*;
use crate::{file_disk::FileDisk, request::RESPONSE};
use virtio_queue::{
    desc::{RawDescriptor, split::Descriptor},
    mock::MockSplitQueue,
};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

/// `VRING_DESC_F_NEXT` and `VRING_DESC_F_WRITE` (virtio 1.2, section 2.7.5).
const NEXT: u16 = 1;
const WRITABLE: u16 = 2;
const GUEST: usize = 16 << 20;
/// Requests lie behind the queue.
const REQUEST: u64 = 1 << 20;

/// A host with one disk of 4096 blocks, each filled with the low byte of its number.
fn host() -> (Host, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let cells: Vec<u8> = (0..4096_usize * 512).map(|n| (n / 512).to_le_bytes()[0]).collect();
    std::fs::write(file.path(), cells).unwrap();
    let disk = FileDisk::open("D", file.path()).unwrap();
    (Host::new(vec![Box::new(disk)]).unwrap(), file)
}

fn request(opcode: u8, lba: u64, blocks: u32) -> Vec<u8> {
    let mut request = vec![0; request::COMMAND];
    (request[0], request[2], request[19]) = (1, 0x40, opcode);
    request[21..29].copy_from_slice(&lba.to_be_bytes());
    request[29..33].copy_from_slice(&blocks.to_be_bytes());
    request
}

/// Runs a request whose bytes, and the room for whose answer, lie in pieces of these sizes with gaps between them; what
/// the room then holds, and the bytes said to be written.
fn run(host: &Host, out: &[u8], room: usize, pieces: &[usize]) -> io::Result<(Vec<u8>, usize)> {
    let memory: GuestMemoryMmap = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), GUEST)]).unwrap();
    let (mut at, mut sizes) = (REQUEST, pieces.iter().copied().cycle());
    let (mut descriptors, mut rooms) = (Vec::new(), Vec::new());
    let mut piece = |left: usize, flags: u16| {
        let len = sizes.next().unwrap().min(left);
        let here = at;
        descriptors.push(RawDescriptor::from(Descriptor::new(here, u32::try_from(len).unwrap(), flags, 0)));
        at += len as u64 + 3;
        (here, len)
    };
    let mut rest = out;
    while !rest.is_empty() {
        let (here, len) = piece(rest.len(), 0);
        memory.write_slice(&rest[..len], GuestAddress(here)).unwrap();
        rest = &rest[len..];
    }
    let mut left = room;
    while left > 0 {
        let (here, len) = piece(left, WRITABLE);
        rooms.push((here, len));
        left -= len;
    }
    let queue = MockSplitQueue::new(&memory, 1024);
    let chain = queue.build_desc_chain(&descriptors).unwrap();
    let mut from = chain.clone().reader(&memory).unwrap();
    let written = flight::command(&host.drives, &mut from, chain.writer(&memory).unwrap(), || true)?.unwrap();
    let mut answer = Vec::new();
    for (here, len) in rooms {
        let mut bytes = vec![0; len];
        memory.read_slice(&mut bytes, GuestAddress(here)).unwrap();
        answer.extend(bytes);
    }
    Ok((answer, written))
}

/// Sizes of pieces: headers and data apart as Linux lays them, everything in one, cut anywhere.
const LAYOUTS: [&[usize]; 4] = [&[51, 4096], &[4 << 20], &[7, 3001, 1, 512], &[50, 2, 107, 2048]];

#[test]
fn a_megabyte_and_more_is_written_whichever_way_it_is_cut() {
    let blocks = 2560;
    for (layout, byte) in LAYOUTS.iter().zip(0xc0..) {
        let (host, file) = host();
        let out = [request(0x8a, 100, blocks), vec![byte; 2560 * 512]].concat();
        // The layout's small pieces would need more descriptors than a queue has.
        let layout: Vec<usize> = layout.iter().copied().chain([65_536; 6]).collect();
        let (answer, written) = run(&host, &out, RESPONSE, &layout).unwrap();
        assert_eq!((answer, written), (vec![0; RESPONSE], RESPONSE));
        let cells = std::fs::read(file.path()).unwrap();
        let (start, end) = (100 * 512, 2660 * 512);
        assert!(cells[start..end].iter().all(|found| *found == byte));
        // Block 2660 holds the low byte of its number.
        assert_eq!((cells[start - 1], cells[end]), (99, 100));
    }
}

#[test]
fn data_is_read_into_any_layout_with_its_residual() {
    for layout in LAYOUTS {
        let (host, _file) = host();
        let (answer, written) = run(&host, &request(0x88, 7, 300), RESPONSE + 301 * 512, layout).unwrap();
        assert_eq!(written, RESPONSE + 300 * 512, "{layout:?}");
        assert_eq!(answer[4..8], 512_u32.to_le_bytes());
        assert_eq!((answer[10], answer[11]), (0, 0));
        let data = &answer[RESPONSE..];
        assert!(data[..300 * 512].iter().enumerate().all(|(n, byte)| *byte == (7 + n / 512).to_le_bytes()[0]));
        assert!(data[300 * 512..].iter().all(|byte| *byte == 0), "more was written than the drive sent");
    }
}

#[test]
fn a_command_out_of_range_is_answered_with_sense_and_changes_nothing() {
    let (host, file) = host();
    let before = std::fs::read(file.path()).unwrap();
    let out = [request(0x8a, u64::MAX, 1), vec![1; 512]].concat();
    let (answer, _) = run(&host, &out, RESPONSE, &[13]).unwrap();
    assert_eq!((&answer[..4], answer[10], answer[11]), (&[18, 0, 0, 0][..], 2, 0));
    assert_eq!((answer[12], answer[14], answer[24]), (0x70, 5, 0x21));
    assert_eq!(answer[4..8], 512_u32.to_le_bytes());
    assert_eq!(std::fs::read(file.path()).unwrap(), before);
}

#[test]
fn too_little_room_for_an_answer_is_an_error_and_the_drive_hears_nothing() {
    let (host, file) = host();
    let out = [request(0x8a, 0, 1), vec![0xee; 512]].concat();
    assert!(run(&host, &out, RESPONSE - 1, &[64]).is_err());
    assert_eq!(std::fs::read(file.path()).unwrap()[..512], [0; 512]);
}

/// Works for hours.
#[derive(Debug)]
struct Slow;

impl Target for Slow {
    fn execute(&mut self, _: &[u8], _: crate::DataPhase<'_>) -> crate::Answer {
        let pause = crate::Pause::Busy(std::time::Duration::from_secs(9999));
        crate::Answer { pause, ..crate::Answer::good(0) }
    }
}

/// A command without data for a target, from this descriptor on, and room for its answer behind it.
fn lay(memory: &GuestMemoryMmap, first: u16, target: u8) -> [RawDescriptor; 2] {
    let at = REQUEST + u64::from(first) * 256;
    let mut bytes = request(0, 0, 0);
    (bytes[1], bytes[8]) = (target, target);
    memory.write_slice(&bytes, GuestAddress(at)).unwrap();
    let piece = |at, len: usize, flags| Descriptor::new(at, u32::try_from(len).unwrap(), flags, first + 1).into();
    [piece(at, bytes.len(), NEXT), piece(at + 256, RESPONSE, WRITABLE)]
}

#[test]
fn a_slow_drive_keeps_no_other_waiting_and_its_command_can_be_ended() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(512).unwrap();
    let disk = FileDisk::open("D", file.path()).unwrap();
    let host = Host::new(vec![Box::new(Slow), Box::new(disk)]).unwrap();
    let memory = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), GUEST)]).unwrap();
    let mock = MockSplitQueue::new(&memory, 16);
    let descriptors = [lay(&memory, 0, 0), lay(&memory, 2, 1), lay(&memory, 4, 0)];
    mock.add_desc_chains(&descriptors.concat(), 0).unwrap();
    let shared = Memory::new(memory.clone());
    let vring = VringRwLock::new(shared.clone(), 16).unwrap();
    *vring.get_mut().get_queue_mut() = mock.create_queue().unwrap();
    host.update_memory(shared).unwrap();
    host.drain(&vring, false).unwrap();
    let used = || u16::from_le(mock.used().idx().load());
    let given = |place| mock.used().ring().ref_at(place).unwrap().load().id();
    while used() < 1 {
        std::thread::yield_now();
    }
    assert_eq!((used(), given(0)), (1, 2), "the other drive's command is given back, and no other");
    host.end(&Ends { target: 0, tag: None, response: 2, reset: false });
    let answers = [256, 1024 + 256].map(|at| memory.read_obj::<[u8; 12]>(GuestAddress(REQUEST + at)).unwrap()[11]);
    assert_eq!((used(), answers), (3, [2, 2]));
    host.power_cycle(0).unwrap();
    assert!(host.power_cycle(2).is_err() && host.set(1, "temperature", 1).is_err());
}
