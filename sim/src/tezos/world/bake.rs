//! The next block: state, operations, header.

use heliostat_tezos_context::{ContextHash, Tree, hash::blake2b};
use heliostat_tezos_verifier::{
    BlockHash, Contents, Fitness, Header, NonceHash, Signature,
    commit::{Message, commit_of},
    finality::Vote,
    operations,
};

use super::{
    Attesting, Block, Change, Plan, Recipe, balance_key, counter_key, edited, key, read_n, read_z,
    rights,
};
use crate::tezos::{
    bakers::{Baker, sampler},
    derive,
    keys::Secret,
    manager::{Refused, Signed},
    n,
    operations::{Attested, FEE, Operation, transfer},
    state, z,
};

/// Passes of a block: attestations, votes, anonymous operations, transfers.
const PASSES: u8 = 4;

/// How many protocols the chain has had.
const PROTO: u8 = 24;

/// The vote on liquidity baking: pass.
const VOTES: u8 = 2;

/// Every header of this chain is a Tenderbake one.
const TENDERBAKE: &str = "a Tenderbake header, because it is made here";

/// The block that the chain begins with: nothing is known of the one before.
pub(super) fn first(plan: &Plan, level: i32) -> Block {
    let before = Before {
        level: level - 1,
        hash: BlockHash(derive(plan.seed, "block before the first", 0)),
        timestamp: plan.begins - plan.numbers.minimal_block_delay,
        round: 0,
        commit: ContextHash(derive(plan.seed, "state before the first", 0)),
    };
    let state = state::first(plan, level);
    let branch = derive(plan.seed, "branch", 0);
    let passes = vec![Vec::new(); usize::from(PASSES)];
    seal(plan, &before, state, passes, &Recipe::default(), &branch)
}

/// What the next header says of the block before.
struct Before {
    level: i32,
    hash: BlockHash,
    timestamp: i64,
    round: i32,
    commit: ContextHash,
}

/// The block after `head`.
pub(super) fn next(plan: &Plan, head: &Block, recipe: &Recipe, branch: &[u8; 32]) -> Block {
    let before = Before {
        level: head.level,
        hash: head.hash,
        timestamp: head.header.timestamp,
        round: head.round(),
        commit: commit(head),
    };
    let mut state = routine(plan, head, recipe, branch);
    let mut passes = vec![Vec::new(); usize::from(PASSES)];
    passes[0] = attestations(plan, head, recipe.attesting);
    for change in &recipe.changes {
        match change {
            Change::Transfer { from, to, amount } => {
                let from = &plan.accounts[*from];
                let counter = read_z(&state, &counter_key(&from.id)).unwrap_or(0) + 1;
                let operation = transfer(from, to, *amount, counter as u64, head.hash);
                state = paid(&state, &from.id, to, *amount, counter);
                passes[3].push(operation);
            }
            other => state = other.apply(&state),
        }
    }
    for operation in recipe.injected.iter().filter_map(Operation::injected) {
        match included(&state, &operation) {
            Ok(after) => {
                state = after;
                passes[3].push(operation);
            }
            Err(refused) => tracing::warn!(operation = %operation.hash, ?refused, "left out"),
        }
    }
    seal(plan, &before, state, passes, recipe, branch)
}

/// The state after an operation from outside; as it was for one that cannot
/// be read here.
fn included(state: &Tree, operation: &Operation) -> Result<Tree, Refused> {
    match Signed::read(&operation.data) {
        Ok(signed) => signed.apply(state, &operation.branch, &operation.data),
        Err(_) => Ok(state.clone()),
    }
}

/// The commit of the state after a block.
pub(super) fn commit(block: &Block) -> ContextHash {
    let message = Message::Operations(block.operation_count());
    match commit_of(&block.header, block.state.hash(), message, None) {
        Ok(commit) => commit.hash(),
        // Genesis: its header names its own state.
        Err(_) => block.header.context,
    }
}

/// What changes with every block.
fn routine(plan: &Plan, head: &Block, recipe: &Recipe, branch: &[u8; 32]) -> Tree {
    let (cycle, position) = plan.numbers.cycle(head.level + 1);
    let mut state = head.state.clone();
    let mut set =
        |name: &str, value: Vec<u8>| state = edited(&state, &key(name), Some(value.into()));
    set("block_round", recipe.round.to_be_bytes().to_vec());
    set("attestation_branch", head.hash.as_bytes().to_vec());
    set("dal/level", (head.level + 1).to_be_bytes().to_vec());
    if position == 0 {
        for (name, value) in state::rights(plan, cycle + 2) {
            set(&name, value);
        }
    }
    if position == 0 {
        let old = key(&format!("cycle/{}", cycle - 3));
        state = edited(&state, &old, None);
    }
    for name in [
        "predecessor_block_metadata_hash",
        "predecessor_ops_metadata_hash",
    ] {
        let hash = blake2b(&[name.as_bytes(), head.hash.as_bytes(), branch]);
        let set = state.insert(&[name.as_bytes()], hash.to_vec());
        state = set.expect("a name in the root directory");
    }
    state
}

/// The state after a transfer.
fn paid(
    state: &Tree,
    from: &heliostat_tezos_protocol::ContractId,
    to: &heliostat_tezos_protocol::ContractId,
    amount: u64,
    counter: i64,
) -> Tree {
    let has = read_n(state, &balance_key(from)).unwrap_or(0);
    let left = has.checked_sub(amount + FEE);
    let left = left.unwrap_or_else(|| panic!("{from} has {has} mutez, not {amount} and the fee"));
    let state = edited(state, &balance_key(from), Some(n(left).into()));
    let state = edited(&state, &counter_key(from), Some(z(counter).into()));
    let gets = read_n(&state, &balance_key(to)).unwrap_or(0) + amount;
    edited(&state, &balance_key(to), Some(n(gets).into()))
}

