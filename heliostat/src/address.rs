//! Addresses as they may be shown and logged.

/// A store address as it may be shown: what stands before an `@` may be a
/// password.
pub fn without_credentials(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_address_is_shown_without_its_password() {
        for (address, shown) in [
            ("postgres://u:p@ss@host/db", "postgres://host/db"),
            ("postgres://host/db", "postgres://host/db"),
            ("sqlite:/a/b@c.sqlite", "sqlite:/a/b@c.sqlite"),
        ] {
            assert_eq!(without_credentials(address), shown);
        }
    }
}
