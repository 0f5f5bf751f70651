//! Logs: event name plus fields, to standard error or a file.
//!
//! Only Heliostat's own events are shown below `warn`. What libraries log at
//! finer levels contains requests, peer addresses and SQL with values, so no
//! level setting turns it on. Our own events never carry payloads, addresses
//! of users, transaction ids, tokens or keys.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use serde::{Deserialize, Serialize};
use tracing::{Event, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    fmt::MakeWriter,
    layer::{Context, SubscriberExt},
    reload,
    util::SubscriberInitExt,
};

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing.
    Off,
    /// What needs somebody now.
    Error,
    /// What needs somebody soon.
    Warn,
    /// What happens, at a pace people can read.
    #[default]
    Info,
    /// Each step.
    Debug,
    /// Each step of each part.
    Trace,
}

impl Level {
    /// The level with the number that lightwalletd (logrus) gives it: 0 panic,
    /// 1 fatal, 2 error, 3 warn, 4 info, 5 debug, 6 and more trace.
    pub fn from_logrus(number: u8) -> Self {
        match number {
            0..=2 => Self::Error,
            3 => Self::Warn,
            4 => Self::Info,
            5 => Self::Debug,
            _ => Self::Trace,
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// The text is no level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotALevel(String);

impl fmt::Display for NotALevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a log level; write off, error, warn, info, debug or trace, or lightwalletd's number 1 to 7",
            self.0
        )
    }
}

impl std::error::Error for NotALevel {}

impl FromStr for Level {
    type Err = NotALevel;

    fn from_str(text: &str) -> Result<Self, NotALevel> {
        if let Ok(number) = text.parse() {
            return Ok(Self::from_logrus(number));
        }
        Ok(match text {
            "off" => Self::Off,
            "error" => Self::Error,
            "warn" => Self::Warn,
            "info" => Self::Info,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => return Err(NotALevel(text.to_owned())),
        })
    }
}

/// How an event is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Something else that sees every event and span.
pub type Extra = Box<dyn Layer<Registry> + Send + Sync>;

/// Changes how much is logged while the process runs.
pub struct Control(Box<dyn Fn(Level) + Send + Sync>);

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Control")
    }
}

impl Control {
    /// From now on this much is logged.
    pub fn set_level(&self, level: Level) {
        (self.0)(level);
    }
}

/// Which events a level shows.
fn targets(level: Level) -> Targets {
    let others = level.filter().min(LevelFilter::WARN);
    Targets::new()
        .with_default(others)
        .with_target("heliostat", level.filter())
}

/// Starts logging to `writer` for the rest of the process, with `extra`
/// listening beside it; does nothing when something else in the process logs
/// already.
pub fn start<W>(
    level: Level,
    format: Format,
    colour: bool,
    writer: W,
    extra: Option<Extra>,
) -> Control
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (targets, shown) = reload::Layer::new(targets(level));
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer = match format {
        Format::Text => layer.with_ansi(colour).with_target(false).boxed(),
        Format::Json => layer.json().flatten_event(true).boxed(),
    };
    let _ = tracing_subscriber::registry()
        .with(extra)
        .with(layer.with_filter(targets))
        .with(Counting.with_filter(LevelFilter::WARN))
        .try_init();
    Control(Box::new(move |level| {
        // It fails only when the subscriber is gone, and with it every log.
        let _ = shown.reload(self::targets(level));
    }))
}

/// The metric that counts log events.
pub(crate) const EVENTS: &str = "heliostat_log_events_total";

static ERRORS: AtomicU64 = AtomicU64::new(0);
static WARNINGS: AtomicU64 = AtomicU64::new(0);

/// Errors and warnings since the process started, by level. They belong to
/// the process, like the subscriber that sees them.
pub(crate) fn events() -> Vec<(Vec<String>, f64)> {
    let row = |level: &str, count: &AtomicU64| (vec![level.to_owned()], count.load(Relaxed) as f64);
    vec![row("error", &ERRORS), row("warn", &WARNINGS)]
}

/// Counts what needs somebody, shown or not.
struct Counting;

impl<S: Subscriber> Layer<S> for Counting {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let count = match *event.metadata().level() {
            tracing::Level::ERROR => &ERRORS,
            _ => &WARNINGS,
        };
        count.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_and_errors_are_counted_whatever_is_shown() {
        let count = |row: usize| events()[row].1;
        let (errors, warnings) = (count(0), count(1));
        let subscriber =
            tracing_subscriber::registry().with(Counting.with_filter(LevelFilter::WARN));
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!("one");
            tracing::warn!("two");
            tracing::info!("not counted");
        });
        assert_eq!((count(0), count(1)), (errors + 1.0, warnings + 1.0));
    }

    #[test]
    fn lightwalletds_numbers_are_levels() {
        let numbers = ["1", "2", "3", "4", "5", "6", "7"];
        let levels = numbers.map(|n| n.parse::<Level>().expect("a level"));
        use Level::{Debug, Error, Info, Trace, Warn};
        assert_eq!(levels, [Error, Error, Warn, Info, Debug, Trace, Trace]);
        assert!("loud".parse::<Level>().is_err());
    }
}
