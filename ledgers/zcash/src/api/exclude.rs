//! The exclude list of `GetMempoolTx`.

/// Keeps what an exclude list does not name. Both lists are brought into
/// ascending order; `key` gives an item's id in display order, and an entry
/// names every id that begins with it. An entry that names exactly one item
/// excludes it; one that names several excludes none, since the client cannot
/// have meant them all.
///
/// Where an entry is a beginning of another one, only the shorter one counts
/// until ids leave it behind: that is how lightwalletd's single pass works.
pub(super) fn keep<T>(items: &mut Vec<T>, mut exclude: Vec<Vec<u8>>, key: impl Fn(&T) -> [u8; 32]) {
    items.sort_by_key(&key);
    exclude.sort();
    let mut named = vec![0_usize; exclude.len()];
    let mut entry = 0;
    let matches: Vec<Option<usize>> = items
        .iter()
        .map(|item| {
            let id = key(item);
            let begins = |length: usize| &id[..length.min(id.len())];
            while exclude
                .get(entry)
                .is_some_and(|prefix| prefix.as_slice() < begins(prefix.len()))
            {
                entry += 1;
            }
            let prefix = exclude.get(entry)?;
            id.starts_with(prefix).then(|| {
                named[entry] += 1;
                entry
            })
        })
        .collect();
    let mut verdicts = matches
        .into_iter()
        .map(|entry| entry.is_none_or(|entry| named[entry] > 1));
    items.retain(|_| verdicts.next().unwrap_or(true));
}

#[cfg(test)]
mod tests {
    use super::keep;

    fn id(first: &[u8]) -> [u8; 32] {
        let mut id = [0x77; 32];
        id[..first.len()].copy_from_slice(first);
        id
    }

    fn kept(items: &[&[u8]], exclude: &[&[u8]]) -> Vec<usize> {
        let mut items: Vec<(usize, [u8; 32])> =
            items.iter().map(|item| id(item)).enumerate().collect();
        let exclude = exclude.iter().map(|entry| entry.to_vec()).collect();
        keep(&mut items, exclude, |(_, id)| *id);
        items.into_iter().map(|(index, _)| index).collect()
    }

    #[test]
    fn an_entry_that_names_one_excludes_it_and_one_that_names_two_excludes_none() {
        let items: [&[u8]; 4] = [&[3, 1], &[1, 1], &[2, 1], &[2, 2]];
        assert_eq!(kept(&items, &[]), [1, 2, 3, 0]);
        assert_eq!(kept(&items, &[&[1]]), [2, 3, 0]);
        assert_eq!(kept(&items, &[&[2]]), [1, 2, 3, 0]);
        assert_eq!(kept(&items, &[&[2, 2], &[3]]), [1, 2]);
        assert_eq!(kept(&items, &[&[9]]), [1, 2, 3, 0]);
        assert_eq!(kept(&items[..1], &[&[]]), [0_usize; 0]);
        assert_eq!(kept(&items, &[&[]]), [1, 2, 3, 0]);
        assert_eq!(kept(&items, &[&id(&[1, 1])]), [2, 3, 0]);
    }

    #[test]
    fn of_two_entries_the_beginning_of_the_other_counts() {
        let items: [&[u8]; 2] = [&[2, 1], &[2, 2]];
        assert_eq!(kept(&items, &[&[2], &[2, 2]]), [0, 1]);
    }
}
