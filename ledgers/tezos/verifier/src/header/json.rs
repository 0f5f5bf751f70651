//! The JSON forms of a header that a node serves, written and read.
//!
//! | RPC | form |
//! |---|---|
//! | `/header` | protocol, chain_id, hash, shell fields, protocol data fields |
//! | `/header/shell` | shell fields |
//! | `/header/protocol_data` | protocol, protocol data fields |
//! | `/header/raw`, `/header/protocol_data/raw` | one hex text |
//! | `/monitor/heads` | hash, shell fields, protocol_data in hex |

use serde_json::{Map, Value, json};

use super::contents::{Contents, LiquidityBakingVote, Votes};
use super::{Header, time};
use crate::error::Error;
use crate::fitness::RawFitness;
use crate::hashes::{ChainId, ProtocolHash};
use crate::protocols::{Layout, Protocol};

/// The layout of a protocol's header, or the error that says it is unknown.
fn layout(protocol: &ProtocolHash) -> Result<Layout, Error> {
    Protocol::of(protocol)
        .map(|known| known.layout)
        .ok_or_else(|| Error::UnknownProtocol {
            protocol: protocol.to_string(),
        })
}

impl Header {
    /// `/header/shell`.
    pub fn shell_json(&self) -> Value {
        Value::Object(self.shell_fields())
    }

    /// `/header`, for a block of `protocol` on `chain`. Fails where the
    /// protocol's layout is unknown: [`Header::heads_json`] needs none.
    pub fn json(&self, chain: &ChainId, protocol: &ProtocolHash) -> Result<Value, Error> {
        let mut fields = Map::new();
        fields.insert("protocol".into(), json!(protocol));
        fields.insert("chain_id".into(), json!(chain));
        fields.insert("hash".into(), json!(self.hash()));
        fields.append(&mut self.shell_fields());
        fields.append(&mut self.contents()?.fields(layout(protocol)?)?);
        Ok(Value::Object(fields))
    }

    /// `/header/protocol_data`, for a block of `protocol`.
    pub fn protocol_data_json(&self, protocol: &ProtocolHash) -> Result<Value, Error> {
        let mut fields = Map::new();
        fields.insert("protocol".into(), json!(protocol));
        fields.append(&mut self.contents()?.fields(layout(protocol)?)?);
        Ok(Value::Object(fields))
    }

    /// One line of `/monitor/heads`: works for every protocol.
    pub fn heads_json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("hash".into(), json!(self.hash()));
        fields.append(&mut self.shell_fields());
        fields.insert(
            "protocol_data".into(),
            json!(hex::encode(&self.protocol_data)),
        );
        Value::Object(fields)
    }

    /// `/header/raw`, without the quotes.
    pub fn raw_hex(&self) -> String {
        hex::encode(self.encode())
    }

    /// `/header/protocol_data/raw`, without the quotes.
    pub fn protocol_data_hex(&self) -> String {
        hex::encode(&self.protocol_data)
    }

    /// Reads the text of `/header/raw`.
    pub fn from_raw_hex(text: &str) -> Result<Self, Error> {
        let bytes = hex::decode(text)
            .map_err(|_| Error::value("raw header", text, "hexadecimal digits"))?;
        Self::decode(&bytes)
    }

    /// Reads `/header` or a line of `/monitor/heads` back into the header's
    /// bytes, whose hash then shows whether the JSON told the truth. What the
    /// JSON says of hash and chain is not looked at. `/header` needs its
    /// protocol's layout to be known; protocol data in hex needs nothing.
    pub fn from_json(json: &Value) -> Result<Self, Error> {
        let protocol_data = match json.get("protocol_data") {
            Some(raw) => bytes(raw, "protocol_data")?,
            None => {
                let protocol: ProtocolHash = parse(json, "protocol")?;
                Contents::from_fields(json, layout(&protocol)?)?.encode()
            }
        };
        let items = json.get("fitness").and_then(Value::as_array);
        let items = items.ok_or(Error::Json {
            field: "fitness",
            expected: "a list",
        })?;
        let fitness = items
            .iter()
            .map(|item| bytes(item, "fitness"))
            .collect::<Result<_, _>>()?;
        let header = Self {
            level: number(json, "level")?,
            proto: number(json, "proto")?,
            predecessor: parse(json, "predecessor")?,
            timestamp: time::read(text(json, "timestamp")?)?,
            validation_passes: number(json, "validation_pass")?,
            operations_hash: parse(json, "operations_hash")?,
            fitness: RawFitness(fitness),
            context: parse(json, "context")?,
            protocol_data,
        };
        // One set of limits, for JSON and for bytes.
        Self::decode(&header.encode())
    }

    fn shell_fields(&self) -> Map<String, Value> {
        let fitness: Vec<String> = self.fitness.0.iter().map(hex::encode).collect();
        let mut fields = Map::new();
        fields.insert("level".into(), json!(self.level));
        fields.insert("proto".into(), json!(self.proto));
        fields.insert("predecessor".into(), json!(self.predecessor));
        fields.insert("timestamp".into(), json!(time::write(self.timestamp)));
        fields.insert("validation_pass".into(), json!(self.validation_passes));
        fields.insert("operations_hash".into(), json!(self.operations_hash));
        fields.insert("fitness".into(), json!(fitness));
        fields.insert("context".into(), json!(self.context));
        fields
    }
}

