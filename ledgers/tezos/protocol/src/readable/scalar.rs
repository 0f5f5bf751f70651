//! Values without parts in their readable form.

use heliostat_tezos_context::base58::{self, Prefix};
use num_bigint::{BigInt, Sign};

use super::mismatch;
use crate::contract::{Address, PublicKeyHash};
use crate::error::ProtocolError;
use crate::keys::{PublicKey, chain_id_text, signature_text};
use crate::micheline::{Node, Prim};
use crate::types::Atom;

/// The first and the last second that print as a date, as seconds from 1970:
/// the years 0000 and 9999.
const DATES: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;
/// Seconds of a day.
const DAY: i64 = 86_400;
/// The order of the scalar field of BLS12-381, in hex.
const FR_ORDER: &[u8] = b"73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
/// Bytes of an element of that field, least significant first.
const FR_BYTES: usize = 32;

/// A value of the type in its readable form.
pub(super) fn convert(atom: Atom, node: &Node) -> Result<Node, ProtocolError> {
    match atom {
        Atom::Unit => constant(node, &[Prim::D_UNIT], "Unit"),
        Atom::Bool => constant(node, &[Prim::D_TRUE, Prim::D_FALSE], "True or False"),
        Atom::Int => match node {
            Node::Int(_) => Ok(node.clone()),
            _ => Err(mismatch("an integer", node)),
        },
        Atom::Nat | Atom::Mutez => match node {
            Node::Int(value) if value.sign() != Sign::Minus => Ok(node.clone()),
            _ => Err(mismatch("a number from zero", node)),
        },
        Atom::String => match node {
            Node::String(text) if text.bytes().all(printable) => Ok(node.clone()),
            _ => Err(mismatch("a printable string", node)),
        },
        Atom::Bytes => match node {
            Node::Bytes(_) => Ok(node.clone()),
            _ => Err(mismatch("bytes", node)),
        },
        Atom::Timestamp => timestamp(node),
        Atom::Key => text(
            node,
            |bytes| Ok(PublicKey::from_bytes(bytes)?.to_text()),
            |text| PublicKey::from_text(text).map(|key| key.to_text()),
        ),
        Atom::KeyHash => text(
            node,
            |bytes| Ok(PublicKeyHash::from_bytes(bytes)?.to_string()),
            |text| Ok(text.parse::<PublicKeyHash>()?.to_string()),
        ),
        Atom::Signature => text(node, signature_text, signature),
        Atom::Address => text(
            node,
            |bytes| Ok(Address::from_bytes(bytes)?.to_string()),
            |text| Ok(text.parse::<Address>()?.to_string()),
        ),
        Atom::ChainId => text(node, chain_id_text, |text| {
            base58::decode(Prefix::CHAIN, text)
                .map(|_| text.to_owned())
                .map_err(|error| ProtocolError::malformed("chain id", error.to_string()))
        }),
        Atom::Bls12381Fr => field_element(node),
        Atom::SaplingState => match node {
            Node::Int(_) => Ok(node.clone()),
            _ => Err(ProtocolError::unsupported("a Sapling state with a change")),
        },
        Atom::Never => Err(mismatch("nothing", node)),
    }
}

fn constant(node: &Node, prims: &[Prim], expected: &str) -> Result<Node, ProtocolError> {
    match node {
        Node::Prim(prim, args, _) if args.is_empty() && prims.contains(prim) => {
            Ok(Node::prim(*prim, vec![]))
        }
        _ => Err(mismatch(expected, node)),
    }
}

/// A value that is bytes in the optimized form and text in the readable one.
fn text(
    node: &Node,
    from_bytes: impl Fn(&[u8]) -> Result<String, ProtocolError>,
    from_text: impl Fn(&str) -> Result<String, ProtocolError>,
) -> Result<Node, ProtocolError> {
    match node {
        Node::Bytes(bytes) => from_bytes(bytes).map(Node::String),
        Node::String(text) => from_text(text).map(Node::String),
        _ => Err(mismatch("bytes or a string", node)),
    }
}

/// A signature that is stored as text keeps the curve that its text names.
fn signature(text: &str) -> Result<String, ProtocolError> {
    [
        Prefix::EDSIG,
        Prefix::SPSIG,
        Prefix::P2SIG,
        Prefix::BLSIG,
        Prefix::SIG,
    ]
    .into_iter()
    .find(|prefix| base58::decode(*prefix, text).is_ok())
    .map(|_| text.to_owned())
    .ok_or_else(|| ProtocolError::unsupported("this signature's text"))
}

