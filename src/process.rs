//! This process: its forks, its threads and their signals, its exit, the panic guard, memory, time, and the turns of
//! threads that share a request. It knows neither httpd nor Python.

pub mod access;
pub mod blocking;
pub mod exit;
pub mod fork;
mod guard;
pub mod memory;
pub mod signals;
pub mod stop;
pub mod thread;
pub mod time;
pub mod turn;

pub use guard::caught;