/// Attestations of a block, for the next one.
fn attestations(plan: &Plan, head: &Block, attesting: Attesting) -> Vec<Operation> {
    let contents = head.header.contents().expect(TENDERBAKE);
    let impostors;
    let bakers = match attesting {
        Attesting::Impostors => {
            impostors = impostors_of(&plan.bakers);
            &impostors
        }
        _ => &plan.bakers,
    };
    let rights = rights(plan, head.level);
    let attested = Attested {
        chain: plan.chain_id,
        rights: &rights,
        bakers,
        vote: Vote {
            level: head.level,
            round: head.round(),
            payload_hash: contents.payload_hash,
        },
        branch: head.header.predecessor,
    };
    let first = |count: usize| {
        let last = rights.all().get(count).map(|right| right.slot);
        move |slot: u16| last.is_none_or(|last| slot < last)
    };
    match attesting {
        Attesting::Everyone | Attesting::Impostors => attested.all(|_| true),
        Attesting::Nobody => Vec::new(),
        Attesting::Some(count) => {
            let among = first(count);
            attested.all(|right| among(right.slot))
        }
    }
}

/// The bakers with secret keys that are not theirs.
fn impostors_of(bakers: &[Baker]) -> Vec<Baker> {
    let impostor = |(at, baker): (usize, &Baker)| Baker {
        secret: Secret::derive(baker.secret.kind(), 0, "impostor", at as u64),
        ..baker.clone()
    };
    bakers.iter().enumerate().map(impostor).collect()
}

/// Puts the header on a block.
fn seal(
    plan: &Plan,
    before: &Before,
    state: Tree,
    operations: Vec<Vec<Operation>>,
    recipe: &Recipe,
    branch: &[u8; 32],
) -> Block {
    let level = before.level + 1;
    let hashes: Vec<Vec<_>> = operations
        .iter()
        .map(|pass| pass.iter().map(|one| one.hash).collect())
        .collect();
    let (cycle, position) = plan.numbers.cycle(level);
    let every = plan.numbers.blocks_per_commitment;
    let seed_nonce = position % every == every - 1;
    let payload = hashes.iter().skip(1).flatten();
    let contents = Contents {
        payload_hash: operations::payload_hash(&before.hash, recipe.round, payload),
        payload_round: recipe.round,
        proof_of_work_nonce: [0; 8],
        seed_nonce_hash: seed_nonce.then(|| NonceHash(derive(plan.seed, "nonce", level as u64))),
        votes: VOTES,
        signature: Signature::from_bytes(&[0; 64]).expect("a signature's length"),
    };
    let fitness = Fitness {
        level,
        locked_round: None,
        predecessor_round: before.round,
        round: recipe.round,
    };
    // As the protocol has it: a round lasts a second longer than the one
    // before it.
    let round = i64::from(recipe.round);
    let waited = plan.numbers.minimal_block_delay * (round + 1) + round * (round + 1) / 2;
    let header = Header {
        level,
        proto: PROTO,
        predecessor: before.hash,
        timestamp: before.timestamp + waited,
        validation_passes: PASSES,
        operations_hash: operations::operations_hash(&hashes),
        fitness: fitness.write(),
        context: before.commit,
        protocol_data: Vec::new(),
    };
    let baker = baker_of(plan, cycle, position, recipe);
    let stamped = Stamped(!recipe.unstamped);
    let header = signed(plan, header, contents, (&baker.secret, stamped), branch);
    Block {
        level,
        hash: header.hash(),
        header,
        protocol: plan.protocol,
        next_protocol: plan.protocol,
        state,
        operations,
    }
}

/// The baker of a round: the owner of that slot.
fn baker_of(plan: &Plan, cycle: i32, position: i32, recipe: &Recipe) -> Baker {
    let sampler = sampler(&plan.bakers, cycle);
    let sampler = heliostat_tezos_verifier::finality::Sampler::decode(&sampler, true)
        .expect("a sampler, because it is written here");
    let slot = (recipe.round as u32 % u32::from(plan.numbers.committee_size)) as u16;
    let owner = sampler.owner(&state::seed_of_cycle(plan, cycle), position, slot);
    match recipe.attesting {
        Attesting::Impostors => impostors_of(&plan.bakers).swap_remove(owner),
        _ => plan.bakers[owner].clone(),
    }
}

/// Whether a header gets its proof-of-work stamp.
#[derive(Clone, Copy)]
struct Stamped(bool);

/// Finds the stamp and signs.
fn signed(
    plan: &Plan,
    mut header: Header,
    mut contents: Contents,
    (secret, Stamped(stamped)): (&Secret, Stamped),
    branch: &[u8; 32],
) -> Header {
    contents.proof_of_work_nonce.copy_from_slice(&branch[..8]);
    loop {
        header.protocol_data = contents.encode();
        let enough = header.has_proof_of_work(plan.numbers.proof_of_work_threshold);
        if enough.expect(TENDERBAKE) == stamped {
            break;
        }
        let next = u64::from_be_bytes(contents.proof_of_work_nonce).wrapping_add(1);
        contents.proof_of_work_nonce = next.to_be_bytes();
    }
    let message = header.signed_bytes(&plan.chain_id).expect(TENDERBAKE);
    contents.signature = secret.sign(&message);
    header.protocol_data = contents.encode();
    header
}
