//! What is known of the process, and what of it is looked at.

use std::{collections::VecDeque, time::Instant};

use heliostat_observe::{
    ChainStatus, Finding, News, Status,
    defaults::SAMPLES,
    evidence::Shown,
    history::{ChainSample, Sample},
};

/// What the feed tells.
#[derive(Debug)]
pub enum Told {
    /// An event; `first` of a new connection, perhaps of a new process.
    News {
        /// The event.
        news: Box<News>,
        /// Whether what was known before is void.
        first: bool,
    },
    /// The process cannot be heard, and why.
    Away(String),
    /// A finding that was asked for.
    Evidence {
        /// Of which chain.
        chain: String,
        /// Which one of it.
        nth: usize,
        /// It, or why not.
        shown: Result<Shown, String>,
    },
}

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// To the one above, or up in what is open.
    Up,
    /// To the one below, or down in what is open.
    Down,
    /// From the chains to the findings and back.
    Other,
    /// Open the finding.
    Open,
    /// Close it.
    Back,
    /// Leave.
    Leave,
    /// Nothing changed but the terminal.
    Redraw,
}

/// What a key asks for beyond the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Nothing.
    Nothing,
    /// A finding with both sides.
    Evidence {
        /// Of which chain.
        chain: String,
        /// Its place among the chain's findings, from 0.
        nth: usize,
    },
    /// To leave.
    Leave,
}

/// Where the keys go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    /// The list of chains.
    #[default]
    Chains,
    /// The findings of the selected chain.
    Findings,
}

/// A finding that is open.
#[derive(Debug)]
pub struct Open {
    /// Of which chain.
    pub chain: String,
    /// Which one of it.
    pub nth: usize,
    /// It, once it has come, or why not.
    pub shown: Option<Result<Shown, String>>,
    /// Lines scrolled past.
    pub scroll: u16,
}

/// Everything the screen is drawn from.
#[derive(Debug)]
pub struct View {
    /// The process' observe address.
    pub url: String,
    /// The last event without its samples; none before the first.
    pub status: Option<Status>,
    /// Why the process cannot be heard, if so.
    pub away: Option<String>,
    /// Where the keys go.
    pub focus: Focus,
    /// The finding that is open.
    pub open: Option<Open>,
    omitted: std::collections::BTreeMap<String, (usize, usize)>,
    samples: VecDeque<Sample>,
    /// The time there, and here when it was told.
    at: (u64, Instant),
    uptime: u64,
    chain: usize,
    finding: usize,
}

