//! The lowest grades an operator wants answered.

use std::{collections::BTreeMap, fmt, sync::Arc};

use arc_swap::ArcSwap;
use heliostat_core::Assurance;

/// The lowest grade that is answered, by method. Clones share it, and it can
/// be changed while a chain is served.
#[derive(Clone, Default)]
pub struct Minimum(Arc<ArcSwap<BTreeMap<String, Assurance>>>);

impl Minimum {
    /// The lowest grade set for exactly this name, if one is.
    pub fn of(&self, method: &str) -> Option<Assurance> {
        self.0.load().get(method).copied()
    }

    /// Every name and its grade.
    pub fn all(&self) -> Arc<BTreeMap<String, Assurance>> {
        self.0.load_full()
    }

    /// Asks for these from now on.
    pub fn replace(&self, minimum: BTreeMap<String, Assurance>) {
        self.0.store(Arc::new(minimum));
    }
}

impl fmt::Debug for Minimum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Minimum").field(&self.0.load()).finish()
    }
}

impl From<BTreeMap<String, Assurance>> for Minimum {
    fn from(minimum: BTreeMap<String, Assurance>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(minimum)))
    }
}

impl<const N: usize> From<[(String, Assurance); N]> for Minimum {
    fn from(minimum: [(String, Assurance); N]) -> Self {
        BTreeMap::from(minimum).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_ask_for_what_was_set_last() {
        let minimum = Minimum::from([("GetBlock".to_owned(), Assurance::Proven)]);
        let clone = minimum.clone();
        assert_eq!(clone.of("GetBlock"), Some(Assurance::Proven));
        minimum.replace(BTreeMap::new());
        assert_eq!(clone.of("GetBlock"), None);
        assert!(clone.all().is_empty());
    }
}
