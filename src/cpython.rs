//! A thin safe layer over CPython's C API that knows nothing of httpd.
//!
//! `Attached` is the proof that this thread may touch Python. References are owned (`Object`), a raised exception is the
//! value `Raised`, and a class is a Rust struct that implements `Class`. No Python object is process-wide state.

mod arguments;
mod attached;
mod buffer;
pub mod class;
mod error;
mod iterator;
pub mod module;
mod object;
mod slots;
mod startup;
mod thread;

use crate::httpd::guard;

pub use arguments::Arguments;
pub use attached::Attached;
pub use class::{Class, GetSet, Instance, Method, Visitor, class_of, new_instance, state_of};
pub(crate) use class::{getter, method, setter};
pub use error::{Exception, Raised};
pub use guard::caught;
pub use iterator::{Iterate, iterator_slots};
pub(crate) use module::function;
pub use module::{ModuleSlots, ModuleState, ModuleTable, module_slots, module_state};
pub use object::{Kept, Object};
pub use slots::{Initialise, Mapping, Repr, Sequence, initialise_slot, mapping_slots, repr_slot, sequence_slot};
pub use startup::{StartOptions, full_version, loaded_version, start};
pub use thread::{
    AttachGuard, attach, attach_at_exit, attached_id, close, has_other_threads, is_in_python, leave_states_when,
    new_interpreter, other_interpreters, thread_states,
};
