use super::*;

const NOW: Allowance = Allowance {
    ahead: 10,
    now: 1,
    written: 0,
};

fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
    let [.., a, b, c] = (length as u32).to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags, 0, 0, 0, 1];
    frame.resize(HEADER + length, 0);
    frame
}

fn started() -> Speech {
    let mut speech = Speech::new();
    let mut first = PREFACE.to_vec();
    first.extend(frame(4, 0, 12));
    assert_eq!(speech.hear(&first, &NOW), Heard::Between);
    speech
}

#[test]
fn the_preface_and_the_first_frame_are_owed_byte_by_byte() {
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(4, 0, 6));
    let mut speech = Speech::new();
    let (last, rest) = bytes.split_last().expect("not empty");
    for byte in rest {
        assert_eq!(speech.hear(&[*byte], &NOW), Heard::Within);
    }
    assert_eq!(speech.hear(&[*last], &NOW), Heard::Between);
}

#[test]
fn anything_else_is_http1() {
    assert_eq!(Speech::new().hear(b"GET / HTTP/1.1", &NOW), Heard::Http1);
    let mut speech = Speech::new();
    assert_eq!(speech.hear(b"PRI * ", &NOW), Heard::Within);
    assert_eq!(speech.hear(b"HTTP/1", &NOW), Heard::Http1);
}

#[test]
fn an_open_header_block_is_owed_and_half_a_data_frame_is_not() {
    let mut speech = started();
    assert_eq!(speech.hear(&frame(HEADERS, 0, 5), &NOW), Heard::Within);
    let end = frame(CONTINUATION, END_HEADERS, 5);
    assert_eq!(speech.hear(&end, &NOW), Heard::Between);
    assert_eq!(speech.hear(&frame(DATA, 0, 5)[..11], &NOW), Heard::Between);
}

#[test]
fn only_whole_frames_are_finished_except_data_and_too_large_ones() {
    let mut speech = started();
    assert_eq!(speech.unfinished(), 0);
    for (bytes, unfinished) in [
        (&frame(HEADERS, END_HEADERS, 5)[..4], 4),
        (&frame(HEADERS, END_HEADERS, 5)[4..11], 11),
        (&frame(HEADERS, END_HEADERS, 5)[11..], 0),
        (&frame(DATA, 0, 5)[..11], 0),
        (&frame(DATA, 0, 5)[11..], 0),
        (&frame(HEADERS, END_HEADERS, MAX_PAYLOAD + 1)[..20], 0),
    ] {
        speech.hear(bytes, &NOW);
        assert_eq!(speech.unfinished(), unfinished, "{bytes:?}");
    }
}

/// What was asked for after some frames, if a body of 20 bytes will do.
fn asked(heard: &[&[u8]]) -> bool {
    let Speech::Http2(mut frames) = started() else {
        panic!("it is HTTP/2");
    };
    for bytes in heard {
        frames.hear(bytes, &NOW);
    }
    frames.has_asked(20)
}

#[test]
fn settings_and_windows_ask_for_nothing() {
    for (kind, asks) in [(8, false), (4, false), (2, false), (6, true), (3, true)] {
        assert_eq!(asked(&[&frame(kind, 0, 8)]), asks, "{kind}");
    }
}

#[test]
fn a_request_asks_when_it_has_ended() {
    let whole = frame(HEADERS, END_HEADERS | END_STREAM, 5);
    assert!(asked(&[&whole]));
    assert!(!asked(&[&whole[..HEADER + 4]]));
    let head = frame(HEADERS, END_HEADERS, 5);
    assert!(!asked(&[&head]));
    let end = frame(DATA, END_STREAM, 3);
    assert!(asked(&[&head, &end]));
    assert!(!asked(&[&head, &end[..HEADER + 2]]));
    assert!(asked(&[&head, &frame(DATA, END_STREAM, 0)]));
}

#[test]
fn a_request_asks_with_enough_of_its_body_or_a_message_of_grpc() {
    let head = frame(HEADERS, END_HEADERS, 5);
    let noise = |length| {
        let mut data = frame(DATA, 0, length);
        data[HEADER..].fill(b'a');
        data
    };
    assert!(!asked(&[&head, &noise(19)]));
    assert!(asked(&[&head, &noise(19), &noise(1)]));
    assert!(asked(&[&head, &noise(1_000)[..HEADER + 20]]));
    let mut message = frame(DATA, 0, 5 + 3);
    message[HEADER + 4] = 3;
    assert!(asked(&[&head, &message]));
    assert!(!asked(&[&head, &message[..HEADER + 7]]));
    // In pieces, and beside other frames.
    let (one, other) = message.split_at(HEADER + 2);
    assert!(asked(&[&head, one, other]));
    message[HEADER] = 2;
    assert!(!asked(&[&head, &message]), "that is no gRPC");
}

#[test]
fn control_frames_are_counted_to_the_limit() {
    for kind in [2, 3, 4, 6, 7, 77] {
        let mut speech = started();
        for _ in 0..10 {
            assert_eq!(speech.hear(&frame(kind, 0, 4), &NOW), Heard::Between);
        }
        assert_eq!(speech.hear(&frame(kind, 0, 4), &NOW), Heard::Flood);
    }
}

#[test]
fn time_and_answers_earn_control_frames() {
    let mut speech = started();
    for _ in 0..10 {
        speech.hear(&frame(6, 0, 8), &NOW);
    }
    let later = Allowance { now: 11, ..NOW };
    assert_eq!(speech.hear(&frame(6, 0, 8), &later), Heard::Between);
    assert_eq!(speech.hear(&frame(6, 0, 8), &later), Heard::Flood);
    let mut speech = started();
    for _ in 0..10 {
        speech.hear(&frame(6, 0, 8), &NOW);
    }
    let answered = Allowance {
        written: u64::from(defaults::BYTES_PER_CONTROL_FRAME),
        ..NOW
    };
    assert_eq!(speech.hear(&frame(6, 0, 8), &answered), Heard::Between);
    assert_eq!(speech.hear(&frame(6, 0, 8), &answered), Heard::Flood);
}

#[test]
fn a_header_block_has_a_bounded_number_of_parts() {
    let mut speech = started();
    speech.hear(&frame(HEADERS, 0, 1), &NOW);
    for _ in 0..defaults::MAX_CONTINUATIONS {
        let part = frame(CONTINUATION, 0, 1);
        assert_eq!(speech.hear(&part, &NOW), Heard::Within);
    }
    let part = frame(CONTINUATION, END_HEADERS, 1);
    assert_eq!(speech.hear(&part, &NOW), Heard::Flood);
}
