//! Finality: whether bakers with enough power attested a block's payload.
//!
//! A quorum of attestations on the payload of level L makes block L-1 final:
//! the payload's hash covers the predecessor ([`check_payload`]). Who may
//! attest comes out of two values of an earlier, verified state (of cycles
//! c-2 to c, for a level of cycle c): `cycle/c/delegate_sampler_state` and
//! `cycle/c/random_seed`. So with one state to begin with, no endpoint has to
//! be believed.
//!
//! | step | here |
//! |---|---|
//! | read who bakes | [`Sampler::decode`], [`StakeInfo::decode`] |
//! | who owns which slot of a level | [`Rights::drawn`], [`Rights::of_stake`] |
//! | what the bakers sent, in block L+1 | [`Attestation::decode`], [`Attestation::from_json`] |
//! | does it reach the threshold | [`verify_quorum`] |
//! | what exactly is final then | [`check_payload`] |
//!
//! Not verified: signatures of tz5 keys, whose power is counted apart.

mod attestation;
mod dal;
mod payload;
mod quorum;
mod rights;
mod sampler;

pub use attestation::{Attestation, Attesters, Member, Vote};
pub use dal::DalContent;
pub use payload::{PayloadError, check_payload};
pub use quorum::{Quorum, Refusal, Refused, Signers, verify_quorum};
pub use rights::{Parameters, Right, Rights, Rule, UnknownRule, all_bakers_attest, consensus_rule};
pub use sampler::{ConsensusKey, Sampler, StakeInfo, StakeShare};
