//! A place in the context.

use std::{fmt, str::FromStr};

use crate::defaults::{MAX_NAME, MAX_STEPS};

/// The directory of the root that all keys of the node's RPCs are below.
pub const DATA: &[u8] = b"data";

/// A place below the root's directory `data`: names, each raw bytes. As text
/// the names are joined by `/`; bytes other than letters, digits and `-._~` are
/// written as `%` and two hex digits, so that the text is a path of a URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(Vec<Vec<u8>>);

/// Why a text is no key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// Two slashes follow each other, or a name is given as nothing.
    #[error("a name in the key is empty; write names with single slashes between them")]
    EmptyName,
    /// A `%` without two hex digits.
    #[error("a '%' in the key is not followed by two hex digits; write '%25' for the sign itself")]
    Escape,
    /// A name of more than [`MAX_NAME`] bytes.
    #[error("a name in the key has more than {MAX_NAME} bytes")]
    LongName,
    /// More than [`MAX_STEPS`] names, less the one for `data`.
    #[error("the key has more than {} names", MAX_STEPS - 1)]
    Deep,
}

impl Key {
    /// The key with these names.
    pub fn new<N: AsRef<[u8]>>(names: impl IntoIterator<Item = N>) -> Result<Self, KeyError> {
        let mut steps = Vec::new();
        for name in names {
            let name = name.as_ref();
            if name.is_empty() {
                return Err(KeyError::EmptyName);
            }
            if name.len() > MAX_NAME {
                return Err(KeyError::LongName);
            }
            if steps.len() == MAX_STEPS - 1 {
                return Err(KeyError::Deep);
            }
            steps.push(name.to_vec());
        }
        Ok(Self(steps))
    }

    /// The names, outermost first; none for `data` itself.
    pub fn steps(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// The names as a path from the directory `data`.
    pub fn below_data(&self) -> Vec<&[u8]> {
        self.0.iter().map(Vec::as_slice).collect()
    }

    /// The names as a path from the root: `data` comes first.
    pub fn from_root(&self) -> Vec<&[u8]> {
        std::iter::once(DATA)
            .chain(self.0.iter().map(Vec::as_slice))
            .collect()
    }

    /// Whether `other` is this place or one inside it.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The key with one name more.
    pub fn join(&self, name: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::new(
            self.0
                .iter()
                .map(Vec::as_slice)
                .chain(std::iter::once(name.as_ref())),
        )
    }
}

impl FromStr for Key {
    type Err = KeyError;

    /// Reads a text; one slash at either end is ignored, the empty text is
    /// `data` itself.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_prefix('/').unwrap_or(text);
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.len() > 3 * (MAX_NAME + 1) * MAX_STEPS {
            return Err(KeyError::Deep);
        }
        let names: Vec<_> = text.split('/').map(unescape).collect::<Result<_, _>>()?;
        Self::new(names)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("/")?;
            }
            for byte in name {
                match byte {
                    b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => {
                        write!(f, "{}", char::from(*byte))?;
                    }
                    _ => write!(f, "%{byte:02X}")?,
                }
            }
        }
        Ok(())
    }
}

fn unescape(name: &str) -> Result<Vec<u8>, KeyError> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or(KeyError::Escape)?;
        let mut byte = [0];
        hex::decode_to_slice(digits, &mut byte).map_err(|_| KeyError::Escape)?;
        bytes.push(byte[0]);
        rest = after;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_and_prints_as_its_path() {
        let key: Key = "contracts/index/00ab/balance".parse().unwrap();
        assert_eq!(key.steps().len(), 4);
        assert_eq!(key.to_string(), "contracts/index/00ab/balance");
        assert_eq!(key.from_root()[0], b"data");
        assert_eq!("/v1/".parse::<Key>().unwrap().to_string(), "v1");
        assert_eq!("".parse::<Key>(), Ok(Key::default()));
        assert!(Key::default().covers(&key) && !key.covers(&Key::default()));
    }

    #[test]
    fn raw_bytes_survive_as_escapes() {
        let key = Key::new([&b"a/b%"[..], &[0xff, 0x00]]).unwrap();
        assert_eq!(key.to_string(), "a%2Fb%25/%FF%00");
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn what_is_no_key_says_why() {
        assert_eq!("a//b".parse::<Key>(), Err(KeyError::EmptyName));
        for text in ["a%", "a%4", "a%zz"] {
            assert_eq!(text.parse::<Key>(), Err(KeyError::Escape));
        }
        assert_eq!("a".repeat(256).parse::<Key>(), Err(KeyError::LongName));
        assert_eq!("a/".repeat(300).parse::<Key>(), Err(KeyError::Deep));
    }
}
