//! OTLP over HTTP: a message of protobuf in the body of a POST (OpenTelemetry
//! Protocol specification, "OTLP/HTTP").

use std::fmt;

use opentelemetry_proto::{
    tonic::collector::trace::v1::ExportTraceServiceRequest,
    transform::{
        common::tonic::ResourceAttributesWithSchema,
        trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};
use prost::Message;
use reqwest::{Client, header, redirect};
use tokio::runtime::Handle;

use super::{OtlpError, to};
use crate::defaults::OTLP_TIMEOUT;

/// Where metrics go, below the endpoint.
pub(super) const METRICS: &str = "v1/metrics";
/// Where spans go, below the endpoint.
const TRACES: &str = "v1/traces";
/// What the specification calls protobuf.
const PROTOBUF: &str = "application/x-protobuf";

/// Sends messages to one collector; clones share its connections.
#[derive(Clone)]
pub(super) struct Poster {
    client: Client,
    endpoint: String,
    /// Spans are sent from a thread that is not the runtime's.
    runtime: Handle,
}

impl Poster {
    /// Connects to nobody yet.
    ///
    /// # Errors
    /// The address is none.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn to(endpoint: &str) -> Result<Self, OtlpError> {
        // The same rules as for gRPC.
        to(endpoint)?;
        let client = Client::builder();
        let client = match endpoint.starts_with("https://") {
            true => client,
            // Small containers have no authorities, and plain HTTP needs none.
            false => client.tls_certs_only([]),
        };
        let client = client
            .timeout(OTLP_TIMEOUT)
            .connect_timeout(OTLP_TIMEOUT)
            // Telemetry goes where the operator said, or nowhere.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| OtlpError::Exporter {
                endpoint: endpoint.to_owned(),
                reason: words(&error),
            })?;
        Ok(Self {
            client,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            runtime: Handle::current(),
        })
    }

    /// Sends one message. What the collector answers beyond its status is not
    /// read: it could only say that it kept a part, and nothing is sent twice.
    ///
    /// # Errors
    /// Nobody answers, or with anything but success; in words.
    pub async fn post(&self, path: &str, message: &impl Message) -> Result<(), String> {
        let request = self
            .client
            .post(format!("{}/{path}", self.endpoint))
            .header(header::CONTENT_TYPE, PROTOBUF)
            .body(message.encode_to_vec());
        let sent = async move { request.send().await.map(|reply| reply.status()) };
        match self.runtime.spawn(sent).await {
            Ok(Ok(status)) if status.is_success() => Ok(()),
            Ok(Ok(status)) => Err(format!("HTTP {status}")),
            Ok(Err(error)) => Err(words(&error)),
            Err(error) => Err(format!("the process is stopping ({error})")),
        }
    }
}

impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The endpoint may have credentials in it.
        f.write_str("Poster")
    }
}

/// The innermost cause, which a person can act on, without the address: the
/// log line names it.
fn words(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Sends spans.
#[derive(Debug)]
pub(super) struct Exporter {
    poster: Poster,
    resource: ResourceAttributesWithSchema,
}

impl Exporter {
    pub fn over(poster: Poster) -> Self {
        Self {
            poster,
            resource: ResourceAttributesWithSchema::default(),
        }
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let request = ExportTraceServiceRequest {
            resource_spans: group_spans_by_resource_and_scope(batch, &self.resource),
        };
        let sent = self.poster.post(TRACES, &request).await;
        sent.map_err(OTelSdkError::InternalFailure)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}
