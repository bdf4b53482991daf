//! Guards end in the order in which they nest, and their proofs end with them.

use mod_python::proofs::*;

unsafe fn a_second_guard_beside_the_first(detached: &mut Detached<'_>, interpreter: *mut PyInterpreterState) {
    let outer = unsafe { attach(detached, interpreter) };
    let inner = unsafe { attach(detached, interpreter) }; //~ E0499
    drop(outer);
    drop(inner);
}

unsafe fn a_proof_after_its_guard(detached: &mut Detached<'_>, interpreter: *mut PyInterpreterState) -> Option<bool> {
    let guard = unsafe { attach(detached, interpreter) }?;
    let attached = guard.attached();
    drop(guard); //~ E0505
    Some(attached.has_error())
}

unsafe fn a_proof_that_leaves(detached: &mut Detached<'_>, interpreter: *mut PyInterpreterState) -> Option<bool> {
    let attached = unsafe { attach(detached, interpreter) }?.attached(); //~ E0716
    Some(attached.has_error())
}

fn a_proof_that_is_returned(guard: AttachGuard<'_>) -> Attached<'_> {
    guard.attached() //~ E0515
}

fn a_proof_for_good(attached: Attached<'_>) -> Attached<'static> {
    attached //~ lifetime
}

unsafe fn an_inner_guard_that_outlives_its_outer_one(attached: Attached<'_>, other: *mut PyInterpreterState) {
    let kept = attached.detach_to_attach(|detached| unsafe { attach(detached, other) }); //~ lifetime
    drop(kept);
}

fn an_object_after_its_guard(guard: AttachGuard<'_>) -> bool {
    let object = Object::none(guard.attached());
    drop(guard); //~ E0505
    object.is_true().is_ok()
}