/// Michelson's strings are printable ASCII and line feeds.
fn printable(byte: u8) -> bool {
    byte == b'\n' || (b' '..=b'~').contains(&byte)
}

fn timestamp(node: &Node) -> Result<Node, ProtocolError> {
    match node {
        Node::Int(value) => Ok(i64::try_from(value)
            .ok()
            .and_then(date)
            .map_or_else(|| node.clone(), Node::String)),
        // Only the form that a node itself prints is certain to come out again.
        Node::String(text) => match seconds(text) {
            Some(_) => Ok(node.clone()),
            None => Err(ProtocolError::unsupported("this timestamp's text")),
        },
        _ => Err(mismatch("a timestamp", node)),
    }
}

/// RFC 3339 in UTC, to the second, for the years 0000 to 9999.
fn date(seconds: i64) -> Option<String> {
    if !DATES.contains(&seconds) {
        return None;
    }
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    let rest = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    ))
}

/// Year, month and day of a number of days from 1970-01-01, in the Gregorian
/// calendar. Counted in years that begin in March, so that the leap day is
/// the last one, and in eras of 400 years, which all have the same days.
fn civil(days: i64) -> (i64, i64, i64) {
    const ERA: i64 = 146_097;
    // From 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let era = days.div_euclid(ERA);
    let of_era = days.rem_euclid(ERA);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

/// The seconds of a text that [`date`] would print, and of no other.
fn seconds(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let clock = number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    let (year, month) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leaps + (153 * month + 2) / 5 + day - 1 - 719_468;
    let seconds = days * DAY + clock;
    (date(seconds).as_deref() == Some(text)).then_some(seconds)
}

fn field_element(node: &Node) -> Result<Node, ProtocolError> {
    match node {
        Node::Bytes(bytes) if bytes.len() == FR_BYTES => Ok(node.clone()),
        Node::Int(value) => {
            let order = BigInt::parse_bytes(FR_ORDER, 16)
                .ok_or_else(|| ProtocolError::unsupported("a field element"))?;
            let reduced = ((value % &order) + &order) % &order;
            let (_, mut bytes) = reduced.to_bytes_le();
            bytes.resize(FR_BYTES, 0);
            Ok(Node::Bytes(bytes))
        }
        _ => Err(mismatch("an element of the BLS12-381 field", node)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn seconds_print_as_dates_within_four_digit_years() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_530_374_852, "2018-06-30T16:07:32Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (*DATES.start(), "0000-01-01T00:00:00Z"),
            (*DATES.end(), "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(date(seconds).as_deref(), Some(text));
            assert_eq!(self::seconds(text), Some(seconds), "{text}");
        }
        assert_eq!(date(DATES.end() + 1), None);
        assert_eq!(date(DATES.start() - 1), None);
    }

    #[test]
    fn a_timestamp_beyond_dates_stays_an_integer() {
        let beyond = Node::int(DATES.end() + 1);
        assert_eq!(convert(Atom::Timestamp, &beyond), Ok(beyond.clone()));
        let huge = Node::Int(BigInt::from(u128::MAX));
        assert_eq!(convert(Atom::Timestamp, &huge), Ok(huge.clone()));
    }

    #[test]
    fn a_timestamp_in_another_notation_is_left_to_a_node() {
        for text in [
            "2018-06-30T16:07:32+00:00",
            "2018-02-30T16:07:32Z",
            "12",
            "2018-06-30T16:07:32.5Z",
            "é018-06-30T16:07:32Z",
        ] {
            assert!(
                convert(Atom::Timestamp, &Node::string(text)).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_field_element_given_as_a_number_is_reduced() {
        let minus_one = convert(Atom::Bls12381Fr, &Node::int(-1)).unwrap();
        let Node::Bytes(bytes) = minus_one else {
            panic!("bytes expected");
        };
        // One below the order: 00000000 in its lowest bytes.
        assert_eq!(bytes[..5], [0, 0, 0, 0, 0xff]);
        assert_eq!(bytes.len(), FR_BYTES);
        let one = convert(Atom::Bls12381Fr, &Node::int(1)).unwrap();
        assert_eq!(one, Node::Bytes([vec![1], vec![0; 31]].concat()));
    }

    proptest! {
        #[test]
        fn every_second_of_the_calendar_reads_back(second in DATES) {
            let text = date(second).unwrap();
            prop_assert_eq!(text.len(), 20);
            prop_assert_eq!(seconds(&text), Some(second));
        }
    }
}
