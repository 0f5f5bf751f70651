//! The primitives of Michelson by the number that the binary form gives them.
//! The same table holds in protocols 024 and 025; new ones are only appended.
//! Source: the protocol's table of primitives, and Octez's regression output
//! for it (tezt/tests/expected/encoding.ml, "Michelson primitives").

use crate::error::ProtocolError;

/// A primitive of Michelson.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prim(u8);

/// The names in the order of their numbers.
const NAMES: [&str; 161] = [
    "parameter",
    "storage",
    "code",
    "False",
    "Elt",
    "Left",
    "None",
    "Pair",
    "Right",
    "Some",
    "True",
    "Unit",
    "PACK",
    "UNPACK",
    "BLAKE2B",
    "SHA256",
    "SHA512",
    "ABS",
    "ADD",
    "AMOUNT",
    "AND",
    "BALANCE",
    "CAR",
    "CDR",
    "CHECK_SIGNATURE",
    "COMPARE",
    "CONCAT",
    "CONS",
    "CREATE_ACCOUNT",
    "CREATE_CONTRACT",
    "IMPLICIT_ACCOUNT",
    "DIP",
    "DROP",
    "DUP",
    "EDIV",
    "EMPTY_MAP",
    "EMPTY_SET",
    "EQ",
    "EXEC",
    "FAILWITH",
    "GE",
    "GET",
    "GT",
    "HASH_KEY",
    "IF",
    "IF_CONS",
    "IF_LEFT",
    "IF_NONE",
    "INT",
    "LAMBDA",
    "LE",
    "LEFT",
    "LOOP",
    "LSL",
    "LSR",
    "LT",
    "MAP",
    "MEM",
    "MUL",
    "NEG",
    "NEQ",
    "NIL",
    "NONE",
    "NOT",
    "NOW",
    "OR",
    "PAIR",
    "PUSH",
    "RIGHT",
    "SIZE",
    "SOME",
    "SOURCE",
    "SENDER",
    "SELF",
    "STEPS_TO_QUOTA",
    "SUB",
    "SWAP",
    "TRANSFER_TOKENS",
    "SET_DELEGATE",
    "UNIT",
    "UPDATE",
    "XOR",
    "ITER",
    "LOOP_LEFT",
    "ADDRESS",
    "CONTRACT",
    "ISNAT",
    "CAST",
    "RENAME",
    "bool",
    "contract",
    "int",
    "key",
    "key_hash",
    "lambda",
    "list",
    "map",
    "big_map",
    "nat",
    "option",
    "or",
    "pair",
    "set",
    "signature",
    "string",
    "bytes",
    "mutez",
    "timestamp",
    "unit",
    "operation",
    "address",
    "SLICE",
    "DIG",
    "DUG",
    "EMPTY_BIG_MAP",
    "APPLY",
    "chain_id",
    "CHAIN_ID",
    "LEVEL",
    "SELF_ADDRESS",
    "never",
    "NEVER",
    "UNPAIR",
    "VOTING_POWER",
    "TOTAL_VOTING_POWER",
    "KECCAK",
    "SHA3",
    "PAIRING_CHECK",
    "bls12_381_g1",
    "bls12_381_g2",
    "bls12_381_fr",
    "sapling_state",
    "sapling_transaction_deprecated",
    "SAPLING_EMPTY_STATE",
    "SAPLING_VERIFY_UPDATE",
    "ticket",
    "TICKET_DEPRECATED",
    "READ_TICKET",
    "SPLIT_TICKET",
    "JOIN_TICKETS",
    "GET_AND_UPDATE",
    "chest",
    "chest_key",
    "OPEN_CHEST",
    "VIEW",
    "view",
    "constant",
    "SUB_MUTEZ",
    "tx_rollup_l2_address",
    "MIN_BLOCK_TIME",
    "sapling_transaction",
    "EMIT",
    "Lambda_rec",
    "LAMBDA_REC",
    "TICKET",
    "BYTES",
    "NAT",
    "Ticket",
    "IS_IMPLICIT_ACCOUNT",
    "INDEX_ADDRESS",
    "GET_ADDRESS_INDEX",
];

