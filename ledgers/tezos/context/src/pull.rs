//! A JSON reader that builds nothing: the caller asks for what it expects next.
//!
//! The texts read here hold hex, base58 and numbers, where nothing is ever
//! escaped; a string with a backslash is refused.

use crate::ProofError;

/// Where a text is being read.
pub(crate) struct Pull<'a> {
    text: &'a [u8],
    at: usize,
    /// Bytes that [`Pull::skip`] may still pass.
    skippable: usize,
}

type Read<T> = Result<T, ProofError>;

impl<'a> Pull<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            // What is skipped is read again later; a text made to be skipped
            // over and over must not cost the square of its length.
            skippable: text.len().saturating_mul(4),
        }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Goes back to a [`Pull::position`].
    pub(crate) fn rewind(&mut self, at: usize) {
        self.at = at;
    }

    pub(crate) fn wrong(&self, what: &'static str) -> ProofError {
        ProofError::Malformed { at: self.at, what }
    }

    /// The next byte that is not space; it stays where it is.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes the byte if it is next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    pub(crate) fn expect(&mut self, byte: u8, what: &'static str) -> Read<()> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.wrong(what))
        }
    }

    /// Takes a word such as `null` if it is next.
    pub(crate) fn word(&mut self, word: &str) -> bool {
        self.peek();
        let next = self.text[self.at..].starts_with(word.as_bytes());
        if next {
            self.at += word.len();
        }
        next
    }

    /// A string's inside.
    pub(crate) fn string(&mut self) -> Read<&'a [u8]> {
        self.expect(b'"', "a string is expected")?;
        let rest = &self.text[self.at..];
        let end = memchr::memchr(b'"', rest).ok_or_else(|| self.wrong("a string does not end"))?;
        let inside = &rest[..end];
        if memchr::memchr(b'\\', inside).is_some() {
            return Err(self.wrong("a string has an escape, which nothing here needs"));
        }
        self.at += end + 1;
        Ok(inside)
    }

    /// An object's next name, and the colon behind it.
    pub(crate) fn name(&mut self) -> Read<&'a [u8]> {
        let name = self.string()?;
        self.expect(b':', "a colon is expected")?;
        Ok(name)
    }

    /// Whether a list or object has another element: takes the comma before
    /// it, or the closing bracket.
    pub(crate) fn another(&mut self, first: &mut bool, close: u8) -> Read<bool> {
        if self.take(close) {
            return Ok(false);
        }
        if !std::mem::replace(first, false) {
            self.expect(b',', "a comma or a closing bracket is expected")?;
        }
        Ok(true)
    }

    /// A number without sign, point or exponent.
    pub(crate) fn number(&mut self) -> Read<u64> {
        self.peek();
        let start = self.at;
        let digits = self.text[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.at += digits;
        decimal(&self.text[start..self.at]).ok_or_else(|| self.wrong("a number is expected"))
    }

    /// Passes one value of any shape. It is only delimited, not checked.
    pub(crate) fn skip(&mut self) -> Read<()> {
        let start = self.at;
        let mut open = 0usize;
        loop {
            match self.peek() {
                None => return Err(self.wrong("the text ends too early")),
                Some(b'"') => drop(self.string()?),
                Some(b'[' | b'{') => {
                    open += 1;
                    self.at += 1;
                }
                Some(b']' | b'}') => {
                    open = open
                        .checked_sub(1)
                        .ok_or_else(|| self.wrong("a value is expected"))?;
                    self.at += 1;
                }
                Some(_) => {
                    let plain =
                        |byte: &&u8| !matches!(byte, b',' | b']' | b'}' | b'[' | b'{' | b'"');
                    let passed = self.text[self.at..].iter().take_while(plain).count();
                    self.at += passed.max(usize::from(open > 0));
                    if passed == 0 && open == 0 {
                        return Err(self.wrong("a value is expected"));
                    }
                }
            }
            if open == 0 {
                break;
            }
        }
        self.skippable = self
            .skippable
            .checked_sub(self.at - start)
            .ok_or_else(|| self.wrong("fields come in an order that is too costly to follow"))?;
        Ok(())
    }

    /// That nothing but space is left.
    pub(crate) fn end(&mut self) -> Read<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.wrong("something follows the end")),
        }
    }
}

/// The number that decimal digits write; `None` for none, or for too many.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}