impl Contents {
    fn fields(&self, layout: Layout) -> Result<Map<String, Value>, Error> {
        let mut fields = Map::new();
        fields.insert("payload_hash".into(), json!(self.payload_hash));
        fields.insert("payload_round".into(), json!(self.payload_round));
        let nonce = hex::encode(self.proof_of_work_nonce);
        fields.insert("proof_of_work_nonce".into(), json!(nonce));
        if let Some(hash) = &self.seed_nonce_hash {
            fields.insert("seed_nonce_hash".into(), json!(hash));
        }
        match Votes::read(self.votes, layout)? {
            Votes::Escape(escape) => {
                fields.insert("liquidity_baking_escape_vote".into(), json!(escape));
            }
            Votes::Toggle(toggle) => {
                fields.insert(
                    "liquidity_baking_toggle_vote".into(),
                    json!(toggle.as_str()),
                );
            }
            Votes::Both(toggle, issuance) => {
                fields.insert(
                    "liquidity_baking_toggle_vote".into(),
                    json!(toggle.as_str()),
                );
                fields.insert("adaptive_issuance_vote".into(), json!(issuance.as_str()));
            }
        }
        fields.insert("signature".into(), json!(self.signature));
        Ok(fields)
    }

    fn from_fields(json: &Value, layout: Layout) -> Result<Self, Error> {
        let vote = |field| {
            let word = text(json, field)?;
            LiquidityBakingVote::of_str(word)
                .ok_or_else(|| Error::value(field, word, "on, off or pass"))
        };
        let votes = match layout {
            Layout::EscapeVote => {
                let field = "liquidity_baking_escape_vote";
                let escape = json.get(field).and_then(Value::as_bool);
                Votes::Escape(escape.ok_or(Error::Json {
                    field,
                    expected: "a boolean",
                })?)
            }
            Layout::ToggleVote => Votes::Toggle(vote("liquidity_baking_toggle_vote")?),
            Layout::AdaptiveIssuance => Votes::Both(
                vote("liquidity_baking_toggle_vote")?,
                vote("adaptive_issuance_vote")?,
            ),
        };
        let nonce = bytes(
            json.get("proof_of_work_nonce").unwrap_or(&Value::Null),
            "proof_of_work_nonce",
        )?;
        let wrong = |_| Error::value("proof_of_work_nonce", hex::encode(&nonce), "eight bytes");
        Ok(Self {
            payload_hash: parse(json, "payload_hash")?,
            payload_round: number(json, "payload_round")?,
            proof_of_work_nonce: nonce.as_slice().try_into().map_err(wrong)?,
            seed_nonce_hash: match json.get("seed_nonce_hash") {
                None => None,
                Some(_) => Some(parse(json, "seed_nonce_hash")?),
            },
            votes: votes.byte(),
            signature: parse(json, "signature")?,
        })
    }
}

/// A field that is a text.
fn text<'a>(json: &'a Value, field: &'static str) -> Result<&'a str, Error> {
    json.get(field).and_then(Value::as_str).ok_or(Error::Json {
        field,
        expected: "a text",
    })
}

/// A field that is a base58check text.
fn parse<T>(json: &Value, field: &'static str) -> Result<T, Error>
where
    T: std::str::FromStr<Err = heliostat_tezos_context::base58::Base58Error>,
{
    text(json, field)?
        .parse::<T>()
        .map_err(|error| Error::Base58 {
            what: field,
            reason: error.to_string(),
        })
}

/// A field that is a number of the given type.
fn number<T: TryFrom<i64>>(json: &Value, field: &'static str) -> Result<T, Error> {
    json.get(field)
        .and_then(Value::as_i64)
        .and_then(|value| T::try_from(value).ok())
        .ok_or(Error::Json {
            field,
            expected: "a number in its range",
        })
}

/// A value that is a text of hexadecimal digits.
fn bytes(value: &Value, field: &'static str) -> Result<Vec<u8>, Error> {
    value
        .as_str()
        .and_then(|text| hex::decode(text).ok())
        .ok_or(Error::Json {
            field,
            expected: "a text of hexadecimal digits",
        })
}
