//! The JSON of the RPC `context/raw/bytes`: contents as hex, a directory as an
//! object of its names. It proves nothing by itself, but a whole directory has a
//! hash, which a proof may have shown.

use crate::{
    Limits, ProofError, Tree,
    allowance::Allowance,
    name::Name,
    pull::Pull,
    tree::{self, Entry, Part},
};

/// Reads contents or a whole directory. A part that the node cut off (`null`,
/// when it was asked for a depth) has no hash and is refused.
pub fn read(text: &[u8], limits: &Limits) -> Result<Tree, ProofError> {
    let mut json = Pull::new(text);
    let mut allowance = Allowance::new(text.len(), limits)?;
    let tree = read_in(&mut json, &mut allowance)?;
    json.end()?;
    Ok(tree)
}

/// The text a node answers with: `depth` levels of directories (`None` for
/// all), deeper ones cut to `null`. `None` where the tree is not known so far.
/// Names are taken for ASCII, as all of Tezos' are; other bytes are escaped.
pub fn write(tree: &Tree, depth: Option<u32>) -> Option<String> {
    let mut text = String::new();
    write_in(&mut text, tree, depth)?;
    Some(text)
}

pub(crate) fn read_in(json: &mut Pull<'_>, allowance: &mut Allowance) -> Result<Tree, ProofError> {
    allowance.enter()?;
    let tree = match json.peek() {
        Some(b'"') => {
            let digits = json.string()?;
            let mut bytes = vec![0; digits.len() / 2];
            if digits.len() % 2 != 0 || faster_hex::hex_decode(digits, &mut bytes).is_err() {
                return Err(json.wrong("hex is expected, two digits a byte"));
            }
            Tree::contents(bytes)
        }
        Some(b'{') => {
            json.expect(b'{', "a directory's object is expected")?;
            let mut entries = Vec::new();
            let mut first = true;
            while json.another(&mut first, b'}')? {
                let name = name(json)?;
                json.expect(b':', "a colon is expected")?;
                let tree = read_in(json, allowance)?;
                entries.push(Entry { name, tree });
            }
            tree::directory(entries).map_err(|what| json.wrong(what))?
        }
        _ => return Err(json.wrong("contents (a string) or a directory (an object) are expected")),
    };
    allowance.leave();
    Ok(tree)
}

/// A name written as itself.
pub(crate) fn name(json: &mut Pull<'_>) -> Result<Name, ProofError> {
    let name = json.string()?;
    if name.len() > crate::defaults::MAX_NAME {
        return Err(json.wrong("a name is longer than 255 bytes"));
    }
    Ok(Name::new(name))
}

pub(crate) fn write_in(text: &mut String, tree: &Tree, depth: Option<u32>) -> Option<()> {
    match &tree.0 {
        Part::Contents(contents) => write_hex(text, &contents.bytes),
        Part::Blinded(..) => return None,
        Part::Flat(_) | Part::Wide(_) if depth == Some(0) => text.push_str("null"),
        Part::Flat(_) | Part::Wide(_) => {
            text.push('{');
            for (at, entry) in tree.entries()?.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_name(text, entry.name());
                text.push(':');
                write_in(text, entry.tree(), depth.map(|depth| depth - 1))?;
            }
            text.push('}');
        }
    }
    Some(())
}

fn write_hex(text: &mut String, bytes: &[u8]) {
    text.push('"');
    text.push_str(&faster_hex::hex_string(bytes));
    text.push('"');
}

pub(crate) fn write_name(text: &mut String, name: &[u8]) {
    text.push('"');
    for byte in name {
        match byte {
            b' '..=b'~' if !matches!(byte, b'"' | b'\\') => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\u{byte:04x}")),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> Result<Tree, ProofError> {
        read(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn a_directory_reads_back_and_has_its_hash() {
        let text = r#"{"big_maps":{"next":"00"},"version":"616c7068615f63757272656e74"}"#;
        let tree = read_all(text).unwrap();
        assert_eq!(write(&tree, None).as_deref(), Some(text));
        let spaced = text.replace(',', " ,\n").replace(':', " : ");
        assert_eq!(read_all(&spaced).unwrap().hash(), tree.hash());
        assert_eq!(
            write(&tree, Some(1)).as_deref(),
            Some(r#"{"big_maps":null,"version":"616c7068615f63757272656e74"}"#)
        );
        assert_eq!(write(&tree, Some(0)).as_deref(), Some("null"));
    }

    #[test]
    fn what_is_cut_or_malformed_is_refused() {
        for text in [
            "",
            "null",
            "{\"a\":null}",
            "\"0\"",
            "\"zz\"",
            "{\"a\":\"00\"",
            "{\"a\":\"00\",}",
            "{,}",
            "[]",
            "\"00\"x",
            "{\"a\":\"00\",\"a\":\"01\"}",
            "{\"\\u0061\":\"00\"}",
            &"{\"a\":".repeat(100_000),
        ] {
            assert!(read_all(text).is_err(), "{text:.40}");
        }
    }

    #[test]
    fn a_tree_that_is_not_fully_known_is_not_written() {
        let blinded = Tree::blinded(crate::Kind::Directory, Tree::empty().hash());
        assert_eq!(write(&blinded, None), None);
    }
}
