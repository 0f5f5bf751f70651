//! The reference of the served methods, made from the tables that the service
//! itself is built beside.

use std::fmt::Write as _;

use heliostat_zcash::api::{Difference, compat_table, method_table};

/// The text of `docs/zcash-methods.md`.
pub fn methods() -> String {
    let mut text = String::from(
        "<!-- Generated: `cargo run -- docs-zcash-methods > docs/zcash-methods.md`. -->\n\
         # Zcash: the methods\n\n\
         All of `cash.z.wallet.sdk.rpc.CompactTxStreamer`, protocol v0.5.0, with \
         reflection (v1 and v1alpha) and `grpc.health.v1` beside it. What each grade \
         means is in [zcash.md](zcash.md).\n\n\
         Every answer carries its grade under `heliostat-assurance`: single answers in \
         the initial metadata, streams in the trailer. Errors carry none. \
         `[chain.<name>.minimum]` refuses answers below a grade, method by method.\n\n\
         | method | served from | grade |\n|---|---|---|\n",
    );
    for method in method_table() {
        let (served_from, grade) = (cell(method.served_from), cell(method.grade));
        let _ = writeln!(text, "| {} | {served_from} | {grade} |", method.name);
    }
    text.push_str(
        "\n## Where it differs from lightwalletd\n\n\
         Compared with lightwalletd v0.5.3. What is not in this table is byte for byte \
         what lightwalletd sends, status codes included; a test compares the two over \
         the same node (`HELIOSTAT_LIGHTWALLETD`, see \
         [CONTRIBUTING.md](../CONTRIBUTING.md)). A switch is a key of \
         `[chain.<name>.compat]`, described in \
         [configuration.md](configuration.md).\n\n\
         | name | methods | lightwalletd | Heliostat | switch |\n|---|---|---|---|---|\n",
    );
    compat_table()
        .iter()
        .for_each(|entry| row(&mut text, entry));
    text
}

fn row(text: &mut String, entry: &Difference) {
    let switch = entry
        .switch
        .map_or_else(String::new, |key| format!("`{key}`"));
    let _ = writeln!(
        text,
        "| {} | {} | {} | {} | {switch} |",
        entry.name,
        entry.methods.join(", "),
        cell(entry.lightwalletd),
        cell(entry.heliostat),
    );
}

/// Words that do not end the cell they stand in.
fn cell(words: &str) -> String {
    words.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{settings, zcash::METHODS};

    #[test]
    fn the_methods_in_the_tree_are_current() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/zcash-methods.md");
        let found = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            found == methods(),
            "docs/zcash-methods.md is stale; run `cargo run -- docs-zcash-methods > docs/zcash-methods.md`"
        );
    }

    #[test]
    fn the_switches_of_the_table_are_the_settings_of_the_file() {
        let switches: Vec<_> = compat_table()
            .iter()
            .filter_map(|entry| entry.switch)
            .collect();
        let mut settings: Vec<_> = settings()
            .filter(|setting| setting.table == "chain.<zcash>.compat")
            .map(|setting| setting.key)
            .collect();
        settings.sort_unstable_by_key(|key| switches.iter().position(|switch| switch == key));
        assert_eq!(settings, switches);
    }

    #[test]
    fn a_minimum_can_be_set_for_exactly_the_methods_there_are() {
        let served: Vec<_> = method_table().iter().map(|method| method.name).collect();
        assert_eq!(METHODS, served);
    }
}
