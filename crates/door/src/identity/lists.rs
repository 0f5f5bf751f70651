//! Files that say which identities may enter.
//!
//! A file ending in `.json` is a JSON array of strings, as Quorum's
//! `permissioned-nodes.json`; any other has one entry a line, `#` starts a
//! comment. An entry is an enode URL, the SHA-256 fingerprint of a certificate
//! (64 hex digits, colons allowed), or a name of a certificate.

use std::{
    collections::HashSet,
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;

use super::{Certificate, enode::NodeId};
use crate::{
    DoorError,
    files::{Files, Reloads},
};

/// The files. Deny beats allow; without an allow file everybody may enter who
/// is not denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityFiles {
    /// Who may enter.
    pub allow: Option<PathBuf>,
    /// Who may not.
    pub deny: Option<PathBuf>,
}

/// What a list is for. An entry that makes no sense is left out of a list of
/// who may enter, as GoQuorum does: it lets nobody in. In a list of who may
/// not it is an error (GoQuorum crashes).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Allow,
    Deny,
}

/// One list.
#[derive(Debug, Default)]
struct List {
    nodes: HashSet<NodeId>,
    fingerprints: HashSet<[u8; 32]>,
    names: HashSet<String>,
}

#[derive(Debug, Default)]
struct Lists {
    allow: Option<List>,
    deny: Option<List>,
}

/// Who may enter, as the files say now. Clones share the lists. A file that
/// cannot be read keeps the lists that were in force.
#[derive(Clone)]
pub struct Identities(Arc<Inner>);

struct Inner {
    files: Files,
    allow: Option<PathBuf>,
    deny: Option<PathBuf>,
    lists: ArcSwap<Lists>,
    generation: AtomicU64,
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities")
            .field("allow", &self.0.allow)
            .field("deny", &self.0.deny)
            .finish_non_exhaustive()
    }
}

impl Identities {
    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be read or makes no sense. A missing deny file is an
    /// error as well: a typing error must not let everybody in.
    pub fn load(files: IdentityFiles) -> Result<Self, DoorError> {
        let IdentityFiles { allow, deny } = files;
        let watched = Files::new(allow.iter().chain(&deny).cloned().collect());
        let read = watched.read()?;
        let lists = Lists::parse(&allow, &deny, &read)?;
        Ok(Self(Arc::new(Inner {
            files: watched,
            allow,
            deny,
            lists: ArcSwap::from_pointee(lists),
            generation: AtomicU64::new(0),
        })))
    }

    /// Whether the holder of this certificate may enter; without one, only if
    /// there is no allow file.
    pub fn may_enter(&self, certificate: Option<&Certificate>) -> bool {
        let lists = self.0.lists.load();
        lists.decide(|list| certificate.is_some_and(|shown| list.has_certificate(shown)))
    }

    /// Whether this devp2p node may enter.
    pub fn may_enter_node(&self, node: &NodeId) -> bool {
        let lists = self.0.lists.load();
        lists.decide(|list| list.nodes.contains(node))
    }

    /// Whether somebody may enter who has shown `certificate` and has proven to
    /// be `node`: one of them has to be on the allow list, none on the deny
    /// list.
    pub(crate) fn may_enter_as(
        &self,
        certificate: Option<&Certificate>,
        node: Option<&NodeId>,
    ) -> bool {
        let lists = self.0.lists.load();
        lists.decide(|list| {
            certificate.is_some_and(|shown| list.has_certificate(shown))
                || node.is_some_and(|node| list.nodes.contains(node))
        })
    }

    /// Grows with every change of the lists.
    pub(crate) fn generation(&self) -> u64 {
        self.0.generation.load(Relaxed)
    }

    /// Takes over changed files; `force` reads unchanged ones too.
    ///
    /// # Errors
    /// A file is broken; the lists stay as they were.
    pub fn reload(&self, force: bool) -> Result<bool, DoorError> {
        let inner = &self.0;
        inner.files.reload(force, |read| {
            let lists = Lists::parse(&inner.allow, &inner.deny, read)?;
            inner.lists.store(Arc::new(lists));
            inner.generation.fetch_add(1, Relaxed);
            Ok(())
        })
    }

    /// How often changed files were, or could not be, taken over.
    pub fn reloads(&self) -> Reloads {
        self.0.files.reloads()
    }
}

impl Lists {
    fn decide(&self, has: impl Fn(&List) -> bool) -> bool {
        !self.deny.as_ref().is_some_and(&has) && self.allow.as_ref().is_none_or(has)
    }

    /// `read` has the allow file's bytes first, then the deny file's.
    fn parse(
        allow: &Option<PathBuf>,
        deny: &Option<PathBuf>,
        read: &[Vec<u8>],
    ) -> Result<Self, DoorError> {
        let mut read = read.iter();
        let mut next = |path: &Option<PathBuf>, purpose: Purpose| match (
            path,
            path.as_ref().and_then(|_| read.next()),
        ) {
            (Some(path), Some(bytes)) => List::parse(path, bytes, purpose).map(Some),
            _ => Ok(None),
        };
        Ok(Self {
            allow: next(allow, Purpose::Allow)?,
            deny: next(deny, Purpose::Deny)?,
        })
    }
}

impl List {
    fn parse(path: &Path, bytes: &[u8], purpose: Purpose) -> Result<Self, DoorError> {
        let broken = |reason: String| DoorError::File {
            path: path.to_owned(),
            reason,
        };
        let text = std::str::from_utf8(bytes).map_err(|error| broken(error.to_string()))?;
        let mut list = Self::default();
        if path.extension().is_some_and(|end| end == "json") {
            let entries: Vec<String> = serde_json::from_str(text).map_err(|error| {
                broken(format!("{error}; it has to be a JSON array of strings"))
            })?;
            let wrong = entries.iter().filter(|entry| !list.add(entry));
            let wrong = wrong.filter(|entry| !entry.trim().is_empty()).count();
            if wrong > 0 && purpose == Purpose::Deny {
                return Err(broken(format!(
                    "{wrong} entries are no enode URL, fingerprint or certificate name; whoever they mean would get in"
                )));
            }
            if wrong > 0 {
                tracing::warn!(file = %path.display(), wrong, "entries of a list make no sense");
            }
            return Ok(list);
        }
        for (number, line) in text.lines().enumerate() {
            let entry = line.split('#').next().unwrap_or_default().trim();
            if !entry.is_empty() && !list.add(entry) {
                return Err(broken(format!(
                    "line {} is no enode URL, fingerprint or certificate name",
                    number + 1
                )));
            }
        }
        Ok(list)
    }

    /// False for what is nothing.
    fn add(&mut self, entry: &str) -> bool {
        let entry = entry.trim();
        if let Ok(node) = entry.parse() {
            self.nodes.insert(node);
            return true;
        }
        if entry.is_empty() || entry.starts_with("enode:") || entry.contains(char::is_whitespace) {
            return false;
        }
        let digits = entry.strip_prefix("sha256:").unwrap_or(entry);
        let digits: String = digits.chars().filter(|c| *c != ':').collect();
        let mut fingerprint = [0; 32];
        if hex::decode_to_slice(&digits, &mut fingerprint).is_ok() {
            self.fingerprints.insert(fingerprint);
        } else {
            self.names.insert(entry.to_lowercase());
        }
        true
    }

    fn has_certificate(&self, shown: &Certificate) -> bool {
        self.fingerprints.contains(&shown.fingerprint)
            || shown.names.iter().any(|name| self.names.contains(name))
    }
}