impl View {
    /// Nothing is known yet.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            status: None,
            away: None,
            focus: Focus::default(),
            open: None,
            omitted: Default::default(),
            samples: VecDeque::new(),
            at: (0, Instant::now()),
            uptime: 0,
            chain: 0,
            finding: 0,
        }
    }

    /// Takes in what was told.
    pub fn take(&mut self, told: Told) {
        match told {
            Told::Away(why) => self.away = Some(why),
            Told::News { news, first } => self.take_news(*news, first),
            Told::Evidence { chain, nth, shown } => {
                let wanted = |open: &&mut Open| open.chain == chain && open.nth == nth;
                if let Some(open) = self.open.as_mut().filter(wanted) {
                    open.shown = Some(shown);
                }
            }
        }
    }

    fn take_news(&mut self, news: News, first: bool) {
        self.away = None;
        self.at = (news.at, Instant::now());
        self.uptime = news.uptime_seconds;
        if first {
            self.samples.clear();
        }
        if let Some(status) = news.status {
            self.status = Some(status);
            self.omitted = news.omitted;
        }
        self.samples.extend(news.samples);
        let over = self.samples.len().saturating_sub(SAMPLES);
        self.samples.drain(..over);
        self.chain = self.chain.min(self.chains().saturating_sub(1));
        let findings = self.findings().len();
        self.finding = self.finding.min(findings.saturating_sub(1));
        if findings == 0 {
            self.focus = Focus::Chains;
        }
    }

    /// Does what a key means.
    pub fn press(&mut self, key: Key) -> Ask {
        match (key, &mut self.open) {
            (Key::Leave, _) => return Ask::Leave,
            (Key::Redraw, _) => {}
            (Key::Up, Some(open)) => open.scroll = open.scroll.saturating_sub(1),
            (Key::Down, Some(open)) => open.scroll = open.scroll.saturating_add(1),
            (Key::Back | Key::Open | Key::Other, Some(_)) => self.open = None,
            (Key::Up, None) => self.step(|place, _| place.saturating_sub(1)),
            (Key::Down, None) => self.step(|place, last| (place + 1).min(last)),
            (Key::Back, None) => self.focus = Focus::Chains,
            (Key::Other, None) => {
                self.focus = match self.focus {
                    Focus::Chains if !self.findings().is_empty() => Focus::Findings,
                    _ => Focus::Chains,
                };
            }
            (Key::Open, None) => return self.open_finding(),
        }
        Ask::Nothing
    }

    fn step(&mut self, step: impl Fn(usize, usize) -> usize) {
        match self.focus {
            Focus::Chains => {
                let last = self.chains().saturating_sub(1);
                self.chain = step(self.chain, last);
                self.finding = 0;
            }
            Focus::Findings => {
                let last = self.findings().len().saturating_sub(1);
                self.finding = step(self.finding, last);
            }
        }
    }

    fn open_finding(&mut self) -> Ask {
        let Some((name, chain)) = self.selected() else {
            return Ask::Nothing;
        };
        if chain.findings.is_empty() {
            return Ask::Nothing;
        }
        let (name, newest) = (name.to_owned(), chain.findings.len() - 1);
        let left_out = self.omitted.get(&name).map_or(0, |omitted| omitted.0);
        let nth = left_out + newest.saturating_sub(self.finding);
        self.focus = Focus::Findings;
        self.open = Some(Open {
            chain: name.clone(),
            nth,
            shown: None,
            scroll: 0,
        });
        Ask::Evidence { chain: name, nth }
    }

    fn chains(&self) -> usize {
        self.status.as_ref().map_or(0, |status| status.chains.len())
    }

    /// The place of the selected chain.
    pub fn selected_chain(&self) -> usize {
        self.chain
    }

    /// The place of the selected finding, newest first.
    pub fn selected_finding(&self) -> usize {
        self.finding
    }

    /// The selected chain.
    pub fn selected(&self) -> Option<(&str, &ChainStatus)> {
        let chains = &self.status.as_ref()?.chains;
        let (name, chain) = chains.iter().nth(self.chain)?;
        Some((name, chain))
    }

    /// The findings of the selected chain, newest first.
    pub fn findings(&self) -> Vec<&Finding> {
        let chain = self.selected().map(|(_, chain)| chain);
        let all = chain.map_or(&[][..], |chain| &chain.findings);
        all.iter().rev().collect()
    }

    /// Findings of a chain that are not in the list.
    pub fn left_out(&self, chain: &str) -> usize {
        self.omitted.get(chain).map_or(0, |omitted| omitted.0)
    }

    /// Disagreements of a chain that are not in the list.
    pub fn forks_left_out(&self, chain: &str) -> usize {
        self.omitted.get(chain).map_or(0, |omitted| omitted.1)
    }

    /// The last hour of a chain: how long each sample was, in seconds, and
    /// what is in it.
    pub fn samples<'a>(&'a self, chain: &'a str) -> impl Iterator<Item = (f64, &'a ChainSample)> {
        let all = self.samples.iter();
        all.filter_map(move |sample| Some((sample.seconds, sample.chains.get(chain)?)))
    }

    /// The time there now, in seconds since the Unix epoch; it stands still
    /// while the process is away.
    pub fn now(&self) -> u64 {
        let (there, here) = self.at;
        match self.away {
            Some(_) => there,
            None => there + here.elapsed().as_secs(),
        }
    }

    /// Seconds since the process started.
    pub fn uptime(&self) -> u64 {
        self.uptime + (self.now() - self.at.0)
    }
}
