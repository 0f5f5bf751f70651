//! Numbers for people, and text that cannot move a cursor.

/// Text of others on one line: what would move the cursor, end the line or
/// turn the direction of writing is shown as a dot.
pub fn clean(text: &str) -> String {
    let harmless = |letter: char| match letter {
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '·',
        '\u{2028}' | '\u{2029}' | '\u{feff}' => '·',
        letter if letter.is_control() => '·',
        letter => letter,
    };
    text.chars().map(harmless).collect()
}

/// Thousands apart.
pub fn whole(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number that may not be known.
pub fn known(number: Option<u64>) -> String {
    number.map_or_else(|| "?".to_owned(), whole)
}

/// `1.2/s` or `120/s`.
pub fn per_second(rate: f64) -> String {
    match rate < 10.0 {
        true => format!("{rate:.1}/s"),
        false => format!("{}/s", whole(rate.round() as u64)),
    }
}

/// `2.0 ms` or `1.5 s`.
pub fn latency(seconds: f64) -> String {
    match seconds {
        s if s < 0.01 => format!("{:.1} ms", s * 1_000.0),
        s if s < 1.0 => format!("{:.0} ms", s * 1_000.0),
        s => format!("{s:.1} s"),
    }
}

/// `text` in lines of at most `width` letters, broken between words where there
/// are any.
pub(super) fn wrapped(text: &str, width: usize) -> impl Iterator<Item = String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut letters: Vec<_> = word.chars().collect();
        let line = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(last) if line > 0 && line + 1 + letters.len() <= width => last.push(' '),
            Some(_) if line > 0 => lines.push(String::new()),
            _ => {}
        }
        while letters.len() > width {
            let rest = letters.split_off(width);
            if let Some(last) = lines.last_mut() {
                last.extend(letters);
            }
            lines.push(String::new());
            letters = rest;
        }
        if let Some(last) = lines.last_mut() {
            last.extend(letters);
        }
    }
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_move_a_cursor() {
        let hostile = "a\x1b[2J\r\n\u{202e}b\u{9b}31m";
        assert_eq!(clean(hostile), "a·[2J···b·31m");
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(whole(0), "0");
        assert_eq!(whole(1_234_567), "1,234,567");
        assert_eq!(per_second(0.25), "0.2/s");
        assert_eq!(per_second(1234.4), "1,234/s");
        assert_eq!(latency(0.0042), "4.2 ms");
        assert_eq!(latency(0.25), "250 ms");
        assert_eq!(latency(2.5), "2.5 s");
    }
}
