//! Names that are safe to show and to create.

use std::fmt::Write as _;

/// A name from bytes that should be UTF-8 (ext).
pub(super) fn from_bytes(bytes: &[u8]) -> String {
    let mut name = String::new();
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push(&mut name, c));
        chunk.invalid().iter().for_each(|byte| escape(&mut name, &[*byte]));
    }
    component(name)
}

/// A name from UTF-16 (NTFS, exFAT, long names of FAT). Lone surrogates become the bytes they would have in WTF-8.
pub(super) fn from_utf16(units: impl IntoIterator<Item = u16>) -> String {
    let mut name = String::new();
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(c) => push(&mut name, c),
            Err(lone) => lone.unpaired_surrogate().to_be_bytes().iter().for_each(|byte| escape(&mut name, &[*byte])),
        }
    }
    component(name)
}

/// A name from the characters of an 8.3 name.
pub(super) fn from_chars(chars: impl IntoIterator<Item = char>) -> String {
    let mut name = String::new();
    chars.into_iter().for_each(|c| push(&mut name, c));
    component(name)
}

/// One character; control characters, path separators and those that turn the direction of text are replaced.
fn push(name: &mut String, c: char) {
    let turns = matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || c == '/' || turns {
        escape(name, c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        name.push(c);
    }
}

fn escape(name: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(name, "%{byte:02X}");
    }
}

/// What would be no name of its own is replaced in full.
fn component(name: String) -> String {
    match name.as_str() {
        "" => "%".to_owned(),
        "." | ".." => name.replace('.', "%2E"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_harmless() {
        for (bytes, name) in [
            (&b"plain 100% \xC3\xA4.txt"[..], "plain 100% ä.txt"),
            (b"..", "%2E%2E"),
            (b".", "%2E"),
            (b"", "%"),
            (b"../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
            (b"a\0b\x1B[2J\x7F", "a%00b%1B[2J%7F"),
            (b"\xFF\xC3x", "%FF%C3x"),
            ("txt.\u{202E}exe".as_bytes(), "txt.%E2%80%AEexe"),
            ("\u{85}".as_bytes(), "%C2%85"),
        ] {
            assert_eq!(from_bytes(bytes), name);
        }
        assert_eq!(from_utf16([0x61, 0xD83D, 0xDE00, 0xD800, 0x2F]), "a😀%D8%00%2F");
    }
}
