//! Traces and metrics, sent to a collector over OTLP: gRPC, or protobuf over
//! HTTP.
//!
//! Metrics are the scraped ones under the same names; counters go without
//! `_total`, which collectors that feed Prometheus add again. Spans are the
//! answers to clients: method, chain, code and grade, never what was asked.
//! Whether an answer is traced is decided here and by chance alone: a trace
//! context sent by a client is not read, so that nobody outside can make this
//! process send.
//!
//! A collector that is away costs nothing but a line in the log: spans beyond
//! the queue are dropped, and metrics are sent whole each time.

mod convert;
mod http;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithTonicConfig as _};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient,
};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tracing_subscriber::{Layer, filter::filter_fn};

use crate::{
    Metrics, Subject,
    defaults::{OTLP_SPAN_DELAY, OTLP_SPANS, OTLP_TIMEOUT},
    live::full_status,
    logs::Extra,
    metrics::samples,
};

/// What this process is called at the collector.
const SERVICE: &str = "heliostat";

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over gRPC, by custom on port 4317.
    #[default]
    Grpc,
    /// OTLP as protobuf over HTTP, by custom on port 4318. `/v1/metrics` and
    /// `/v1/traces` are added to the endpoint.
    Http,
}

/// Where to send, and how much.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The collector: `http://127.0.0.1:4317`, or `https://…`.
    pub endpoint: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// The time between two pushes of the metrics.
    pub interval: Duration,
    /// The share of answers that are traced, 0 to 1.
    pub sample: f64,
    /// The release that runs.
    pub version: String,
}

/// The collector cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The address is none.
    #[error(
        "{endpoint:?} is not a collector's address ({reason}); write http://HOST:4317, or :4318 for HTTP"
    )]
    Address {
        /// The address.
        endpoint: String,
        /// Why.
        reason: String,
    },
    /// The exporter could not be made.
    #[error("cannot export to {endpoint}: {reason}")]
    Exporter {
        /// The address.
        endpoint: String,
        /// Why.
        reason: String,
    },
}

/// What carries the messages; clones share connections.
#[derive(Clone, Debug)]
enum Link {
    Grpc(Channel),
    Http(http::Poster),
}

/// The way to one collector.
pub struct Otlp {
    link: Link,
    provider: SdkTracerProvider,
    options: Options,
    started: SystemTime,
}

impl Otlp {
    /// Prepares everything and connects to nobody yet. The layer is for
    /// [`logs::start`](crate::logs::start).
    ///
    /// # Errors
    /// The address is none.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open(options: Options) -> Result<(Self, Extra), OtlpError> {
        let link = Link::to(&options.endpoint, options.protocol)?;
        let resource = Resource::builder_empty()
            .with_service_name(SERVICE)
            .with_attribute(KeyValue::new("service.version", options.version.clone()))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(link.processor(&options.endpoint)?)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                options.sample,
            ))))
            .with_resource(resource)
            .build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_filter(filter_fn(|metadata| {
                metadata.is_span() && metadata.target().starts_with("heliostat")
            }));
        let otlp = Self {
            link,
            provider,
            options,
            started: SystemTime::now(),
        };
        Ok((otlp, layer.boxed()))
    }

    /// Sends the metrics of `subject` at the configured interval, and once
    /// more at `stop`; then what is left of the spans.
    pub async fn run(
        self,
        subject: Arc<dyn Subject>,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
    ) {
        let mut ticks = time::interval(self.options.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut away = false;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let pushed = self.push(&*subject, &metrics).await;
            match &pushed {
                Err(why) if !away => {
                    let collector = &self.options.endpoint;
                    tracing::warn!(collector, "telemetry cannot be sent: {why}");
                }
                Ok(()) if away => tracing::info!("telemetry is sent again"),
                _ => {}
            }
            away = pushed.is_err();
        }
        // The last numbers count most to whoever looks for why it stopped.
        let _ = self.push(&*subject, &metrics).await;
        let provider = self.provider;
        // Its own thread sends, and needs this runtime meanwhile.
        let flush = move || provider.shutdown_with_timeout(OTLP_TIMEOUT);
        let _ = tokio::task::spawn_blocking(flush).await;
    }

    /// Sends every metric once.
    async fn push(&self, subject: &dyn Subject, metrics: &Metrics) -> Result<(), String> {
        let text = metrics.scrape(Arc::new(full_status(subject).await));
        let now = nanos(SystemTime::now());
        let request = convert::request(
            &samples::read(&text),
            &convert::Frame {
                service: SERVICE,
                version: &self.options.version,
                // The clock may have been set back since.
                started: nanos(self.started).min(now),
                now,
            },
        );
        match time::timeout(OTLP_TIMEOUT, self.link.metrics(request)).await {
            Ok(done) => done,
            Err(_) => Err(format!("no answer within {} s", OTLP_TIMEOUT.as_secs())),
        }
    }
}

