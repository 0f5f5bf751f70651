//! [`Asked`]: who is told of every question to an upstream.

use std::{fmt, sync::Arc, time::Duration};

use heliostat_core::Fault;

/// The outcome of a question that was answered.
const OK: &str = "ok";

/// Told of each question that ended: the upstream's name, `ok` or the kind of
/// the fault, and how long it took. Questions that were given up are not told.
/// The default tells nobody.
#[derive(Clone, Default)]
pub struct Asked(Option<Arc<Tell>>);

type Tell = dyn Fn(&str, &str, Duration) + Send + Sync;

impl Asked {
    /// Tells `tell`, which must not take long.
    pub fn new(tell: impl Fn(&str, &str, Duration) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// A question to `upstream` ended.
    pub fn ended(&self, upstream: &str, fault: Option<&Fault>, took: Duration) {
        if let Some(tell) = &self.0 {
            tell(upstream, fault.map_or(OK, Fault::kind), took);
        }
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Asked"
        } else {
            "Asked (nobody)"
        })
    }
}
