//! SIGHUP: what can be taken over without a restart is.

use std::path::PathBuf;

use heliostat_observe::logs::Control;
use tokio::task::spawn_blocking;

use crate::{
    config::{Config, change::Change},
    doors::Doors,
};

/// What a running process needs to read its configuration again.
#[derive(Debug)]
pub struct Reload {
    /// The configuration file; none after a quick start.
    pub file: Option<PathBuf>,
    /// What it runs by.
    pub running: Config,
    /// How much is logged.
    pub logs: Control,
    /// The listening sockets.
    pub doors: Doors,
}

impl Reload {
    /// Reads the configuration file and every certificate and list again.
    /// What is broken changes nothing, and is logged; the rest is taken over
    /// all the same: a certificate should not stay old because of a typing
    /// error elsewhere.
    pub async fn now(&mut self) {
        let file = self.file.clone();
        let doors = self.doors.clone();
        let read = spawn_blocking(move || {
            // The door says itself what it took over and what is broken.
            let broken = doors.reload().err().map_or(0, |errors| errors.len());
            (file.map(|file| Config::load(&file)), broken)
        });
        let Ok((config, mut broken)) = read.await else {
            return tracing::error!("reload failed: reading the files ended in a panic");
        };
        match config {
            None => {}
            Some(Ok(wanted)) => self.take_over(&wanted),
            Some(Err(error)) => {
                broken += 1;
                tracing::error!(%error, "reload failed; the configuration in force stays");
            }
        }
        match broken {
            0 => tracing::info!("reloaded"),
            _ => tracing::warn!(broken, "reloaded in part; what is broken stays as it was"),
        }
    }

    fn take_over(&mut self, wanted: &Config) {
        let Change {
            running,
            taken,
            left,
        } = Change::of(&self.running, wanted);
        self.logs.set_level(running.observe.log_level);
        for setting in taken {
            tracing::info!(setting, "setting taken over");
        }
        for setting in left {
            tracing::warn!(setting, "a changed setting takes a restart");
        }
        self.running = running;
    }
}
