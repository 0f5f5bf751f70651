//! The stream of heads: one JSON object a line, a line whenever the node's
//! head is another one.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::{blocks, reply::Reply, server::Shared, view::View};

/// A stream that does not end.
pub(super) fn stream(shared: &Arc<Shared>) -> Reply {
    let mut world = shared.network.watch();
    let ways = shared.watch();
    world.mark_changed();
    let shared = shared.clone();
    let lines = stream::unfold(
        (world, ways, None),
        move |(mut world, mut ways, mut last)| {
            let shared = shared.clone();
            async move {
                loop {
                    let changed = tokio::select! {
                        changed = world.changed() => changed.is_ok(),
                        changed = ways.changed() => changed.is_ok(),
                    };
                    if !changed {
                        return None;
                    }
                    let view = shared.view();
                    let line = line(&view);
                    if last.as_ref() != Some(&line) {
                        last = Some(line.clone());
                        return Some((line, (world, ways, last)));
                    }
                }
            }
        },
    );
    Reply::stream(lines.boxed())
}

fn line(view: &View) -> Bytes {
    let head = view.head();
    let mut json = view.header(head).heads_json();
    json["hash"] = blocks::named_hash(view, head, "head").to_string().into();
    format!("{json}\n").into()
}
