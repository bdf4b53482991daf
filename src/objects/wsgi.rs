//! What a WSGI application gets beside texts (PEP 3333): `wsgi.input`, `wsgi.errors`, `start_response`.

mod errors;
mod input;
pub mod running;
mod start_response;

pub use errors::ErrorsObject;
pub use input::InputObject;
pub use start_response::StartResponseObject;

use crate::cpython::{Attached, Instance, Kept, Object, Raised, Visitor, state_of};

use super::module_state::ModuleState;
use super::request::RequestObject;

/// The request's object, held by an object of this folder's.
struct RequestReference(Option<Kept>);

impl RequestReference {
    fn new(attached: Attached<'_>, module_state: &ModuleState, request: &Object<'_>) -> Result<Self, Raised> {
        match module_state.cast::<RequestObject>(request) {
            Some(_) => Ok(Self(Some(request.clone().keep()))),
            None => Err(Raised::type_error(attached, format!("a request is needed, not {}", request.type_name()))),
        }
    }

    fn get<'i>(&self, attached: Attached<'i>) -> Result<Instance<'i, RequestObject>, Raised> {
        match &self.0 {
            // SAFETY: an instance of the class, as `new` has made sure of, kept in the interpreter of whoever holds this.
            Some(kept) => Ok(unsafe { state_of(attached, kept.as_ptr()) }),
            None => Err(Raised::runtime_error(attached, "the request is no longer there")),
        }
    }

    fn traverse(&self, visitor: &mut Visitor) {
        if let Some(kept) = &self.0 {
            visitor.visit(kept.as_ptr());
        }
    }

    /// For the end of whoever holds this.
    fn finish(&mut self, attached: Attached<'_>) {
        if let Some(kept) = self.0.take() {
            // SAFETY: kept in this interpreter.
            unsafe { kept.release(attached) };
        }
    }
}
