//! The initial sync for people: drawn on a terminal, logged elsewhere.

use std::time::Duration;

use heliostat_node::{Progress, State};
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::{sync::watch, time};

use crate::defaults::{PROGRESS_DRAW, PROGRESS_LOG};

/// Height, target, pace and what remains, on one line.
const BAR: &str = "{prefix} {bar:30} {pos}/{len} {msg}";
/// What is waited for, before there is a height.
const WAITING: &str = "{prefix} {wide_msg}";

/// What is drawn on standard error; clones draw on the same place.
#[derive(Clone)]
pub struct Display {
    bars: MultiProgress,
    on_terminal: bool,
}

impl Display {
    /// A display that draws when `on_terminal`, and logs otherwise.
    pub fn new(on_terminal: bool) -> Self {
        let target = match on_terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            on_terminal,
        }
    }

    /// Writes something else to standard error without tearing the drawing.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match self.on_terminal {
            true => self.bars.suspend(write),
            false => write(),
        }
    }

    /// Removes the drawing.
    pub fn clear(&self) {
        // Fails when the terminal is gone, and the drawing with it.
        let _ = self.bars.clear();
    }

    /// Shows the chains until dropped.
    pub async fn follow(&self, chains: Vec<(String, watch::Receiver<Progress>)>) {
        let mut shown: Vec<_> = chains
            .into_iter()
            .map(|(name, progress)| Shown::new(name, progress))
            .collect();
        let pause = match self.on_terminal {
            true => PROGRESS_DRAW,
            false => PROGRESS_LOG,
        };
        loop {
            for chain in &mut shown {
                let now = chain.progress.borrow().clone();
                match self.on_terminal {
                    true => chain.draw(&self.bars, &now),
                    false => chain.log(&now),
                }
            }
            time::sleep(pause).await;
        }
    }
}

/// One chain.
struct Shown {
    name: String,
    progress: watch::Receiver<Progress>,
    bar: Option<ProgressBar>,
    logged: Option<State>,
}

impl Shown {
    fn new(name: String, progress: watch::Receiver<Progress>) -> Self {
        Self {
            name,
            progress,
            bar: None,
            logged: None,
        }
    }

    fn draw(&mut self, bars: &MultiProgress, now: &Progress) {
        if !matches!(now.state, State::Syncing | State::Waiting(_)) {
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
                bars.remove(&bar);
            }
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            bars.add(ProgressBar::no_length().with_prefix(self.name.clone()))
        });
        let template = match now.state {
            State::Syncing => BAR,
            _ => WAITING,
        };
        let style = ProgressStyle::with_template(template);
        // Each of these draws: the words first, so that they fit the line.
        bar.set_message(words(now));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let height = now.height().unwrap_or(0);
        bar.set_length(now.target.unwrap_or(height));
        bar.set_position(height);
    }

    /// Logs the sync at intervals, and anything else once.
    fn log(&mut self, now: &Progress) {
        let chain = self.name.as_str();
        let news = self.logged.as_ref() != Some(&now.state);
        match &now.state {
            State::Syncing => tracing::info!(
                chain,
                height = now.height(),
                target = now.target,
                blocks_per_second = now.rate.round(),
                remaining = now.remaining().map(in_words),
                "syncing"
            ),
            other if news => tracing::info!(chain, height = now.height(), "{other}"),
            _ => {}
        }
        self.logged = Some(now.state.clone());
    }
}

/// Pace and remaining time, or what is waited for.
fn words(now: &Progress) -> String {
    match &now.state {
        State::Syncing => {
            let pace = format!("{:.0} blocks/s", now.rate);
            match now.remaining().map(in_words) {
                Some(remaining) => format!("{pace}, {remaining} left"),
                None => pace,
            }
        }
        other => other.to_string(),
    }
}

fn in_words(remaining: Duration) -> String {
    HumanDuration(remaining).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_sync_has_pace_and_remaining_time() {
        let now = Progress {
            state: State::Syncing,
            local: None,
            target: Some(1199),
            rate: 10.0,
            stale: false,
        };
        assert_eq!(words(&now), "10 blocks/s, 2 minutes left");
        // Nothing is known of the time before there is a pace.
        let begun = Progress { rate: 0.0, ..now };
        assert_eq!(words(&begun), "0 blocks/s");
        assert!(
            [BAR, WAITING]
                .iter()
                .all(|line| ProgressStyle::with_template(line).is_ok())
        );
    }
}
