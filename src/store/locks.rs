//! Locks in a store: who has one, and who waits for it, in the order in which they came. Times are those of `process::time::since_boot`: a clock
//! that is set gives no lock to a second one.

use super::entries;
use super::error::Failure;
use super::lmdb::{View, Writing};
use super::presence::TOKEN;

/// Somebody who has a lock or waits for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Party {
    pub token: [u8; TOKEN],
    /// Until when that is so, in milliseconds; 0 for as long as its process lives.
    pub until: u64,
}

/// The state of a lock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    pub holder: Option<Party>,
    pub waiting: Vec<Party>,
}

const PARTY: usize = TOKEN + 8;

impl Lock {
    /// The state of a lock, as it is stored: whether there is a holder, and the parties.
    fn parsed(stored: &[u8]) -> Result<Self, Failure> {
        let (has_holder, parties) = stored.split_first().ok_or(Failure::Damaged)?;
        let party = |bytes: &[u8]| {
            let (token, until) = bytes.split_at_checked(TOKEN).ok_or(Failure::Damaged)?;
            Ok(Party {
                token: token.try_into().map_err(|_| Failure::Damaged)?,
                until: until.try_into().map(u64::from_be_bytes).map_err(|_| Failure::Damaged)?,
            })
        };
        let mut waiting = parties.chunks(PARTY).map(party).collect::<Result<Vec<_>, Failure>>()?;
        let holder = (*has_holder != 0 && !waiting.is_empty()).then(|| waiting.remove(0));
        Ok(Self { holder, waiting })
    }

    fn stored(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.holder.is_some())];
        for party in self.holder.iter().chain(&self.waiting) {
            bytes.extend(party.token);
            bytes.extend(party.until.to_be_bytes());
        }
        bytes
    }

    /// Takes out those whose time has ended, and those that are dead.
    fn prune(&mut self, now: u64, dead: &[[u8; TOKEN]]) {
        let is_over = |party: &Party| (party.until != 0 && party.until <= now) || dead.contains(&party.token);
        self.holder = self.holder.filter(|holder| !is_over(holder));
        self.waiting.retain(|party| !is_over(party));
    }

    /// One try: whether `token` has the lock now. Otherwise it waits in its place until `place`, unless that is 0.
    fn attempt(&mut self, token: [u8; TOKEN], until: u64, place: u64) -> bool {
        let index = self.waiting.iter().position(|party| party.token == token);
        if self.holder.is_none() && index.unwrap_or(self.waiting.len()) == 0 {
            if index.is_some() {
                self.waiting.remove(0);
            }
            self.holder = Some(Party { token, until });
            return true;
        }
        match index {
            Some(index) if place == 0 => drop(self.waiting.remove(index)),
            Some(index) => self.waiting[index].until = place,
            None if place != 0 => self.waiting.push(Party { token, until: place }),
            None => {}
        }
        false
    }
}

/// What a lock is like now.
pub fn look(view: &View<'_>, name: &[u8], now: u64) -> Result<Lock, Failure> {
    entries::get(view, name, now)?.map_or(Ok(Lock::default()), |entry| Lock::parsed(entry.value))
}

fn keep(writing: &mut Writing<'_>, name: &[u8], lock: &Lock, now: u64) -> Result<(), Failure> {
    match *lock == Lock::default() {
        true => entries::delete(writing, name),
        false => entries::put(writing, name, &lock.stored(), 0, now),
    }
}

/// How one tries to take a lock. Times in milliseconds; 0 for a lock without a limit, and for no place among those that wait.
pub struct Attempt<'a> {
    pub token: [u8; TOKEN],
    pub ttl: u64,
    pub place: u64,
    pub dead: &'a [[u8; TOKEN]],
}

/// Tries to take a lock.
pub fn attempt(writing: &mut Writing<'_>, name: &[u8], attempt: &Attempt<'_>, now: u64) -> Result<bool, Failure> {
    let mut lock = look(writing, name, now)?;
    let from_now = |time: u64| if time == 0 { 0 } else { now.saturating_add(time) };
    lock.prune(now, attempt.dead);
    let taken = lock.attempt(attempt.token, from_now(attempt.ttl), from_now(attempt.place));
    keep(writing, name, &lock, now)?;
    Ok(taken)
}

/// Gives a lock back, or the place among those that wait. Returns whether `token` had it.
pub fn release(writing: &mut Writing<'_>, name: &[u8], token: [u8; TOKEN], now: u64) -> Result<bool, Failure> {
    let mut lock = look(writing, name, now)?;
    let had = lock.holder.is_some_and(|holder| holder.token == token);
    if had {
        lock.holder = None;
    }
    lock.waiting.retain(|party| party.token != token);
    keep(writing, name, &lock, now)?;
    Ok(had)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u8; TOKEN] = [1; TOKEN];
    const B: [u8; TOKEN] = [2; TOKEN];
    const C: [u8; TOKEN] = [3; TOKEN];

    #[test]
    fn it_goes_round_in_the_order_in_which_they_came() {
        let mut lock = Lock::default();
        assert!(lock.attempt(A, 0, 100));
        assert!(!lock.attempt(B, 0, 100));
        assert!(!lock.attempt(C, 0, 100));
        lock.holder = None;
        assert!(!lock.attempt(C, 0, 100), "B was first");
        assert!(lock.attempt(B, 0, 100));
        lock.holder = None;
        assert!(!lock.attempt(A, 0, 100), "C waits");
        assert!(lock.attempt(C, 0, 100));
    }

    #[test]
    fn the_dead_and_those_whose_time_has_ended_are_passed_over() {
        let mut lock = Lock::default();
        assert!(lock.attempt(A, 50, 0));
        assert!(!lock.attempt(B, 0, 60));
        assert!(!lock.attempt(C, 0, 200));
        lock.prune(49, &[]);
        assert_eq!((lock.holder.is_some(), lock.waiting.len()), (true, 2));
        lock.prune(50, &[]);
        assert_eq!((lock.holder, lock.waiting.len()), (None, 2));
        lock.prune(51, &[B]);
        assert!(lock.attempt(C, 0, 0));
        assert_eq!(lock, Lock { holder: Some(Party { token: C, until: 0 }), waiting: vec![] });
    }

    #[test]
    fn who_does_not_wait_has_no_place() {
        let mut lock = Lock::default();
        assert!(lock.attempt(A, 0, 0));
        assert!(!lock.attempt(B, 0, 0));
        assert!(lock.waiting.is_empty());
        assert!(!lock.attempt(B, 0, 100));
        assert!(!lock.attempt(B, 0, 0));
        assert!(lock.waiting.is_empty());
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let holder = Some(Party { token: A, until: 7 });
        for lock in [
            Lock { holder, waiting: vec![] },
            Lock { holder: None, waiting: vec![Party { token: B, until: 8 }] },
            Lock { holder, waiting: vec![Party { token: B, until: 8 }, Party { token: C, until: 0 }] },
        ] {
            assert_eq!(Lock::parsed(&lock.stored()).ok(), Some(lock));
        }
        for damaged in [&[][..], &[1, 2], &[0; PARTY]] {
            assert!(Lock::parsed(damaged).is_err(), "{damaged:?}");
        }
    }
}
