//! Reading of keys that may not have been read yet.

use bytes::Bytes;

use super::{Found, Key};
use crate::error::ProtocolError;

/// Why an answer cannot be given now.
#[derive(Debug)]
pub(super) enum Stop {
    /// These keys have to be read first.
    Missing(Vec<Key>),
    /// Only a node knows.
    Delegate(String),
}

impl From<ProtocolError> for Stop {
    fn from(error: ProtocolError) -> Self {
        Self::Delegate(error.to_string())
    }
}

/// What has been read.
pub(super) struct Reads<'a> {
    known: &'a dyn Fn(&Key) -> Option<Found>,
}

impl<'a> Reads<'a> {
    pub(super) fn new(known: &'a dyn Fn(&Key) -> Option<Found>) -> Self {
        Self { known }
    }

    /// The values at some keys, `None` where there is none. If any has not
    /// been read, all that have not been are asked for at once.
    pub(super) fn all<const N: usize>(&self, keys: [Key; N]) -> Result<[Option<Bytes>; N], Stop> {
        let values = self.many(&keys)?;
        values
            .try_into()
            .map_err(|_| Stop::Delegate("a read was lost".into()))
    }

    /// As [`Reads::all`], for any number of keys.
    pub(super) fn many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, Stop> {
        let mut values = Vec::with_capacity(keys.len());
        let mut missing: Vec<Key> = Vec::new();
        for key in keys {
            match (self.known)(key) {
                Some(Found::Contents(bytes)) => values.push(Some(bytes)),
                Some(Found::Absent) => values.push(None),
                Some(Found::Directory) => {
                    return Err(Stop::Delegate(format!("{key} is a directory")));
                }
                None if missing.contains(key) => {}
                None => missing.push(key.clone()),
            }
        }
        if missing.is_empty() {
            Ok(values)
        } else {
            Err(Stop::Missing(missing))
        }
    }

    /// The value at a key, `None` where there is none.
    pub(super) fn one(&self, key: Key) -> Result<Option<Bytes>, Stop> {
        let [value] = self.all([key])?;
        Ok(value)
    }

    /// The value at a key that every block of the protocol has.
    pub(super) fn needed(&self, key: Key) -> Result<Bytes, Stop> {
        let text = key.to_string();
        self.one(key)?
            .ok_or_else(|| Stop::Delegate(format!("{text} is absent from this block's state")))
    }
}
