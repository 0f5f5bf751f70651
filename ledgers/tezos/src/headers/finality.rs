//! From the checkpoint to the newest final block.

use std::sync::Arc;

use crate::light::Core;

/// Follows finality for as long as it is asked to.
pub(crate) async fn run(core: &Arc<Core>) {
    if !core.finality_is_on() {
        return;
    }
    core.headers
        .set_unproven("the attestation quorum is not followed yet".to_owned());
}
