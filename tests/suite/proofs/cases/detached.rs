//! What proves that a thread is attached, and what was borrowed with that proof, cannot be used while it is not.

use mod_python::proofs::*;

fn the_proof(attached: Attached<'_>) -> bool {
    attached.detach(|| attached.has_error()) //~ E0277
}

fn the_proof_by_value(attached: Attached<'_>) -> bool {
    attached.detach(move || attached.has_error()) //~ E0277
}

fn an_object(attached: Attached<'_>, object: &Object<'_>) -> bool {
    attached.detach(|| object.is_true().is_ok()) //~ E0277
}

fn an_object_by_value(attached: Attached<'_>, object: Object<'_>) {
    attached.detach(move || drop(object)); //~ E0277
}

fn a_guard(attached: Attached<'_>, guard: &AttachGuard<'_>) -> bool {
    attached.detach(|| guard.attached().has_error()) //~ E0277
}

fn what_contains_one(attached: Attached<'_>, objects: &[Option<Object<'_>>]) -> usize {
    attached.detach(|| objects.len()) //~ E0277
}

fn a_record_in_use(attached: Attached<'_>, record: &InUse<'_, u8>) {
    attached.detach(|| record.as_ptr()); //~ E0277
}

unsafe fn the_outer_proof_under_an_inner_guard(attached: Attached<'_>, other: *mut PyInterpreterState) -> bool {
    attached.detach_to_attach(|detached| { //~ E0277
        let _guard = unsafe { attach(detached, other) };
        attached.has_error()
    })
}

fn an_exception(attached: Attached<'_>, raised: Raised) {
    attached.detach(move || drop(raised)); //~ E0277
}
