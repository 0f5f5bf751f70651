//! SIGHUP: what can be taken over without a restart is.

use std::{path::PathBuf, sync::Arc};

use heliostat_door::Changed;
use heliostat_observe::logs::Control;
use tokio::task::spawn_blocking;

use crate::{
    config::{Config, ConfigError, change::Change},
    doors::Doors,
    node::Running,
};

/// What a running process needs to read its configuration again.
pub struct Reload {
    /// The configuration file; none after a quick start.
    pub file: Option<PathBuf>,
    /// What it runs by.
    pub running: Config,
    /// How much is logged.
    pub logs: Control,
    /// The listening sockets.
    pub doors: Doors,
    /// The chains.
    pub chains: Vec<Arc<dyn Running>>,
}

/// A configuration file that was read again and makes sense.
struct Prepared {
    change: Change,
    rules: Changed,
}

impl Prepared {
    /// Reads the file and the secrets it names.
    ///
    /// # Errors
    /// It cannot be read or makes no sense; nor may what is taken over make no
    /// sense beside what takes a restart.
    fn read(file: &std::path::Path, running: &Config) -> Result<Self, ConfigError> {
        let wanted = Config::load(file)?;
        let change = Change::of(running, &wanted);
        change.running.validate()?;
        let rules = change.running.door.rules()?;
        Ok(Self { change, rules })
    }
}

impl Reload {
    /// Reads the configuration file and every certificate and list again. A
    /// configuration file that is broken changes nothing, nor does a broken
    /// certificate or list; what is broken is logged and counted. Of two files
    /// the good one is taken over all the same: a certificate should not stay
    /// old because of a typing error elsewhere.
    pub async fn now(&mut self) {
        let file = self.file.clone();
        let (doors, running) = (self.doors.clone(), self.running.clone());
        let read = spawn_blocking(move || {
            // The door says itself what it took over and what is broken.
            let broken = doors.reload().err().map_or(0, |errors| errors.len());
            (file.map(|file| Prepared::read(&file, &running)), broken)
        });
        let Ok((prepared, mut broken)) = read.await else {
            return tracing::error!("reload failed: reading the files ended in a panic");
        };
        let taken = match prepared {
            None => Ok(Vec::new()),
            Some(prepared) => prepared.and_then(|prepared| self.take_over(prepared)),
        };
        let changed = match taken {
            Ok(taken) => taken.join(", "),
            Err(error) => {
                broken += 1;
                self.doors.keep();
                tracing::error!(%error, "reload failed; the configuration in force stays");
                String::new()
            }
        };
        match broken {
            0 => tracing::info!(changed, "reloaded"),
            _ => tracing::warn!(
                broken,
                changed,
                "reloaded in part; what is broken stays as it was"
            ),
        }
    }

    /// Goes by it from now on; says which settings have changed.
    fn take_over(&mut self, prepared: Prepared) -> Result<Vec<String>, ConfigError> {
        let Prepared { change, rules } = prepared;
        let Change {
            running,
            taken,
            left,
        } = change;
        // Any of the chains may refuse; then nothing has changed.
        let mut prepared = Vec::new();
        for chain in &self.chains {
            if let Some(config) = running.chain.get(chain.name()) {
                prepared.push(chain.prepare(config)?);
            }
        }
        for take_over in prepared {
            take_over();
        }
        self.doors.replace(&rules, &running.observe);
        self.logs.set_level(running.observe.log_level);
        if !left.is_empty() {
            let settings = left.join(", ");
            tracing::warn!(settings, "a change takes effect after a restart");
        }
        self.running = running;
        Ok(taken)
    }
}
