//! What an operator sees of a running node: metrics, health and status over
//! HTTP, and logs.
//!
//! The process that runs the chains implements [`Subject`]; everything here
//! asks it. [`router`] serves:
//!
//! | path | answer |
//! |---|---|
//! | `/` | the dashboard, with its files beside it |
//! | `/events` | what the dashboard lives on: server-sent events with the status and samples |
//! | `/livez` | 200 while the process answers at all |
//! | `/readyz` | 200 when every chain is fresh and served, else 503; both list the reasons as JSON |
//! | `/status` | [`Status`] as JSON: what `heliostat status` prints |
//! | `/history` | the last hour as JSON, a list of [`history::Sample`]; `?from=N` leaves out older ones |
//! | `/evidence` | every proof of a lie in full, bytes in hex |
//! | `/evidence/one` | one of them, cut to what a page shows: `?chain=NAME&nth=N&bytes=N` |
//! | `/metrics` | the metrics of [`metrics::METRICS`], OpenMetrics text |
//!
//! | module | what it holds |
//! |---|---|
//! | [`status`] | [`Status`] and its parts |
//! | [`metrics`] | [`Metrics`]: every metric name and what it means |
//! | [`requests`] | [`Requests`]: the layer that counts answers by method, code and grade |
//! | [`history`] | the last hour, in a ring of samples |
//! | [`news`] | what `/events` tells |
//! | [`evidence`] | one finding, cut to what a page shows |
//! | [`http`](mod@http) | the router |
//! | `live` | what the handlers share |
//! | `dashboard` | the page and its events |
//! | [`logs`] | levels, formats, and what never reaches a log |
//! | `otlp` | traces and metrics, sent to a collector; with the feature of this name |
//! | [`systemd`] | what the service manager is told |
//! | [`defaults`] | every limit and time-out, with its reason |

mod dashboard;
pub mod defaults;
pub mod evidence;
pub mod history;
pub mod http;
mod live;
pub mod logs;
pub mod metrics;
pub mod news;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod requests;
pub mod status;
pub mod systemd;

pub use http::{router, router_until};
pub use metrics::Metrics;
pub use news::News;
pub use requests::Requests;
pub use status::{
    ChainStatus, Disagreement, DoorStatus, Finding, Head, ProcessStatus, Status, StoreStatus,
    UpstreamStatus,
};

use futures::future::BoxFuture;

/// The running process, as far as an operator asks it.
pub trait Subject: Send + Sync + 'static {
    /// Everything the process knows of itself now. Answers at once: a store
    /// or upstream that hangs is reported, not waited for.
    fn status(&self) -> BoxFuture<'_, Status>;

    /// Every proof of a lie kept so far, as a JSON array, bytes in hex.
    fn evidence(&self) -> BoxFuture<'_, serde_json::Value>;
}