impl Prim {
    /// `parameter`.
    pub const K_PARAMETER: Self = Self(0);
    /// `storage`.
    pub const K_STORAGE: Self = Self(1);
    /// `code`.
    pub const K_CODE: Self = Self(2);
    /// `False`.
    pub const D_FALSE: Self = Self(3);
    /// `Elt`.
    pub const D_ELT: Self = Self(4);
    /// `Left`.
    pub const D_LEFT: Self = Self(5);
    /// `None`.
    pub const D_NONE: Self = Self(6);
    /// `Pair`.
    pub const D_PAIR: Self = Self(7);
    /// `Right`.
    pub const D_RIGHT: Self = Self(8);
    /// `Some`.
    pub const D_SOME: Self = Self(9);
    /// `True`.
    pub const D_TRUE: Self = Self(10);
    /// `Unit`.
    pub const D_UNIT: Self = Self(11);
    /// `PUSH`.
    pub const I_PUSH: Self = Self(67);
    /// `bool`.
    pub const T_BOOL: Self = Self(89);
    /// `contract`.
    pub const T_CONTRACT: Self = Self(90);
    /// `int`.
    pub const T_INT: Self = Self(91);
    /// `key`.
    pub const T_KEY: Self = Self(92);
    /// `key_hash`.
    pub const T_KEY_HASH: Self = Self(93);
    /// `lambda`.
    pub const T_LAMBDA: Self = Self(94);
    /// `list`.
    pub const T_LIST: Self = Self(95);
    /// `map`.
    pub const T_MAP: Self = Self(96);
    /// `big_map`.
    pub const T_BIG_MAP: Self = Self(97);
    /// `nat`.
    pub const T_NAT: Self = Self(98);
    /// `option`.
    pub const T_OPTION: Self = Self(99);
    /// `or`.
    pub const T_OR: Self = Self(100);
    /// `pair`.
    pub const T_PAIR: Self = Self(101);
    /// `set`.
    pub const T_SET: Self = Self(102);
    /// `signature`.
    pub const T_SIGNATURE: Self = Self(103);
    /// `string`.
    pub const T_STRING: Self = Self(104);
    /// `bytes`.
    pub const T_BYTES: Self = Self(105);
    /// `mutez`.
    pub const T_MUTEZ: Self = Self(106);
    /// `timestamp`.
    pub const T_TIMESTAMP: Self = Self(107);
    /// `unit`.
    pub const T_UNIT: Self = Self(108);
    /// `operation`.
    pub const T_OPERATION: Self = Self(109);
    /// `address`.
    pub const T_ADDRESS: Self = Self(110);
    /// `chain_id`.
    pub const T_CHAIN_ID: Self = Self(116);
    /// `never`.
    pub const T_NEVER: Self = Self(120);
    /// `bls12_381_g1`.
    pub const T_BLS12_381_G1: Self = Self(128);
    /// `bls12_381_g2`.
    pub const T_BLS12_381_G2: Self = Self(129);
    /// `bls12_381_fr`.
    pub const T_BLS12_381_FR: Self = Self(130);
    /// `sapling_state`.
    pub const T_SAPLING_STATE: Self = Self(131);
    /// `sapling_transaction_deprecated`.
    pub const T_SAPLING_TRANSACTION_DEPRECATED: Self = Self(132);
    /// `ticket`.
    pub const T_TICKET: Self = Self(135);
    /// `chest`.
    pub const T_CHEST: Self = Self(141);
    /// `chest_key`.
    pub const T_CHEST_KEY: Self = Self(142);
    /// `view`.
    pub const K_VIEW: Self = Self(145);
    /// `constant`.
    pub const H_CONSTANT: Self = Self(146);
    /// `tx_rollup_l2_address`.
    pub const T_TX_ROLLUP_L2_ADDRESS: Self = Self(148);
    /// `sapling_transaction`.
    pub const T_SAPLING_TRANSACTION: Self = Self(150);
    /// `Lambda_rec`.
    pub const D_LAMBDA_REC: Self = Self(152);
    /// `Ticket`.
    pub const D_TICKET: Self = Self(157);
}

impl Prim {
    /// The primitive of a number of the binary form.
    pub fn from_number(number: u8) -> Result<Self, ProtocolError> {
        if usize::from(number) < NAMES.len() {
            Ok(Self(number))
        } else {
            let reason = format!("primitive {number} is unknown");
            Err(ProtocolError::malformed("michelson", reason))
        }
    }

    /// The primitive of a name, for instance `pair` or `Pair`.
    pub fn from_name(name: &str) -> Result<Self, ProtocolError> {
        (0u8..)
            .zip(NAMES)
            .find(|(_, known)| *known == name)
            .map(|(number, _)| Self(number))
            .ok_or_else(|| {
                let shown: String = name.chars().take(64).collect();
                ProtocolError::malformed("michelson", format!("primitive {shown:?} is unknown"))
            })
    }

    /// The number in the binary form.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The name.
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }
}

impl std::fmt::Debug for Prim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_name_the_primitives_they_are_called_after() {
        for (prim, name) in [
            (Prim::K_PARAMETER, "parameter"),
            (Prim::D_PAIR, "Pair"),
            (Prim::T_PAIR, "pair"),
            (Prim::I_PUSH, "PUSH"),
            (Prim::T_CHEST_KEY, "chest_key"),
            (Prim::H_CONSTANT, "constant"),
            (Prim::D_TICKET, "Ticket"),
        ] {
            assert_eq!(prim.name(), name);
            assert_eq!(Prim::from_name(name), Ok(prim));
            assert_eq!(Prim::from_number(prim.number()), Ok(prim));
        }
    }

    #[test]
    fn no_two_primitives_share_a_name() {
        for number in 0..=u8::MAX {
            if let Ok(prim) = Prim::from_number(number) {
                assert_eq!(Prim::from_name(prim.name()), Ok(prim));
            }
        }
        assert!(Prim::from_number(u8::MAX).is_err());
        assert!(Prim::from_name("Pairs").is_err());
    }
}
