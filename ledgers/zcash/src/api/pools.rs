//! Which parts of a compact transaction a client asks for.

use heliostat_zcash_proto::{CompactTx, PoolType};

/// Pools by name. Numbers this protocol does not know are passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pools {
    transparent: bool,
    sapling: bool,
    orchard: bool,
    ironwood: bool,
}

impl Pools {
    /// Reads a request's list: empty stands for all shielded pools; `None` if
    /// it contains the invalid pool.
    pub(super) fn read(list: &[i32]) -> Option<Self> {
        if list.is_empty() {
            return Some(Self {
                transparent: false,
                sapling: true,
                orchard: true,
                ironwood: true,
            });
        }
        let mut pools = Self::default();
        for number in list {
            match PoolType::try_from(*number) {
                Ok(PoolType::Invalid) => return None,
                Ok(PoolType::Transparent) => pools.transparent = true,
                Ok(PoolType::Sapling) => pools.sapling = true,
                Ok(PoolType::Orchard) => pools.orchard = true,
                Ok(PoolType::Ironwood) => pools.ironwood = true,
                Err(_) => {}
            }
        }
        Some(pools)
    }

    /// The parts asked for; `None` when nothing is left.
    pub(super) fn filter(self, full: &CompactTx) -> Option<CompactTx> {
        let mut part = CompactTx {
            index: full.index,
            txid: full.txid.clone(),
            fee: full.fee,
            ..CompactTx::default()
        };
        if self.transparent {
            part.vin.clone_from(&full.vin);
            part.vout.clone_from(&full.vout);
        }
        if self.sapling {
            part.spends.clone_from(&full.spends);
            part.outputs.clone_from(&full.outputs);
        }
        if self.orchard {
            part.actions.clone_from(&full.actions);
        }
        if self.ironwood {
            part.ironwood_actions.clone_from(&full.ironwood_actions);
        }
        let empty = part.vin.is_empty()
            && part.vout.is_empty()
            && part.spends.is_empty()
            && part.outputs.is_empty()
            && part.actions.is_empty()
            && part.ironwood_actions.is_empty();
        (!empty).then_some(part)
    }
}
