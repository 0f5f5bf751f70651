//! Room in memory for what upstreams answer.
//!
//! An answer is read into memory before it is understood, and who sends it may
//! send without end. Each has a cap of its own; [`Room`] bounds all that come
//! from one upstream at a time. Small ones are free of it. A larger one waits
//! until there is room for as many bytes as it announces, or for its cap if it
//! announces nothing.

use std::fmt;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::defaults::{ROOM, SMALL_ANSWER};

/// What is counted: a semaphore has fewer permits than an answer may have
/// bytes.
const UNIT: usize = 1 << 10;

/// An answer that is larger than it may be; the cap in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge(pub usize);

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer is larger than {} bytes", self.0)
    }
}

impl std::error::Error for TooLarge {}

/// Room for the answers of one upstream: [`ROOM`] bytes.
#[derive(Debug)]
pub struct Room(Semaphore);

impl Default for Room {
    fn default() -> Self {
        Self(Semaphore::new(ROOM / UNIT))
    }
}

impl Room {
    /// An answer that begins. It may have `cap` bytes, of which it announces
    /// how many there will be, or not.
    ///
    /// # Errors
    ///
    /// It announces more than it may have.
    pub fn answer(&self, cap: usize, announced: Option<u64>) -> Result<Answer<'_>, TooLarge> {
        let announced = announced.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if announced.is_some_and(|bytes| bytes > cap) {
            return Err(TooLarge(cap));
        }
        Ok(Answer {
            room: &self.0,
            taken: None,
            cap,
            due: announced.unwrap_or(cap),
            first: Bytes::new(),
            rest: BytesMut::new(),
        })
    }
}

/// An answer that is being read.
#[derive(Debug)]
pub struct Answer<'a> {
    room: &'a Semaphore,
    taken: Option<SemaphorePermit<'a>>,
    cap: usize,
    /// The most that can come.
    due: usize,
    /// Most answers come in one piece, which is then not copied.
    first: Bytes,
    rest: BytesMut,
}

impl Answer<'_> {
    /// The next piece. Waits for room as soon as the answer is not small.
    ///
    /// # Errors
    ///
    /// It is larger than it may be, or than it announced.
    pub async fn take(&mut self, piece: Bytes) -> Result<(), TooLarge> {
        let length = self.first.len() + self.rest.len() + piece.len();
        if length > self.due {
            return Err(TooLarge(self.cap));
        }
        if length > SMALL_ANSWER && self.taken.is_none() {
            let units = self.due.min(ROOM).div_ceil(UNIT);
            let units = u32::try_from(units).unwrap_or(u32::MAX);
            // The semaphore is never closed.
            self.taken = self.room.acquire_many(units).await.ok();
        }
        if length == piece.len() {
            self.first = piece;
            return Ok(());
        }
        if length > self.rest.capacity() {
            // What is not written to takes address space alone.
            let most = match self.taken {
                Some(_) => self.due,
                None => self.due.min(SMALL_ANSWER),
            };
            self.rest.reserve(most - self.rest.len());
        }
        self.rest
            .extend_from_slice(&std::mem::take(&mut self.first));
        self.rest.extend_from_slice(&piece);
        Ok(())
    }

    /// All of it; its room is free again.
    pub fn whole(self) -> Bytes {
        match self.rest.is_empty() {
            true => self.first,
            false => self.rest.freeze(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const PIECE: Bytes = Bytes::from_static(&[7; 64 << 10]);

    /// Reads so many bytes in pieces.
    async fn read(answer: &mut Answer<'_>, bytes: usize) -> Result<(), TooLarge> {
        let mut left = bytes;
        while left > 0 {
            let piece = PIECE.slice(..left.min(PIECE.len()));
            left -= piece.len();
            answer.take(piece).await?;
        }
        Ok(())
    }

    async fn fits(answer: &mut Answer<'_>, bytes: usize) -> bool {
        let wait = Duration::from_millis(50);
        timeout(wait, read(answer, bytes)).await.is_ok()
    }

    #[tokio::test]
    async fn an_answer_is_what_its_pieces_are() {
        let room = Room::default();
        let mut answer = room.answer(10, None).unwrap();
        assert_eq!(answer.take(Bytes::from_static(b"abc")).await, Ok(()));
        answer.take(Bytes::new()).await.unwrap();
        answer.take(Bytes::from_static(b"defghij")).await.unwrap();
        assert_eq!(answer.whole(), "abcdefghij");
        assert_eq!(room.answer(10, None).unwrap().whole(), "");
        let mut large = room.answer(SMALL_ANSWER * 4, None).unwrap();
        read(&mut large, SMALL_ANSWER * 4).await.unwrap();
        assert_eq!(large.whole().len(), SMALL_ANSWER * 4);
    }

    #[tokio::test]
    async fn one_piece_is_not_copied() {
        let room = Room::default();
        let mut answer = room.answer(PIECE.len(), Some(PIECE.len() as u64)).unwrap();
        answer.take(PIECE).await.unwrap();
        assert_eq!(answer.whole().as_ptr(), PIECE.as_ptr());
    }

    #[tokio::test]
    async fn an_answer_ends_at_its_cap_and_at_what_it_announced() {
        let room = Room::default();
        for announced in [None, Some(100)] {
            let mut answer = room.answer(100, announced).unwrap();
            read(&mut answer, 100).await.unwrap();
            assert_eq!(read(&mut answer, 1).await, Err(TooLarge(100)));
        }
        let mut answer = room.answer(100, Some(50)).unwrap();
        assert_eq!(read(&mut answer, 51).await, Err(TooLarge(100)));
        for announced in [101, u64::MAX] {
            assert_eq!(
                room.answer(100, Some(announced)).unwrap_err(),
                TooLarge(100)
            );
        }
    }

    #[tokio::test]
    async fn large_answers_wait_for_each_other_and_small_ones_do_not() {
        let room = Room::default();
        let mut first = room.answer(ROOM, None).unwrap();
        read(&mut first, SMALL_ANSWER + 1).await.unwrap();
        let mut second = room.answer(SMALL_ANSWER * 2, None).unwrap();
        assert!(fits(&mut second, SMALL_ANSWER).await);
        assert!(!fits(&mut second, 1).await);
        first.whole();
        assert!(fits(&mut second, SMALL_ANSWER).await);
    }

    #[tokio::test]
    async fn one_that_announces_little_leaves_room_for_others() {
        let room = Room::default();
        let size = ROOM / 4;
        let mut answers: Vec<_> = (0..5)
            .map(|_| room.answer(ROOM, Some(size as u64)).unwrap())
            .collect();
        for answer in &mut answers[..4] {
            assert!(fits(answer, size).await);
        }
        assert!(!fits(&mut answers[4], size).await);
    }

    #[tokio::test]
    async fn one_larger_than_the_room_has_it_for_itself() {
        let room = Room::default();
        let mut answer = room.answer(ROOM * 2, None).unwrap();
        assert!(fits(&mut answer, SMALL_ANSWER * 2).await);
        let mut other = room.answer(ROOM, None).unwrap();
        assert!(!fits(&mut other, SMALL_ANSWER * 2).await);
    }
}
