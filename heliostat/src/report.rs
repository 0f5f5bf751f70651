//! What the status document says alike of every ledger.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use heliostat_node::{Disagreement, Finding, Role, UpstreamState, UpstreamStatus};
use heliostat_observe as observe;
use heliostat_store::Store;
use tokio::time::timeout;

use crate::{defaults, status::duration};

/// Seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

/// Why the machine's clock cannot be right, where the newest block is from so
/// far in the future that nobody would have accepted it: then nobody can say
/// how old it is.
pub(crate) fn clock(head: &observe::Head) -> Option<String> {
    let ahead = head.time.saturating_sub(now());
    (ahead > defaults::CLOCK_BEHIND.as_secs()).then(|| {
        format!(
            "the newest block is of {} from now: set this machine's clock right",
            duration(ahead)
        )
    })
}

/// A store's size in bytes, or why it is not known. `address` is shown.
pub(crate) async fn store(store: &Arc<dyn Store>, address: &str) -> observe::StoreStatus {
    let size = timeout(defaults::STORE_ANSWER, store.size()).await;
    let (bytes, error) = match size {
        Ok(Ok(bytes)) => (bytes, None),
        Ok(Err(error)) => (0, Some(error.to_string())),
        Err(_) => {
            let seconds = defaults::STORE_ANSWER.as_secs();
            (0, Some(format!("no answer within {seconds} s")))
        }
    };
    observe::StoreStatus {
        address: address.to_owned(),
        bytes,
        error,
    }
}

/// An upstream and its trouble. `otherwise` is what there is to say of one that
/// is well, `height` the newest block it claims.
pub(crate) fn upstream(
    status: &UpstreamStatus,
    otherwise: Option<String>,
    height: Option<u64>,
) -> observe::UpstreamStatus {
    let trouble = status.trouble.as_ref();
    let state = match (status.state, trouble) {
        (UpstreamState::Quarantined, _) => "wrong",
        (_, Some(trouble)) => trouble.kind,
        (UpstreamState::Unknown, None) => "unknown",
        (_, None) => "ok",
    };
    let role = match status.role {
        Role::Follow => "follow",
        Role::Witness => "witness",
    };
    observe::UpstreamStatus {
        name: status.name.clone(),
        role: role.to_owned(),
        state: state.to_owned(),
        why: trouble
            .map(|trouble| alone(&trouble.words, trouble.kind, &status.name))
            .or(otherwise)
            .unwrap_or_default(),
        height,
    }
}

/// The words of a trouble without its kind and its upstream, which stand
/// beside them.
fn alone(words: &str, kind: &str, upstream: &str) -> String {
    let words = [kind, upstream].into_iter().fold(words, |words, said| {
        let rest = words.strip_prefix(said);
        let rest = rest.and_then(|rest| rest.strip_prefix(": "));
        rest.unwrap_or(words)
    });
    words.to_owned()
}

/// A lie in short: exhibits by name and length in bytes.
pub(crate) fn finding(finding: &Finding) -> observe::Finding {
    let evidence = &finding.evidence;
    let exhibits = evidence.exhibits.iter();
    observe::Finding {
        upstream: finding.upstream.clone(),
        rule: evidence.rule.clone(),
        words: evidence.words.clone(),
        height: evidence.height,
        exhibits: exhibits
            .map(|exhibit| (exhibit.name.clone(), exhibit.bytes.len() as u64))
            .collect(),
    }
}

/// The lies of a chain in full, as `/evidence` gives them.
pub(crate) fn proofs(chain: &str, findings: &[Arc<Finding>]) -> Vec<serde_json::Value> {
    let in_json = |finding: &Arc<Finding>| {
        let mut json = serde_json::to_value(&**finding).unwrap_or_default();
        json["chain"] = chain.into();
        json
    };
    findings.iter().map(in_json).collect()
}

/// Two blocks of one height.
pub(crate) fn disagreement(fork: Disagreement) -> observe::Disagreement {
    observe::Disagreement {
        height: fork.height,
        ours: fork.ours,
        upstream: fork.upstream,
        theirs: fork.theirs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_beside_a_kind_and_a_name_repeat_neither() {
        let alone = |words| alone(words, "unreachable", "http://n:1");
        assert_eq!(alone("unreachable: http://n:1: refused"), "refused");
        assert_eq!(alone("unreachable: no answer"), "no answer");
    }
}
