//! What is sent to a collector, where the configuration names one.

use std::sync::Arc;

#[cfg(feature = "otlp")]
use crate::config::OtlpProtocol;
#[cfg(feature = "otlp")]
use heliostat_observe::otlp::{Options, Otlp, Protocol};
use heliostat_observe::{Metrics, Subject, logs::Extra};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{ConfigError, ObserveConfig, OtlpConfig};

/// The way to the collector; none where none is configured.
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    otlp: Option<Otlp>,
}

/// Checks the settings; sends nothing.
///
/// # Errors
/// A setting that makes no sense, or that this build cannot serve.
pub fn validate(config: &OtlpConfig) -> Result<(), ConfigError> {
    let Some(endpoint) = &config.endpoint else {
        return Ok(());
    };
    check(endpoint).map_err(|words| ConfigError::value("observe.otlp.endpoint", words))?;
    if config.interval_seconds == 0 {
        let words = "0 makes no sense; metrics are sent at least a second apart";
        return Err(ConfigError::value("observe.otlp.interval-seconds", words));
    }
    if !(0.0..=1.0).contains(&config.sample) {
        let words = format!("{} is no share; write a number from 0 to 1", config.sample);
        return Err(ConfigError::value("observe.otlp.sample", words));
    }
    Ok(())
}

#[cfg(feature = "otlp")]
fn check(endpoint: &str) -> Result<(), String> {
    heliostat_observe::otlp::check(endpoint).map_err(|error| error.to_string())
}

#[cfg(not(feature = "otlp"))]
fn check(_: &str) -> Result<(), String> {
    Err("this build cannot send telemetry; build it with the feature otlp".to_owned())
}

/// Prepares what is sent; connects to nobody yet. The layer is for the logs,
/// which see the spans.
///
/// # Errors
/// As [`validate`].
///
/// # Panics
/// Outside of a tokio runtime.
#[cfg(feature = "otlp")]
pub fn open(config: &ObserveConfig) -> Result<(Telemetry, Option<Extra>), ConfigError> {
    let Some(endpoint) = &config.otlp.endpoint else {
        return Ok((Telemetry { otlp: None }, None));
    };
    let options = Options {
        endpoint: endpoint.clone(),
        protocol: match config.otlp.protocol {
            OtlpProtocol::Grpc => Protocol::Grpc,
            OtlpProtocol::Http => Protocol::Http,
        },
        interval: std::time::Duration::from_secs(config.otlp.interval_seconds),
        sample: config.otlp.sample,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let (otlp, extra) = Otlp::open(options)
        .map_err(|error| ConfigError::value("observe.otlp.endpoint", error.to_string()))?;
    Ok((Telemetry { otlp: Some(otlp) }, Some(extra)))
}

/// Nothing is sent by this build.
///
/// # Errors
/// As [`validate`].
#[cfg(not(feature = "otlp"))]
pub fn open(config: &ObserveConfig) -> Result<(Telemetry, Option<Extra>), ConfigError> {
    validate(&config.otlp)?;
    Ok((Telemetry {}, None))
}

impl Telemetry {
    /// Sends from now on what `subject` does.
    pub fn begin(self, subject: Arc<dyn Subject>, metrics: Arc<Metrics>) -> Sending {
        let stop = CancellationToken::new();
        #[cfg(feature = "otlp")]
        let task = self
            .otlp
            .map(|otlp| tokio::spawn(otlp.run(subject, metrics, stop.clone())));
        #[cfg(not(feature = "otlp"))]
        let task = {
            let _ = (subject, metrics);
            None
        };
        Sending { stop, task }
    }
}

/// Telemetry on its way.
pub struct Sending {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Sending {
    /// Sends the last of it; bounded in time.
    pub async fn end(self) {
        self.stop.cancel();
        if let Some(task) = self.task {
            let _ = task.await;
        }
    }
}
