//! The listening sockets of a process: what they count, and their files.

use std::{collections::BTreeMap, net::SocketAddr};

use heliostat_door::{Changed, Connections, Door, DoorError, Reloader};
use heliostat_observe::DoorStatus;

use crate::config::{ObserveConfig, door};

/// The name of the observe address among doors.
const OBSERVE: &str = "observe";

/// Every door of a process. Clones are of the same doors.
#[derive(Clone, Debug, Default)]
pub struct Doors(Vec<Known>);

#[derive(Clone, Debug)]
struct Known {
    name: String,
    listen: SocketAddr,
    connections: Connections,
    reloader: Reloader,
}

impl Doors {
    /// Remembers a door: a chain's by the chain's name, or `observe`.
    pub fn add(&mut self, name: &str, door: &Door) {
        self.0.push(Known {
            name: name.to_owned(),
            listen: door.local_addr(),
            connections: door.connections(),
            reloader: door.reloader(),
        });
    }

    /// What each of them counted.
    pub fn status(&self) -> BTreeMap<String, DoorStatus> {
        let one = |door: &Known| (door.name.clone(), door.status());
        self.0.iter().map(one).collect()
    }

    /// Takes over certificates and lists, changed or not. Reads files.
    ///
    /// # Errors
    /// What is broken; it stays as it was. Doors share their files, so each is
    /// named once.
    pub fn reload(&self) -> Result<(), Vec<DoorError>> {
        let mut errors: BTreeMap<String, DoorError> = BTreeMap::new();
        for door in &self.0 {
            for error in door.reloader.reload().err().unwrap_or_default() {
                errors.insert(error.to_string(), error);
            }
        }
        match errors.is_empty() {
            true => Ok(()),
            false => Err(errors.into_values().collect()),
        }
    }

    /// Goes by these rules from now on; the observe address as far as
    /// `observe` says.
    pub fn replace(&self, rules: &Changed, observe: &ObserveConfig) {
        for door in &self.0 {
            let mut rules = rules.clone();
            if door.name == OBSERVE && door::bare(observe).is_some() {
                rules.tokens = None;
            }
            door.reloader.replace(rules);
        }
    }

    /// Counts that a configuration file could not be taken over.
    pub fn keep(&self) {
        for door in &self.0 {
            door.reloader.keep();
        }
    }
}

impl Known {
    fn status(&self) -> DoorStatus {
        let counts = self.connections.counts();
        let by_reason = |all: BTreeMap<&str, u64>| {
            let named = all.into_iter().map(|(why, count)| (why.to_owned(), count));
            named.collect()
        };
        DoorStatus {
            listen: self.listen.to_string(),
            accepted: counts.accepted,
            open: counts.open,
            refused: by_reason(counts.refused),
            handshake_failures: counts.handshake_failures,
            cut: by_reason(counts.cut),
            reloads: counts.reloads,
            reload_failures: counts.reload_failures,
            certificate_not_after: counts.certificate_not_after,
            memory_used: counts.memory_used,
            memory_budget: counts.memory_budget,
        }
    }
}
