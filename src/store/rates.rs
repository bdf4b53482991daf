//! Rates: at most so many uses in any stretch of time of a length. The moments of the latest uses are kept, so the limit is exact.

use super::entries;
use super::error::Failure;
use super::lmdb::Writing;

/// The largest limit: its moments fill 80 kB.
pub const LARGEST_LIMIT: usize = 10_000;

/// Notes a use if there were fewer than `limit` in the latest `per` milliseconds: 0, else the milliseconds until there will be.
pub fn note(writing: &mut Writing<'_>, name: &[u8], limit: usize, per: u64, now: u64) -> Result<u64, Failure> {
    let mut moments: Vec<u64> = match entries::get(writing, name, now)? {
        None => Vec::new(),
        Some(entry) => entry
            .value
            .chunks(8)
            .map(|moment| moment.try_into().map(u64::from_be_bytes).map_err(|_| Failure::Damaged))
            .collect::<Result<_, _>>()?,
    };
    // Those of a clock that was set back are no reason to wait longer than the whole time.
    moments.retain(|moment| *moment <= now && now - *moment < per);
    if moments.len() >= limit {
        // The one that has to leave first.
        let first = moments[moments.len() - limit];
        return Ok((per - (now - first)).max(1));
    }
    moments.push(now);
    let value: Vec<u8> = moments.iter().flat_map(|moment| moment.to_be_bytes()).collect();
    entries::put(writing, name, &value, per, now)?;
    Ok(0)
}
