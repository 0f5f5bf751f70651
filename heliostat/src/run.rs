//! `heliostat zcash` and `heliostat run`: a node until a signal.

use std::{
    fs::OpenOptions,
    io::{self, IsTerminal, Write},
    process,
    sync::Mutex,
};

use heliostat_observe::logs;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    cli::exit::Failure,
    config::{Config, ConfigError, ObserveConfig},
    node,
    progress::Display,
};

/// Runs `config` until SIGTERM or SIGINT, then stops in an orderly way. A
/// second signal ends the process at once; the store survives that too.
///
/// # Errors
/// It cannot start, or a chain cannot go on.
pub fn until_stopped(config: Config, notes: &[String]) -> Result<(), Failure> {
    let on_terminal = io::stderr().is_terminal() && config.observe.log_file.is_none();
    let display = Display::new(on_terminal);
    start_logs(&config.observe, &display)?;
    for note in notes {
        tracing::warn!("{note}");
    }
    runtime()?.block_on(async {
        // Installed before anything starts: a signal during the start must
        // not kill a process that is opening its store.
        let mut signals = Signals::install()?;
        let mut node = tokio::select! {
            node = node::start(config) => node?,
            () = signals.next() => return Ok(()),
        };
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            grpc = %node.grpc_addr(),
            observe = %node.observe_addr(),
            "started"
        );
        let progress = node.progress();
        let failure = tokio::select! {
            failure = node.failed() => Some(failure),
            () = signals.next() => None,
            () = display.follow(progress) => None,
        };
        display.clear();
        tracing::info!("stopping; a second signal ends the process at once");
        let stopped = tokio::select! {
            stopped = node.shutdown() => stopped,
            () = signals.next() => process::exit(1),
        };
        failure.map_or(stopped, Err)
    })
}

/// A runtime for a command.
///
/// # Errors
/// The system gives no threads.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start threads: {error}")))
}

/// The signals that stop a process.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn install() -> Result<Self, Failure> {
        let install = |kind| {
            signal(kind)
                .map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))
        };
        Ok(Self {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Starts logging as configured.
fn start_logs(config: &ObserveConfig, display: &Display) -> Result<(), Failure> {
    let (level, format) = (config.log_level, config.log_format);
    let Some(path) = &config.log_file else {
        let display = display.clone();
        let colour = io::stderr().is_terminal();
        logs::start(level, format, colour, move || Beside(display.clone()), None);
        return Ok(());
    };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let file = file.map_err(|error| {
        let words = format!(
            "cannot append to {}: {error}; make its folder, or name another file",
            path.display()
        );
        ConfigError::value("observe.log-file", words)
    })?;
    logs::start(level, format, false, Mutex::new(file), None);
    Ok(())
}

/// Standard error, beside whatever the display draws there.
struct Beside(Display);

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
