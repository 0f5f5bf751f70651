//! `heliostat top`: on a screen of the test's own, and once in a terminal.

#[path = "top/screen.rs"]
mod screen;
#[path = "top/terminal.rs"]
mod terminal;
