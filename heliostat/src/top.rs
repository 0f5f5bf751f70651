//! `heliostat top`: the dashboard in a terminal. Reads the same events from
//! the observe address as the page does.
//!
//! | module | what it holds |
//! |---|---|
//! | `feed` | the events and evidence of a process, over HTTP |
//! | [`view`] | what is known and what is looked at |
//! | [`draw`] | both on a screen |
//! | `words` | numbers for people, and text that cannot move a cursor |

pub mod draw;
mod feed;
pub mod view;
mod words;

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};
use tokio::sync::mpsc;

use crate::{
    cli::exit::Failure,
    defaults::TOP_DRAW,
    run::{Signals, runtime},
    status::with_scheme,
};
use feed::Feed;
use view::{Ask, Key, View};

/// Keys that wait to be handled; a person types slower.
const KEYS: usize = 64;

/// How long the reader of the keyboard waits before it looks whether it is
/// still wanted.
const KEYBOARD: Duration = Duration::from_millis(100);

/// Shows the process that observes at `url` until `q`, Ctrl-C or a signal. A
/// process that is away is waited for.
///
/// # Errors
/// There is no terminal.
pub fn run(url: &str) -> Result<(), Failure> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::Usage(anyhow::anyhow!(
            "top draws on a terminal, and this is none; heliostat status prints the same once"
        )));
    }
    let url = with_scheme(url);
    let runtime = runtime()?;
    let signals = runtime.block_on(async { Signals::install() })?;
    let mut terminal = ratatui::try_init()
        .map_err(|error| Failure::failed(format!("cannot use the terminal: {error}")))?;
    let ended = runtime.block_on(show(&mut terminal, &url, signals));
    ratatui::restore();
    ended.map_err(|error| Failure::failed(format!("cannot draw on the terminal: {error}")))
}

async fn show(terminal: &mut DefaultTerminal, url: &str, mut signals: Signals) -> io::Result<()> {
    let mut feed = Feed::open(url);
    let mut keys = keyboard();
    let mut view = View::new(url);
    let mut ticks = tokio::time::interval(TOP_DRAW);
    loop {
        terminal.draw(|frame| draw::draw(frame, &view))?;
        tokio::select! {
            told = feed.next() => view.take(told),
            key = keys.recv() => match key.map(|key| view.press(key)) {
                Some(Ask::Nothing) => {}
                Some(Ask::Evidence { chain, nth }) => feed.open_evidence(chain, nth),
                // Without a keyboard nobody could leave.
                Some(Ask::Leave) | None => return Ok(()),
            },
            // Ages go on, and terminals change their size.
            _ = ticks.tick() => {}
            () = signals.next() => return Ok(()),
        }
    }
}

/// What is typed. The thread that reads it ends soon after the receiver.
fn keyboard() -> mpsc::Receiver<Key> {
    let (send, keys) = mpsc::channel(KEYS);
    std::thread::spawn(move || {
        while !send.is_closed() {
            let typed = match event::poll(KEYBOARD) {
                Ok(true) => event::read(),
                Ok(false) => continue,
                Err(_) => return,
            };
            let key = match typed {
                Ok(Event::Key(key)) => meaning(&key),
                Ok(Event::Resize(..)) => Some(Key::Redraw),
                Ok(_) => None,
                Err(_) => return,
            };
            if let Some(key) = key
                && send.blocking_send(key).is_err()
            {
                return;
            }
        }
    });
    keys
}

/// What a key means.
fn meaning(key: &KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if control => Key::Leave,
        KeyCode::Char('q') => Key::Leave,
        KeyCode::Up | KeyCode::Char('k') => Key::Up,
        KeyCode::Down | KeyCode::Char('j') => Key::Down,
        KeyCode::Tab | KeyCode::BackTab => Key::Other,
        KeyCode::Enter => Key::Open,
        KeyCode::Esc => Key::Back,
        _ => return None,
    })
}
