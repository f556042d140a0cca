//! Texts and lists whose largest encoding is known when the program is built, so that a frame always fits its buffer.

use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};
use std::{fmt, ops::Deref};

/// A text of at most `N` bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text<const N: usize>(heapless::String<N>);

/// A list of at most `N` items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T, const N: usize>(heapless::Vec<T, N>);

/// Bytes of the length that postcard writes before a text or list (a varint of 7 bits a byte).
const fn length_bytes(max: usize) -> usize {
    let bits = (usize::BITS - max.leading_zeros()) as usize;
    if bits == 0 { 1 } else { bits.div_ceil(7) }
}

impl<const N: usize> MaxSize for Text<N> {
    const POSTCARD_MAX_SIZE: usize = N + length_bytes(N);
}

impl<T: MaxSize, const N: usize> MaxSize for List<T, N> {
    const POSTCARD_MAX_SIZE: usize = N * T::POSTCARD_MAX_SIZE + length_bytes(N);
}

impl<const N: usize> Text<N> {
    /// As much of `text` as fits, cut between characters.
    pub fn new(text: &str) -> Self {
        let end = (0..=N.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        Self(heapless::String::try_from(&text[..end]).unwrap_or_default())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl<const N: usize> Deref for Text<N> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<T, const N: usize> Deref for List<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const N: usize> FromIterator<T> for List<T, N> {
    /// The first `N` items; callers cut longer lists up.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().take(N).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(Text::<5>::new("abcdef").as_str(), "abcde");
        assert_eq!(Text::<5>::new("abcd\u{20ac}").as_str(), "abcd");
        assert_eq!(Text::<1>::new("\u{20ac}").as_str(), "");
        assert_eq!(Text::<5>::new("").as_str(), "");
    }

    #[test]
    fn nothing_is_longer_than_its_maximum() {
        let text = Text::<200>::new(&"x".repeat(300));
        assert_eq!(postcard::experimental::serialized_size(&text).unwrap(), Text::<200>::POSTCARD_MAX_SIZE);
        let list: List<u64, 130> = std::iter::repeat_n(u64::MAX, 200).collect();
        assert_eq!(postcard::experimental::serialized_size(&list).unwrap(), List::<u64, 130>::POSTCARD_MAX_SIZE);
    }
}
