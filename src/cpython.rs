//! A thin safe layer over CPython's C API that knows nothing of httpd.
//!
//! `Attached` is the proof that this thread may use Python. References are owned (`Object`), a raised exception is the
//! value `Raised`, and a class is a Rust struct that implements `Class`. No Python object is shared by interpreters.

mod arguments;
mod attached;
mod buffer;
pub mod class;
pub mod code;
mod error;
mod gilstate;
mod interpreters;
mod iterator;
pub mod module;
mod number;
mod object;
mod site;
mod slots;
mod startup;
mod thread_state;
mod threads;

pub use arguments::Arguments;
pub use attached::{AttachGuard, Attached, Detached, UsedDetached, attach, attach_at_exit, attached_id};
pub use class::{Class, GetSet, Instance, Method, Visitor, class_of, new_instance, state_of};
pub(crate) use class::{getter, method, setter};
pub use error::{Exception, Raised};
pub use interpreters::{NewOptions, has_other_threads, new_interpreter, other_interpreters, thread_states};
pub use iterator::{Items, Iterate, iterator_slots};
pub(crate) use module::function;
pub use module::{ModuleSlots, ModuleTable, State, module_slots, module_state};
pub use object::{Kept, Object};
pub use slots::{
    Call, Initialise, Mapping, Repr, Sequence, Subscript, call_slot, initialise_slot, mapping_slots, repr_slot,
    sequence_slot, subscript_slots,
};
pub use startup::{Home, StartOptions, full_version, loaded_version, start};
pub use thread_state::{close, is_in_python, leave_states_when};
pub use threads::{current_exceptions, current_frames};
