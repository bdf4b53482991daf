//! What `PythonInterpreterOptions` and `PythonHome` say of interpreters, by their names.

use super::{Gil, MAIN, Venv};

/// A setting of interpreters: a value for a name, and one for all names that have none of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct ByName<T> {
    named: Vec<(Vec<u8>, T)>,
    others: Option<T>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self { named: Vec::new(), others: None }
    }
}

impl<T: Clone + PartialEq> ByName<T> {
    /// Sets the value for a name, or for all names without one of their own (`None`).
    ///
    /// # Errors
    /// The value that the same name was given before, if it is another.
    pub fn set(&mut self, name: Option<&[u8]>, value: T) -> Result<(), T> {
        let known = match name {
            None => self.others.as_ref(),
            Some(name) => self.of_name(name),
        };
        match (known, name) {
            (Some(known), _) if *known != value => return Err(known.clone()),
            (Some(_), _) => {}
            (None, None) => self.others = Some(value),
            (None, Some(name)) => self.named.push((name.to_vec(), value)),
        }
        Ok(())
    }

    /// The value for an interpreter, if there is any.
    pub fn get(&self, name: &[u8]) -> Option<&T> {
        self.of_name(name).or(self.others.as_ref())
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.named.iter().map(|(_, value)| value).chain(&self.others)
    }

    fn of_name(&self, name: &[u8]) -> Option<&T> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// How the interpreters of a child are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InterpreterOptions {
    pub gil: ByName<Gil>,
    /// `venv=`; `None` is `venv=none`.
    pub venv: ByName<Option<Venv>>,
    /// `PythonHome`, where it is a virtual environment.
    pub home: Option<Venv>,
    /// Of mod_wsgi's process groups: for the interpreters that are named as the group, or begin with its name and a slash.
    pub groups: Vec<(Vec<u8>, Venv)>,
}

impl InterpreterOptions {
    /// The GIL of an interpreter. The main one always has the shared GIL: it is its own.
    pub fn gil(&self, name: &[u8]) -> Gil {
        match name == MAIN {
            true => Gil::Shared,
            false => self.gil.get(name).copied().unwrap_or(Gil::Shared),
        }
    }

    /// Whether any interpreter is to have a GIL of its own.
    pub fn has_own_gil(&self) -> bool {
        self.gil.values().any(|gil| *gil == Gil::Own)
    }

    /// The virtual environment of an interpreter.
    pub fn venv(&self, name: &[u8]) -> Option<&Venv> {
        if let Some(given) = self.venv.of_name(name) {
            return given.as_ref();
        }
        let is_of = |group: &[u8]| name.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
        let of_group = self.groups.iter().filter(|(group, _)| is_of(group)).max_by_key(|(group, _)| group.len());
        match (of_group, &self.venv.others) {
            (Some((_, venv)), _) => Some(venv),
            (None, Some(given)) => given.as_ref(),
            (None, None) => self.home.as_ref(),
        }
    }

    /// Whether any interpreter has a virtual environment.
    pub fn has_venvs(&self) -> bool {
        self.home.is_some() || !self.groups.is_empty() || self.venv.values().any(Option::is_some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_wins_over_the_star_and_the_star_over_the_default() {
        let mut options = InterpreterOptions::default();
        assert_eq!(options.gil(b"a"), Gil::Shared);
        assert_eq!(options.gil.set(None, Gil::Own), Ok(()));
        assert_eq!(options.gil.set(Some(b"b"), Gil::Shared), Ok(()));
        assert_eq!((options.gil(b"a"), options.gil(b"b")), (Gil::Own, Gil::Shared));
        assert_eq!(options.gil(MAIN), Gil::Shared);
    }

    #[test]
    fn contradictions_are_refused_and_repetitions_are_not() {
        let mut gil = ByName::default();
        assert_eq!(gil.set(Some(b"a"), Gil::Own), Ok(()));
        assert_eq!(gil.set(Some(b"a"), Gil::Own), Ok(()));
        assert_eq!(gil.set(Some(b"a"), Gil::Shared), Err(Gil::Own));
        assert_eq!(gil.set(None, Gil::Shared), Ok(()));
        assert_eq!(gil.set(None, Gil::Own), Err(Gil::Shared));
    }

    #[test]
    fn none_takes_an_interpreter_out_of_the_others_venv() {
        let venv = |folder: &str| Venv::new(folder);
        let mut options = InterpreterOptions::default();
        assert_eq!((options.venv(b"a"), options.has_venvs()), (None, false));
        options.home = Some(venv("/home"));
        assert_eq!(options.venv(MAIN), Some(&venv("/home")));
        assert_eq!(options.venv.set(None, Some(venv("/star"))), Ok(()));
        assert_eq!(options.venv.set(Some(b"a"), None), Ok(()));
        assert_eq!((options.venv(b"a"), options.venv(b"b")), (None, Some(&venv("/star"))));
        assert!(options.has_venvs());
    }
}
