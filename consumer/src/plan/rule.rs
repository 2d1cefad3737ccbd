//! The names of the rules. ARCHITECTURE.md's table of rules is checked against this list.

/// Why a plan is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The event's kind or what it told is of a newer release.
    UnknownSymbol,
    /// Anything but the birth of an object reads the target before it plans.
    ReadFirst,
    /// What was told BORN, or examined with leave, creates a version that the target lacks.
    BirthCreates,
    /// Everything else creates nothing: the birth is still to come, or the removal is.
    OnlyBirthsCreate,
    /// The target holds the version as the index says.
    AlreadyThere,
    /// The target holds something else under this version id.
    IdentityDiffers,
    /// An OBJECT event without an object: a record that no producer of ours writes.
    NoState,
    /// Encrypted with a key that only the customer has.
    CustomerKey,
    /// A removed version stays removed, whoever says otherwise.
    RemovedIsTerminal,
    /// What the source's lifecycle removes stays here until this site's own lifecycle removes it.
    LifecycleStays,
    /// The removal is executed; locks that replication placed, or that the removing site had overcome, are lifted for it.
    RemovalActs,
    /// Running COMPLIANCE, or a lock that a client set at the target unknown to the removing site, refuses the removal.
    LockRefusesRemoval,
    /// A lock stands in the way of a removal: its own site is asked whether a notice of it is under way.
    LockInTheWay,
    /// A tag or lock value that its site did not last have would be overwritten.
    UnexplainedValue,
    /// The target's null version has a tag or lock value of which nothing is stamped.
    UnstampedValue,
    /// The target's attributes are brought to what the index decides.
    IndexDecides,
    /// The greater register of the null version is applied.
    NullRegisterWins,
    /// The target's null version is the greater one, or the same.
    NullRegisterLoses,
    /// A marker that was put at the target before is not there, and nothing says that it was removed.
    UnexplainedAbsence,
    /// What the target holds as its null version fits no register.
    UnexplainedNull,
    /// The target's null version is locked by a client there, or under COMPLIANCE: it is neither replaced nor removed.
    LockedAtTarget,
    /// A fact tells of a null object that the target lacks: the other sites are asked for it.
    NullObjectAsked,
}

impl Rule {
    /// All rules, in the order of the table.
    pub const ALL: [Rule; 22] = [
        Rule::UnknownSymbol,
        Rule::ReadFirst,
        Rule::BirthCreates,
        Rule::OnlyBirthsCreate,
        Rule::AlreadyThere,
        Rule::IdentityDiffers,
        Rule::NoState,
        Rule::CustomerKey,
        Rule::RemovedIsTerminal,
        Rule::LifecycleStays,
        Rule::RemovalActs,
        Rule::LockRefusesRemoval,
        Rule::LockInTheWay,
        Rule::UnexplainedValue,
        Rule::UnstampedValue,
        Rule::IndexDecides,
        Rule::NullRegisterWins,
        Rule::NullRegisterLoses,
        Rule::UnexplainedAbsence,
        Rule::UnexplainedNull,
        Rule::LockedAtTarget,
        Rule::NullObjectAsked,
    ];

    /// Whether the target holds the version as the index says, once a record has ended by this rule.
    #[must_use]
    pub const fn leaves_right(self) -> bool {
        matches!(self, Rule::BirthCreates | Rule::AlreadyThere | Rule::IndexDecides) || self.decides_whole()
    }

    /// Whether that is so of the version as a whole, whatever record ended by it: other rules compare, with a fact, the
    /// attributes alone.
    #[must_use]
    pub const fn decides_whole(self) -> bool {
        matches!(self, Rule::RemovalActs | Rule::RemovedIsTerminal | Rule::NullRegisterWins)
    }

    /// The rule's name in the table, in metrics, and as a dead letter's reason.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Rule::UnknownSymbol => "unknown-symbol",
            Rule::ReadFirst => "read-first",
            Rule::BirthCreates => "birth-creates",
            Rule::OnlyBirthsCreate => "only-births-create",
            Rule::AlreadyThere => "already-there",
            Rule::IdentityDiffers => "identity-differs",
            Rule::NoState => "no-state",
            Rule::CustomerKey => "customer-key",
            Rule::RemovedIsTerminal => "removed-is-terminal",
            Rule::LifecycleStays => "lifecycle-stays",
            Rule::RemovalActs => "removal-acts",
            Rule::LockRefusesRemoval => "lock-refuses-removal",
            Rule::LockInTheWay => "lock-in-the-way",
            Rule::UnexplainedValue => "unexplained-value",
            Rule::UnstampedValue => "unstamped-value",
            Rule::IndexDecides => "index-decides",
            Rule::NullRegisterWins => "null-register-wins",
            Rule::NullRegisterLoses => "null-register-loses",
            Rule::UnexplainedAbsence => "unexplained-absence",
            Rule::UnexplainedNull => "unexplained-null",
            Rule::LockedAtTarget => "locked-at-target",
            Rule::NullObjectAsked => "null-object-asked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in ARCHITECTURE.md has every rule, in this order, and no other.
    #[test]
    fn the_table_of_rules_is_complete() {
        let page = include_str!("../../../ARCHITECTURE.md");
        let table = page.split_once("| rule | what it decides |").map_or("", |(_, rest)| rest);
        let table = table.split("\n\n").next().unwrap_or_default();
        let names: Vec<_> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let rules: Vec<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(names, rules);
    }
}
