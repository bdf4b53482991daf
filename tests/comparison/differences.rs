//! What differs from mod_python 3.5, and why. A test fails for a difference that is not here, and for one that is not there.

/// One difference, wherever it shows.
pub struct Difference {
    /// What it is about.
    pub what: &'static str,
    /// What mod_python 3.5 does.
    pub theirs: &'static str,
    /// What ours does.
    pub ours: &'static str,
    pub reason: &'static str,
    /// The requests, `site/name`, and the parts of their answers in which it shows.
    pub seen: &'static [(&'static str, &'static str)],
}

pub const DIFFERENCES: &[Difference] = &[];

/// What is not sent to mod_python 3.5, and why.
pub const NOT_COMPARED: &[(&str, &str)] = &[];
