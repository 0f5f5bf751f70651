//! `heliostat zcash` and `heliostat run`: a node until a signal.

use std::{
    fs::OpenOptions,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    pin::pin,
    process,
    sync::{Arc, Mutex},
};

use heliostat_observe::{
    logs::{self, Control, Extra},
    systemd::Notify,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    cli::exit::Failure,
    config::{Config, ConfigError, ObserveConfig},
    node,
    progress::Display,
    reload::Reload,
    telemetry,
};

/// Runs `config` until SIGTERM or SIGINT, then stops in an orderly way. A
/// second signal ends the process at once; the store survives that too. SIGHUP
/// takes over what can be without a restart.
///
/// # Errors
/// It cannot start, or a chain cannot go on.
pub fn until_stopped(config: Config, notes: &[String]) -> Result<(), Failure> {
    until(config, None, notes)
}

/// The same with the configuration of `file`, which SIGHUP reads again.
///
/// # Errors
/// The file makes no sense, or see [`until_stopped`].
pub fn file(file: PathBuf) -> Result<(), Failure> {
    until(Config::load(&file)?, Some(file), &[])
}

fn until(config: Config, file: Option<PathBuf>, notes: &[String]) -> Result<(), Failure> {
    let on_terminal = io::stderr().is_terminal() && config.observe.log_file.is_none();
    let display = Display::new(on_terminal);
    let runtime = runtime()?;
    // The collector's connection lives on the runtime, and its spans come
    // through the logs.
    let (telemetry, extra) = {
        let _within = runtime.enter();
        telemetry::open(&config.observe)?
    };
    let logs = start_logs(&config.observe, &display, extra)?;
    for note in notes {
        tracing::warn!("{note}");
    }
    match heliostat_allocator::outcome() {
        Some(Ok(())) => tracing::debug!("the allocator gives freed memory back to the system"),
        Some(Err(why)) => tracing::debug!("the allocator is left as it is: {why}"),
        None => {}
    }
    runtime.block_on(async {
        // Installed before anything starts: a signal during the start must
        // not kill a process that is opening its store.
        let mut signals = Signals::install()?;
        let mut hang_up = install(SignalKind::hangup())?;
        let running = config.clone();
        let mut node = tokio::select! {
            node = node::start(config) => node?,
            () = signals.next() => return Ok(()),
        };
        let manager = ServiceManager::begin(&node);
        let sending = telemetry.begin(node.subject(), node.metrics());
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            grpc = node.addr_of("zcash").map(tracing::field::display),
            rpc = node.addr_of("tezos").map(tracing::field::display),
            observe = %node.observe_addr(),
            "started"
        );
        let mut reload = Reload {
            file,
            running,
            logs,
            doors: node.doors(),
            chains: node.chains().to_vec(),
        };
        let progress = node.progress();
        let mut shown = pin!(display.follow(progress));
        let failure = loop {
            tokio::select! {
                failure = node.failed() => break Some(failure),
                () = signals.next() => break None,
                () = shown.as_mut() => break None,
                _ = hang_up.recv() => manager.while_reloading(reload.now()).await,
            }
        };
        manager.stopping();
        display.clear();
        tracing::info!("stopping; a second signal ends the process at once");
        let stopped = async {
            let stopped = node.shutdown().await;
            sending.end().await;
            stopped
        };
        let stopped = tokio::select! {
            stopped = stopped => stopped,
            () = signals.next() => process::exit(1),
        };
        failure.map_or(stopped, Err)
    })
}

/// The service manager, where there is one that wants to be told.
struct ServiceManager(Option<(Arc<Notify>, AbortOnDropHandle<()>)>);

impl ServiceManager {
    /// Tells it that everything is up, and from now on what is going on.
    fn begin(node: &node::RunningNode) -> Self {
        let notify = Notify::from_env().unwrap_or_else(|error| {
            tracing::warn!(%error, "the service manager cannot be told anything");
            None
        });
        Self(notify.map(|notify| {
            let notify = Arc::new(notify);
            notify.ready();
            let telling = Arc::clone(&notify).run(node.subject(), CancellationToken::new());
            (notify, AbortOnDropHandle::new(tokio::spawn(telling)))
        }))
    }

    async fn while_reloading(&self, reload: impl Future<Output = ()>) {
        if let Some((notify, _)) = &self.0 {
            notify.reloading();
        }
        reload.await;
        if let Some((notify, _)) = &self.0 {
            notify.ready();
        }
    }

    fn stopping(&self) {
        if let Some((notify, _)) = &self.0 {
            notify.stopping();
        }
    }
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

fn install(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))
}

/// Starts logging as configured.
fn start_logs(
    config: &ObserveConfig,
    display: &Display,
    extra: Option<Extra>,
) -> Result<Control, Failure> {
    let (level, format) = (config.log_level, config.log_format);
    let Some(path) = &config.log_file else {
        let display = display.clone();
        let colour = io::stderr().is_terminal();
        let writer = move || Beside(display.clone());
        return Ok(logs::start(level, format, colour, writer, extra));
    };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let file = file.map_err(|error| {
        let words = format!(
            "cannot append to {}: {error}; make its folder, or name another file",
            path.display()
        );
        ConfigError::value("observe.log-file", words)
    })?;
    Ok(logs::start(level, format, false, Mutex::new(file), extra))
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