impl Link {
    /// Connects to nobody yet.
    fn to(endpoint: &str, protocol: Protocol) -> Result<Self, OtlpError> {
        Ok(match protocol {
            // A connection that is made when it is first used, and again
            // whenever it broke.
            Protocol::Grpc => Self::Grpc(to(endpoint)?.connect_lazy()),
            Protocol::Http => Self::Http(http::Poster::to(endpoint)?),
        })
    }

    /// Collects spans, and sends them from a thread of its own.
    fn processor(&self, endpoint: &str) -> Result<BatchSpanProcessor, OtlpError> {
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(OTLP_SPANS)
            .with_max_export_batch_size(OTLP_SPANS / 4)
            .with_scheduled_delay(OTLP_SPAN_DELAY)
            .build();
        let channel = match self {
            Self::Grpc(channel) => channel.clone(),
            Self::Http(poster) => {
                let exporter = http::Exporter::over(poster.clone());
                let processor = BatchSpanProcessor::builder(exporter);
                return Ok(processor.with_batch_config(batches).build());
            }
        };
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_channel(channel)
            .build()
            .map_err(|error| OtlpError::Exporter {
                endpoint: endpoint.to_owned(),
                reason: error.to_string(),
            })?;
        let processor = BatchSpanProcessor::builder(exporter);
        Ok(processor.with_batch_config(batches).build())
    }

    async fn metrics(&self, request: ExportMetricsServiceRequest) -> Result<(), String> {
        match self {
            Self::Grpc(channel) => {
                let mut client = MetricsServiceClient::new(channel.clone());
                let done = client.export(request).await;
                done.map(drop)
                    .map_err(|status| format!("{}: {}", status.code(), status.message()))
            }
            Self::Http(poster) => poster.post(http::METRICS, &request).await,
        }
    }
}

/// Whether a collector can be at `endpoint`; asks nobody.
///
/// # Errors
/// The address is none.
pub fn check(endpoint: &str) -> Result<(), OtlpError> {
    to(endpoint).map(|_| ())
}

fn to(endpoint: &str) -> Result<Endpoint, OtlpError> {
    let address = |reason: String| OtlpError::Address {
        endpoint: endpoint.to_owned(),
        reason,
    };
    let https = endpoint.starts_with("https://");
    if !https && !endpoint.starts_with("http://") {
        return Err(address(
            "it begins with neither http:// nor https://".into(),
        ));
    }
    let words = |error: tonic::transport::Error| address(error.to_string());
    let mut to = Endpoint::from_shared(endpoint.to_owned())
        .map_err(words)?
        .connect_timeout(OTLP_TIMEOUT)
        .timeout(OTLP_TIMEOUT);
    if https {
        let tls = ClientTlsConfig::new().with_native_roots();
        to = to.tls_config(tls).map_err(words)?;
    }
    Ok(to)
}

/// Nanoseconds since the Unix epoch.
fn nanos(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}
