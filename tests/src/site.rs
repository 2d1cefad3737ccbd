//! The two sites of every pair.

use std::fmt;

/// One site of the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// The first.
    East,
    /// The second.
    West,
}

impl Site {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::East, Self::West];

    /// As the configuration spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::East => "east",
            Self::West => "west",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::East => Self::West,
            Self::West => Self::East,
        }
    }

    /// Its place in an array of both.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::East => 0,
            Self::West => 1,
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name())
    }
}
