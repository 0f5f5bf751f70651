//! Room in memory for what upstreams answer.
//!
//! An answer is read into memory before it is understood, and who sends it may
//! send without end. Each has a cap of its own; [`Room`] bounds all that are
//! being read from one upstream. Small ones are free of it. A larger one waits
//! for its share of a room that several have: as much as it announces, or as
//! much as it may have, and [`SHARE`] at most. One that turns out to be larger
//! than that waits until it is the only one. Room is free again once an answer
//! is there: what it is kept for then is not counted here.

use bytes::{Bytes, BytesMut};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::defaults::{ROOM, SHARE, SMALL_ANSWER};

/// An answer that is larger than it may be; the cap in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is larger than {0} bytes")]
pub struct TooLarge(pub usize);

/// Room for the answers of one upstream: [`ROOM`] bytes for those up to
/// [`SHARE`], and a place for one that is larger.
#[derive(Debug)]
pub struct Room {
    /// A permit a byte.
    shares: Semaphore,
    /// Whoever has its only permit waits for nobody, so that those who wait for
    /// it with their shares in hand do not wait for ever.
    large: Semaphore,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            shares: Semaphore::new(ROOM),
            large: Semaphore::new(1),
        }
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
            room: self,
            share: None,
            large: None,
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
    room: &'a Room,
    share: Option<SemaphorePermit<'a>>,
    large: Option<SemaphorePermit<'a>>,
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
        // Neither semaphore is ever closed.
        if length > SMALL_ANSWER && self.share.is_none() {
            let share = u32::try_from(self.due.min(SHARE)).unwrap_or(u32::MAX);
            self.share = self.room.shares.acquire_many(share).await.ok();
        }
        if length > SHARE && self.large.is_none() {
            self.large = self.room.large.acquire().await.ok();
        }
        if length == piece.len() {
            self.first = piece;
            return Ok(());
        }
        if length > self.rest.capacity() {
            // What is not written to takes address space alone.
            let steps = [SMALL_ANSWER, SHARE, self.due];
            let most = steps.into_iter().find(|step| length <= *step);
            let most = most.map_or(self.due, |step| step.min(self.due));
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
    async fn as_many_as_have_shares_are_read_and_small_ones_always() {
        let room = Room::default();
        let count = ROOM / SHARE;
        let mut answers: Vec<_> = (0..=count)
            .map(|_| room.answer(SHARE, None).unwrap())
            .collect();
        let mut last = answers.pop().unwrap();
        for answer in &mut answers {
            assert!(fits(answer, SHARE).await);
        }
        assert!(fits(&mut last, SMALL_ANSWER).await);
        assert!(!fits(&mut last, 1).await);
        answers.pop().unwrap().whole();
        assert!(fits(&mut last, SHARE - SMALL_ANSWER).await);
    }

    #[tokio::test]
    async fn those_that_announce_little_have_small_shares() {
        let room = Room::default();
        let size = SMALL_ANSWER * 2;
        let mut answers: Vec<_> = (0..=ROOM / size)
            .map(|_| room.answer(SHARE, Some(size as u64)).unwrap())
            .collect();
        let mut last = answers.pop().unwrap();
        for answer in &mut answers {
            assert!(fits(answer, size).await);
        }
        assert!(!fits(&mut last, size).await);
    }

    #[tokio::test]
    async fn one_at_a_time_is_larger_than_a_share() {
        let room = Room::default();
        let mut answers: Vec<_> = (0..ROOM / SHARE)
            .map(|_| room.answer(ROOM * 2, None).unwrap())
            .collect();
        for answer in &mut answers {
            assert!(fits(answer, SHARE).await);
        }
        let mut last = answers.pop().unwrap();
        assert!(fits(&mut last, ROOM).await, "it waits for nobody");
        for answer in &mut answers {
            assert!(!fits(answer, 1).await);
        }
        // All come to their end, one after the other.
        last.whole();
        for mut answer in answers {
            assert!(fits(&mut answer, ROOM).await);
            answer.whole();
        }
    }
}
