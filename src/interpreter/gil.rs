//! GIL modes: `PythonInterpreterOptions … gil=shared|own`.

use std::fmt;

/// Whose lock an interpreter runs under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gil {
    /// The main interpreter's: one interpreter at a time runs Python.
    Shared,
    /// One of its own (PEP 684, CPython 3.12): interpreters run in parallel.
    Own,
}

impl fmt::Display for Gil {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Shared => "shared",
            Self::Own => "own",
        })
    }
}

impl Gil {
    /// Whether the Python that the module was built for can give an interpreter a GIL of its own.
    pub const OWN_SUPPORTED: bool = cfg!(Py_3_12);
}

/// The GIL mode by interpreter name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GilOptions {
    named: Vec<(Vec<u8>, Gil)>,
    others: Option<Gil>,
}

impl GilOptions {
    /// Sets the mode for a name, or for all names without one of their own (`None`).
    ///
    /// # Errors
    /// The mode that the same name was given before, if it is another.
    pub fn set(&mut self, name: Option<&[u8]>, gil: Gil) -> Result<(), Gil> {
        let known = match name {
            None => self.others,
            Some(name) => self.named.iter().find(|(known, _)| known == name).map(|(_, gil)| *gil),
        };
        match (known, name) {
            (Some(known), _) if known != gil => return Err(known),
            (Some(_), _) => {}
            (None, None) => self.others = Some(gil),
            (None, Some(name)) => self.named.push((name.to_vec(), gil)),
        }
        Ok(())
    }

    /// The mode of an interpreter. The main one always has the shared GIL: it is its own.
    pub fn of(&self, name: &[u8]) -> Gil {
        if name == super::MAIN {
            return Gil::Shared;
        }
        let named = self.named.iter().find(|(known, _)| known == name).map(|(_, gil)| *gil);
        named.or(self.others).unwrap_or(Gil::Shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_wins_over_the_star_and_the_star_over_the_default() {
        let mut options = GilOptions::default();
        assert_eq!(options.of(b"a"), Gil::Shared);
        assert_eq!(options.set(None, Gil::Own), Ok(()));
        assert_eq!(options.set(Some(b"b"), Gil::Shared), Ok(()));
        assert_eq!((options.of(b"a"), options.of(b"b")), (Gil::Own, Gil::Shared));
        assert_eq!(options.of(super::super::MAIN), Gil::Shared);
    }

    #[test]
    fn contradictions_are_refused_and_repetitions_are_not() {
        let mut options = GilOptions::default();
        assert_eq!(options.set(Some(b"a"), Gil::Own), Ok(()));
        assert_eq!(options.set(Some(b"a"), Gil::Own), Ok(()));
        assert_eq!(options.set(Some(b"a"), Gil::Shared), Err(Gil::Own));
        assert_eq!(options.set(None, Gil::Shared), Ok(()));
        assert_eq!(options.set(None, Gil::Own), Err(Gil::Shared));
    }
}
