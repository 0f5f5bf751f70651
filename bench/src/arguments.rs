//! Arguments that are read as something else than text.

use anyhow::{Result, bail, ensure};

/// A time of up to a day, in seconds.
pub fn seconds(text: &str) -> Result<f64> {
    let seconds: f64 = text.parse()?;
    ensure!(
        (0.0..=86_400.0).contains(&seconds),
        "{text} is not between 0 and 86400"
    );
    Ok(seconds)
}

/// A pool's number in the protocol, by its name.
pub fn pool(name: &str) -> Result<i32> {
    Ok(match name {
        "transparent" => 1,
        "sapling" => 2,
        "orchard" => 3,
        "ironwood" => 4,
        other => {
            bail!("{other:?} is not a pool; use transparent, sapling, orchard or ironwood")
        }
    })
}
