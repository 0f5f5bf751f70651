//! Every limit of this crate, with its reason.

/// Steps of a key, and so levels of directories. The deepest layout that Tezos
/// ever used (accounts split over six directories, before 2021) has twelve.
pub const MAX_STEPS: usize = 48;

/// Bytes of one step's name: the binary form counts them in one byte.
pub const MAX_NAME: usize = 255;

/// Directories and inodes inside one another while a proof is read. A real one
/// has a dozen; what recurses stays within a thread's smallest usual stack.
pub const MAX_NESTING: usize = 160;

/// Wrapper objects (`other_trees`) around one node; the encoding makes two.
pub const MAX_WRAPPERS: usize = 4;

/// Entries of a directory that is hashed as one list; one with more is hashed
/// as a tree of inodes.
pub const MAX_FLAT: usize = 256;

/// Entries of the lowest kind of inode; one with more branches.
pub const MAX_VALUES: usize = 32;

/// Children of an inode.
pub const BRANCHING: usize = 32;

/// Levels of inodes below a directory: after ten, the names' 50 hash bits are
/// used up.
pub const MAX_INODE_DEPTH: usize = 10;

/// Children from which on all 32 places of an inode are written.
pub(crate) const DENSE_FROM: usize = 15;

/// Children of an inode from which on the older binary form writes all places.
pub(crate) const DENSE_FROM_V1: usize = 16;

/// How large a proof from outside may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of its text or binary form.
    pub bytes: usize,
    /// Contents, directories, inodes and blinded parts in it: each costs some
    /// 200 bytes of memory.
    pub nodes: usize,
}

/// Room for the largest contract's code and storage, for a delegate's list of
/// thousands of delegators, and for a thousand accounts in one proof; a hostile
/// one costs some 50 MB while it is read.
impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            nodes: 1 << 18,
        }
    }
}
