//! The JSON of what accounts send, written and read.

use heliostat_tezos_protocol::micheline::json as micheline;
use serde_json::{Value, json};

use super::{Call, Manager, What};

impl Manager {
    /// The JSON in an operation's `contents`, without its metadata.
    pub fn json(&self) -> Value {
        let mut object = json!({
            "kind": self.kind(),
            "source": self.source.to_string(),
            "fee": self.fee.to_string(),
            "counter": self.counter.to_string(),
            "gas_limit": self.gas.to_string(),
            "storage_limit": self.storage.to_string(),
        });
        match &self.what {
            What::Reveal { key, proof } => {
                object["public_key"] = json!(key);
                if let Some(proof) = proof {
                    object["proof"] = json!(proof);
                }
            }
            What::Transfer { amount, to, call } => {
                object["amount"] = json!(amount.to_string());
                object["destination"] = json!(to.to_string());
                if let Some(call) = call {
                    let value: Value = serde_json::from_str(&micheline::write(&call.value))
                        .expect("JSON, because it was just written");
                    object["parameters"] = json!({
                        "entrypoint": call.entrypoint,
                        "value": value,
                    });
                }
            }
            What::Delegate(None) => (),
            What::Delegate(Some(delegate)) => object["delegate"] = json!(delegate.to_string()),
        }
        object
    }

    fn kind(&self) -> &'static str {
        match self.what {
            What::Reveal { .. } => "reveal",
            What::Transfer { .. } => "transaction",
            What::Delegate(_) => "delegation",
        }
    }

    /// Reads that JSON; in words, what is wrong with it.
    pub fn from_json(json: &Value) -> Result<Self, String> {
        let text = |name: &str| {
            let value = json.get(name).and_then(Value::as_str);
            value.ok_or_else(|| format!("{name} is no text"))
        };
        let number = |name: &str| -> Result<u64, String> {
            let number = text(name)?.parse();
            number.map_err(|_| format!("{name} is no number"))
        };
        let wrong = |name: &str| format!("{name} cannot be read");
        let what = match text("kind")? {
            "reveal" => What::Reveal {
                key: text("public_key")?
                    .parse()
                    .map_err(|_| wrong("public_key"))?,
                proof: match json.get("proof").and_then(Value::as_str) {
                    Some(proof) => Some(proof.parse().map_err(|_| wrong("proof"))?),
                    None => None,
                },
            },
            "transaction" => What::Transfer {
                amount: number("amount")?,
                to: text("destination")?
                    .parse()
                    .map_err(|_| wrong("destination"))?,
                call: json.get("parameters").map(Call::from_json).transpose()?,
            },
            "delegation" => What::Delegate(match json.get("delegate").and_then(Value::as_str) {
                Some(delegate) => Some(delegate.parse().map_err(|_| wrong("delegate"))?),
                None => None,
            }),
            kind => return Err(format!("operations of kind {kind} are not known here")),
        };
        Ok(Self {
            source: text("source")?.parse().map_err(|_| wrong("source"))?,
            fee: number("fee")?,
            counter: number("counter")?,
            gas: number("gas_limit")?,
            storage: number("storage_limit")?,
            what,
        })
    }
}

impl Call {
    fn from_json(json: &Value) -> Result<Self, String> {
        let entrypoint = json.get("entrypoint").and_then(Value::as_str);
        let value = json.get("value").map(micheline::read);
        match (entrypoint, value) {
            (Some(entrypoint), Some(Ok(value))) => Ok(Self {
                entrypoint: entrypoint.to_owned(),
                value,
            }),
            _ => Err("parameters cannot be read".to_owned()),
        }
    }
}
