//! A small map that forgets what was not used for longest.

use std::{collections::HashMap, hash::Hash};

/// Values by key, each with the moment it was last used. Small: making room
/// looks at every entry.
pub(super) struct Lru<K, V> {
    entries: HashMap<K, (u64, V)>,
    clock: u64,
}

impl<K, V> Default for Lru<K, V> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            clock: 0,
        }
    }
}

impl<K: Hash + Eq + Clone, V> Lru<K, V> {
    /// The value of a key, which counts as a use.
    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        self.clock += 1;
        let (used, value) = self.entries.get_mut(key)?;
        *used = self.clock;
        Some(value)
    }

    /// Adds a value; at most `limit` are kept.
    pub(super) fn put(&mut self, key: K, value: V, limit: usize) {
        self.clock += 1;
        if self.entries.len() >= limit && !self.entries.contains_key(&key) {
            let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.entries.remove(&oldest);
            }
        }
        self.entries.insert(key, (self.clock, value));
    }
}

#[cfg(test)]
mod tests {
    use super::Lru;

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let mut lru = Lru::default();
        lru.put(1, "one", 2);
        lru.put(2, "two", 2);
        assert_eq!(lru.get(&1), Some(&"one"));
        lru.put(3, "three", 2);
        assert_eq!(lru.get(&2), None);
        assert_eq!(lru.get(&1), Some(&"one"));
        lru.put(3, "drei", 2);
        assert_eq!(lru.get(&3), Some(&"drei"));
        assert_eq!(lru.get(&1), Some(&"one"));
    }
}
