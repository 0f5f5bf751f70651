//! The reference of the served RPC, made from the table that the service
//! itself finds its methods in.

use std::fmt::Write as _;

use heliostat_tezos::{
    api::{method_table, passed_on_table},
    features::feature_table,
};

/// The text of `docs/tezos-methods.md`.
pub fn methods() -> String {
    let mut text = String::from(
        "<!-- Generated: `cargo run -- docs-tezos-methods > docs/tezos-methods.md`. -->\n\
         # Tezos: the methods\n\n\
         What is served of a node's RPC, and what each answer is checked against. \
         What the grades mean, and when an answer has which, is in [tezos.md](tezos.md).\n\n\
         Every answer carries its grade in the header `heliostat-assurance`; errors of \
         a node that are passed on carry none. A call that is answered here as a rule \
         and was passed on this time says why in `heliostat-reason`. \
         `[chain.<name>.minimum]` refuses answers below a grade, by the name in the \
         first column; `\"*\"` stands for all names that are not set.\n\n\
         `…` is `/chains/CHAIN/blocks/BLOCK`, `*` one step of a path, `**` any number \
         of them. Of several rows that fit a path, the first counts. All calls are GET \
         but `injection`; anything else is `relayed`.\n\n\
         | name | path | checked against | grade |\n|---|---|---|---|\n",
    );
    for method in method_table() {
        let (path, checked, grade) = (path(method.path), cell(method.checked), cell(method.grade));
        let _ = writeln!(
            text,
            "| `{}` | `{path}` | {checked} | {grade} |",
            method.name
        );
    }
    text.push_str(
        "\n## What is always passed on\n\n\
         These calls are answered by one node and graded `relayed`, or refused under a \
         minimum grade for `relayed`.\n\n\
         | path | why |\n|---|---|\n",
    );
    for passed in passed_on_table() {
        let _ = writeln!(text, "| `{}` | {} |", path(passed.path), cell(passed.why));
    }
    text.push_str(
        "\n## Octez's light mode, promise by promise\n\n\
         | promise | here | state |\n|---|---|---|\n",
    );
    for feature in feature_table() {
        let (promise, here) = (cell(feature.promise), cell(feature.here));
        let _ = writeln!(text, "| {promise} | {here} | {} |", feature.state.words());
    }
    text
}

/// A path as the document writes it.
fn path(pattern: &str) -> String {
    match pattern.strip_prefix('.') {
        Some(below) => format!("…{below}"),
        None => pattern.to_owned(),
    }
}

/// Words that do not end the cell they stand in.
fn cell(words: &str) -> String {
    words.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::{Config, settings::tezos::METHODS};

    #[test]
    fn a_minimum_can_be_set_for_exactly_the_methods_there_are() {
        let served: BTreeSet<_> = method_table().iter().map(|method| method.name).collect();
        let settable: BTreeSet<_> = METHODS
            .iter()
            .copied()
            .filter(|name| *name != "*")
            .collect();
        assert_eq!(settable, served);
    }

    /// The fenced blocks of a language in the operator's guide.
    fn blocks(language: &str) -> Vec<String> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tezos.md");
        let text = std::fs::read_to_string(file).expect("the guide is in the tree");
        let fence = format!("```{language}\n");
        let blocks = text.split(&fence).skip(1);
        blocks
            .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn what_the_guide_tells_to_write_can_be_read() {
        let files = blocks("toml");
        assert!(!files.is_empty());
        for file in files {
            Config::parse(&file, "docs/tezos.md").expect("valid");
        }
        let lists = blocks("json");
        assert!(!lists.is_empty());
        for list in lists {
            let list: serde_json::Value = serde_json::from_str(&list).expect("valid");
            let allowed = list["rpc"]["acl"][0]["whitelist"].to_string();
            for entry in crate::tezos::check::ALLOW {
                assert!(allowed.contains(entry), "{allowed}");
            }
        }
    }

    #[test]
    fn the_methods_in_the_tree_are_current() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tezos-methods.md");
        let found = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            found == methods(),
            "docs/tezos-methods.md is stale; run `cargo run -- docs-tezos-methods > docs/tezos-methods.md`"
        );
    }
}
