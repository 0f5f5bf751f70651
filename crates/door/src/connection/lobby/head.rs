//! The head of an HTTP/1 request, and what has to follow it before HTTP
//! begins.

use crate::limits::Limits;

/// Header fields that are looked at; hyper takes no more.
const FIELDS: usize = 100;

/// A whole head.
#[derive(Debug, PartialEq)]
pub(super) struct Head {
    /// Its length in bytes, empty line included.
    length: usize,
    /// Bytes of the body that have to follow.
    wanted: usize,
    /// Fewer do if they end the last chunk.
    is_chunked: bool,
}

impl Head {
    /// Reads the head that `said` begins with, as far as it tells of a body.
    /// Where HTTP is going to refuse it, or is waited for, nothing has to
    /// follow.
    pub(super) fn read(said: &[u8], limits: &Limits) -> Self {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let mut head = Self {
            length: 0,
            wanted: 0,
            is_chunked: false,
        };
        let Ok(httparse::Status::Complete(length)) = request.parse(said) else {
            return head;
        };
        head.length = length;
        let value = |name: &str| {
            let mut fields = request.headers.iter();
            let field = fields.find(|field| field.name.eq_ignore_ascii_case(name));
            field.map(|field| String::from_utf8_lossy(field.value))
        };
        if value("expect").is_some() || value("upgrade").is_some() {
            return head;
        }
        let enough = usize::try_from(limits.min_progress).unwrap_or(usize::MAX);
        if value("transfer-encoding").is_some() {
            head.is_chunked = true;
            head.wanted = enough;
            return head;
        }
        let bytes = value("content-length").and_then(|text| text.trim().parse::<u64>().ok());
        let bytes = bytes.filter(|bytes| *bytes <= limits.max_request);
        head.wanted = usize::try_from(bytes.unwrap_or(0)).map_or(enough, |all| all.min(enough));
        head
    }

    /// Whether as much of the body was said as has to be.
    pub(super) fn is_followed_by_enough(&self, said: &[u8]) -> bool {
        let body = &said[self.length.min(said.len())..];
        // Both a last chunk and the fields after one end with an empty line.
        body.len() >= self.wanted || self.is_chunked && body.ends_with(b"\r\n\r\n")
    }
}

/// Whether an HTTP/1 head (RFC 9112, section 2.1) is whole, or can be told to
/// be none; `from` bytes were looked at before.
pub(super) fn is_whole(said: &[u8], from: usize) -> bool {
    let is_text = |byte: &u8| !byte.is_ascii_control() || b"\r\n\t".contains(byte);
    if !said[from..].iter().all(is_text) {
        return true;
    }
    // Empty lines before a request mean nothing.
    let start = said.iter().position(|byte| !b"\r\n".contains(byte));
    let Some(start) = start else {
        return false;
    };
    let said = &said[start..];
    let Some(line) = said.iter().position(|&byte| byte == b'\n') else {
        return false;
    };
    let request = said[..line].trim_ascii_end();
    if !request.ends_with(b"HTTP/1.1") && !request.ends_with(b"HTTP/1.0") {
        return true;
    }
    // The end of a line and an empty one: what was looked at may have ended
    // within them.
    let from = from.saturating_sub(start).saturating_sub(2).max(line);
    let rest = &said[from..];
    let ends = |end: &[u8]| rest.windows(end.len()).any(|window| window == end);
    ends(b"\n\r\n") || ends(b"\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many bytes the head is whole, byte by byte and at once.
    fn whole_after(said: &[u8]) -> Option<usize> {
        let end = (1..=said.len()).find(|&end| is_whole(&said[..end], end - 1));
        for step in 2..said.len() {
            let mut from = 0;
            let mut found = None;
            while from < said.len() && found.is_none() {
                let end = (from + step).min(said.len());
                found = is_whole(&said[..end], from).then_some(end);
                from = end;
            }
            assert_eq!(found.is_some(), end.is_some(), "in steps of {step}");
            assert!(found >= end, "in steps of {step}");
        }
        end
    }

    #[test]
    fn a_head_is_whole_with_its_empty_line() {
        for head in [
            &b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..],
            b"GET / HTTP/1.1\nhost: x\n\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"\r\n\r\n\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(whole_after(head), Some(head.len()));
            let more = [head, b"GET / HT"].concat();
            assert_eq!(whole_after(&more), Some(head.len()));
            assert_eq!(whole_after(&head[..head.len() - 1]), None);
        }
        assert_eq!(whole_after(b"\r\n\r\n\r\n"), None);
    }

    #[test]
    fn what_is_no_http1_is_told_at_once() {
        for (said, after) in [
            (&b"\x16\x03\x01\x02\x00"[..], 1),
            (b"hello\r\nworld", 7),
            (b"GET / HTTP/3\nhost: x", 13),
            (b"GET / HTTP/1.1\r\nx: \0", 20),
        ] {
            assert_eq!(whole_after(said), Some(after), "{said:?}");
        }
    }

    /// After how many bytes of body, of those that follow `head`, there is
    /// enough of it; of 10 bytes and more it is.
    fn enough_after(head: &str, body: &[u8]) -> Option<usize> {
        let limits = Limits {
            min_progress: 10,
            max_request: 1_000,
            ..Limits::default()
        };
        let said = [head.as_bytes(), body].concat();
        let read = Head::read(&said, &limits);
        (0..=body.len()).find(|bytes| read.is_followed_by_enough(&said[..head.len() + bytes]))
    }

    #[test]
    fn a_body_is_waited_for_until_it_is_whole_or_enough() {
        let body = [b'a'; 20];
        for (fields, bytes) in [
            ("", Some(0)),
            ("content-length: 0\r\n", Some(0)),
            ("content-length: 3\r\n", Some(3)),
            ("Content-Length:  9 \r\n", Some(9)),
            ("content-length: 1000\r\n", Some(10)),
            ("transfer-encoding: chunked\r\n", Some(10)),
            ("content-length: 1001\r\n", Some(0)),
            ("content-length: -3\r\n", Some(0)),
            ("content-length: 7\r\nexpect: 100-continue\r\n", Some(0)),
            ("content-length: 7\r\nupgrade: x\r\n", Some(0)),
        ] {
            let head = format!("POST / HTTP/1.1\r\nhost: x\r\n{fields}\r\n");
            assert_eq!(enough_after(&head, &body), bytes, "{fields}");
        }
        let head = "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n";
        assert_eq!(enough_after(head, &body[..8]), None);
    }

    #[test]
    fn chunks_are_waited_for_until_the_last_one() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(enough_after(head, b"0\r\n\r\n"), Some(5));
        assert_eq!(enough_after(head, b"1\r\na\r\n"), None);
        assert_eq!(enough_after(head, b"0\r\na:b\r\n\r\n"), Some(10));
    }

    #[test]
    fn what_is_no_head_is_left_to_http() {
        assert_eq!(enough_after("hello\r\n\r\n", b"world"), Some(0));
        let many = "a: b\r\n".repeat(FIELDS + 1);
        let head = format!("POST / HTTP/1.1\r\n{many}content-length: 5\r\n\r\n");
        assert_eq!(enough_after(&head, b"hello"), Some(0));
    }
}
