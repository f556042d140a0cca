//! Text as drives report it: fixed fields, padded, not always printable.

use crate::drive::identity::TEXT_MAX;

/// A field as text: bytes that are not printable ASCII become `?` (NUL is padding), ends trimmed, at most
/// [`TEXT_MAX`] bytes.
pub fn clean(bytes: &[u8]) -> String {
    let printable = |&byte: &u8| match byte {
        0 | b'\t' | b'\n' | b'\r' => ' ',
        b' '..=b'~' => char::from(byte),
        _ => '?',
    };
    let text: String = bytes.iter().map(printable).collect();
    let mut text = text.trim().to_owned();
    text.truncate(TEXT_MAX);
    text.truncate(text.trim_end().len());
    text
}

/// The same for a field of which the end distinguishes drives: of a longer text the last [`TEXT_MAX`] bytes stay.
pub fn clean_tail(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|byte| !byte.is_ascii_whitespace() && *byte != 0).map_or(0, |at| at + 1);
    clean(&bytes[end.saturating_sub(TEXT_MAX)..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_trimmed_printable_and_bounded() {
        assert_eq!(clean(b"  WDC WD10\0\0 "), "WDC WD10");
        assert_eq!(clean(&[0xff, b'A', 7]), "?A?");
        assert_eq!(clean(b"\0\0"), "");
        assert_eq!(clean(&[b'x'; 200]).len(), TEXT_MAX);
        let long = [vec![b'x'; 100], b"END \n".to_vec()].concat();
        assert!(clean_tail(&long).ends_with("xEND") && clean_tail(&long).len() == TEXT_MAX);
        assert_eq!(clean_tail(b"\n"), "");
    }
}
