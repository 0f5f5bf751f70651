//! Octez's sources file: the endpoints of light mode and how many of them
//! must agree. Limits and words are those of `octez-client --mode light`, so
//! that scripts which match them keep working.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

/// What an operator sees when the file is missing from the command line.
pub const EXAMPLE: &str =
    r#"{"min_agreement": 1.0, "uris": ["http://localhost:8732", "https://localhost:8733"]}"#;

/// The share of endpoints that must agree when the file does not say.
pub const DEFAULT_AGREEMENT: f64 = 1.0;

/// The content of a sources file.
#[derive(Clone, Debug, PartialEq)]
pub struct Sources {
    /// The share of endpoints that must agree: above 0, at most 1.
    pub min_agreement: f64,
    /// The endpoints in the order of the file: at least two, duplicates
    /// counted.
    pub uris: Vec<String>,
}

/// Why a sources file, or its use on the command line, is refused.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// Not above 0 and at most 1.
    #[error(
        "min_agreement value must be within 0 (exclusive) and 1 (inclusive) but you provided {0:.6}"
    )]
    MinAgreement(f64),
    /// One endpoint or none.
    #[error(
        "A minimum of 2 endpoints is required in Light mode: one endpoint to retrieve data and one to validate data. You only provided {}",
        .0.join(" ")
    )]
    TooFew(Vec<String>),
    /// The file cannot be opened.
    #[error("Can't read the file specified by --sources: {path}: {why}")]
    Read {
        /// The file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// The file is no JSON.
    #[error("Can't parse the file specified by --sources as JSON: {path}\n{why}")]
    Json {
        /// The file.
        path: String,
        /// Where and why.
        why: String,
    },
    /// The file is JSON of another shape.
    #[error("Can't parse the file specified by --sources: {path}\n{why}")]
    Shape {
        /// The file.
        path: String,
        /// Where and why.
        why: String,
    },
    /// `--sources` beside a mode that has no use for it.
    #[error("--sources is specific to --mode light, please do not specify it with --mode {mode}.")]
    OtherMode {
        /// The mode that was asked for.
        mode: String,
    },
    /// `--mode light` alone.
    #[error("--mode light requires passing --sources. Example --sources file: {EXAMPLE}")]
    Missing,
    /// The main endpoint is none of the sources.
    #[error(
        "Value of --endpoint is {endpoint}. Therefore, this URI MUST be in field 'uris' of --sources (whose value is: [{}]). If you did not specify --endpoint, it is being defaulted; you may hereby specify --endpoint {} to fix this error.",
        quoted(.uris), .uris.first().map_or("", String::as_str)
    )]
    EndpointNotListed {
        /// The main endpoint.
        endpoint: String,
        /// The sources.
        uris: Vec<String>,
    },
}

fn quoted(uris: &[String]) -> String {
    let one = |uri: &String| format!("\"{uri}\"");
    uris.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The file as written: these two fields and no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    min_agreement: Option<f64>,
    uris: Vec<String>,
}

impl Sources {
    /// Checks the two limits.
    pub fn new(min_agreement: f64, uris: Vec<String>) -> Result<Self, SourcesError> {
        // Written so that a value which is no number is out of range as well.
        if !(min_agreement > 0.0 && min_agreement <= 1.0) {
            return Err(SourcesError::MinAgreement(min_agreement));
        }
        if uris.len() < 2 {
            return Err(SourcesError::TooFew(uris));
        }
        Ok(Self {
            min_agreement,
            uris,
        })
    }

    /// Reads the text of a file; `path` is for the words of an error.
    pub fn parse(text: &str, path: &str) -> Result<Self, SourcesError> {
        let json: serde_json::Value =
            serde_json::from_str(text).map_err(|error| SourcesError::Json {
                path: path.to_owned(),
                why: error.to_string(),
            })?;
        let written: Written =
            serde_json::from_value(json).map_err(|error| SourcesError::Shape {
                path: path.to_owned(),
                why: error.to_string(),
            })?;
        Self::new(
            written.min_agreement.unwrap_or(DEFAULT_AGREEMENT),
            written.uris,
        )
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, SourcesError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| SourcesError::Read {
            path: shown.clone(),
            why: error.to_string(),
        })?;
        Self::parse(&text, &shown)
    }

    /// The main endpoint must be one of the sources. The comparison is exact:
    /// `localhost` is not `127.0.0.1`, and a trailing slash matters.
    pub fn check_endpoint(&self, endpoint: &str) -> Result<(), SourcesError> {
        if self.uris.iter().any(|uri| uri == endpoint) {
            return Ok(());
        }
        Err(SourcesError::EndpointNotListed {
            endpoint: endpoint.to_owned(),
            uris: self.uris.clone(),
        })
    }

    /// A warning when an endpoint is named more than once, which gives it more
    /// than one vote.
    pub fn duplicates(&self) -> Option<String> {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for uri in &self.uris {
            *times.entry(uri).or_default() += 1;
        }
        let told: Vec<_> = times
            .iter()
            .filter(|(_, times)| **times > 1)
            .map(|(uri, times)| format!("{uri} ({times} occurrences)"))
            .collect();
        (!told.is_empty()).then(|| {
            format!(
                "The following URIs are duplicated in the light mode --sources argument (this will increase their weight in the consensus check). If this is not intentional, please fix your configuration: [{}]",
                told.join("; ")
            )
        })
    }
}

/// Checks `--sources` against `--mode`: light needs it, the others refuse it.
pub fn check_mode(mode: &str, has_sources: bool) -> Result<(), SourcesError> {
    match (mode, has_sources) {
        ("light", false) => Err(SourcesError::Missing),
        ("light", true) | (_, false) => Ok(()),
        (other, true) => Err(SourcesError::OtherMode {
            mode: other.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
