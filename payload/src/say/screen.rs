//! Bytes of any kind on a terminal: what is text can be read, what is not does nothing.

use super::is_printable;
use std::{
    fmt::Write as _,
    io::{self, Write},
};

/// Shows lines and tabs as they are, other characters that are not printable as `\u{1b}`, and what is no UTF-8 as `\xff`.
pub(super) struct Screen<W> {
    to: W,
    /// The beginning of a character whose end has not come yet.
    held: Vec<u8>,
}

impl<W: Write> Screen<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, held: Vec::new() }
    }

    fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            let valid = chunk.valid().replace("\r\n", "\n");
            for c in valid.chars() {
                if is_printable(c) || matches!(c, '\n' | '\t') { text.push(c) } else { text.extend(c.escape_unicode()) }
            }
            chunk.invalid().iter().for_each(|byte| {
                // Writing into a String cannot fail.
                let _ = write!(text, "\\x{byte:02x}");
            });
        }
        self.to.write_all(text.as_bytes())
    }
}

/// How many bytes at the end are only the beginning of something: of a character, or of a line end of Windows.
fn begun(bytes: &[u8]) -> usize {
    let needs = |byte: u8| match byte {
        b'\r' | 0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let open = |n: &usize| bytes.len() >= *n && needs(bytes[bytes.len() - n]) > *n;
    (1..=3).find(open).unwrap_or(0)
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        let rest = self.held.split_off(self.held.len() - begun(&self.held));
        let whole = std::mem::replace(&mut self.held, rest);
        self.show(&whole)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.held);
        self.show(&rest)?;
        self.to.flush()
    }
}
