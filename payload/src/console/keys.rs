//! What a terminal sends for a key.

use super::Key;

/// The keys in `bytes`. Line noise (NUL, bytes above 7Eh, stray control characters) is no key.
pub fn decode(bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'\r' | b'\n' => keys.push(Key::Enter),
            b' '..=b'~' => keys.push(Key::Char(char::from(first))),
            0x08 | 0x09 | 0x7f => keys.push(Key::Other),
            // Ctrl-C: on a line in raw mode it is a key like any other, and it means "stop".
            0x03 => keys.push(Key::Escape),
            0x1b => {
                let length = sequence(rest);
                keys.push(if length == 0 { Key::Escape } else { Key::Other });
                rest = &rest[length..];
            }
            _ => {}
        }
    }
    keys
}

/// Length of the control sequence that follows an escape character: `[` or `O`, parameters, one final byte. The Linux console
/// also sends `[[A` for F1.
fn sequence(rest: &[u8]) -> usize {
    match rest {
        [b'[', b'[', _, ..] => 3,
        [b'[' | b'O', body @ ..] => match body.iter().position(|byte| (0x40..=0x7e).contains(byte)) {
            Some(end) => end + 2,
            None => rest.len(),
        },
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_sequences_and_noise() {
        assert_eq!(decode(b"pr\r"), [Key::Char('p'), Key::Char('r'), Key::Enter]);
        assert_eq!(decode(b"\x1b"), [Key::Escape]);
        assert_eq!(
            decode(b"\x1b[A\x1b[[Bq\x1b[15~\x1bOP"),
            [Key::Other, Key::Other, Key::Char('q'), Key::Other, Key::Other]
        );
        assert_eq!(decode(b"\x1b[1"), [Key::Other]);
        assert_eq!(decode(b"\0\xff\x80\x11"), []);
        assert_eq!(decode(b"\x03"), [Key::Escape]);
    }
}
