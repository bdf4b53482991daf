//! Handlers and filters that a handler adds to its request.

use crate::config::{FilterEntry, HandlerEntry, Name, Origin, Phase, Role, Section};
use crate::cpython::{Arguments, Object, Raised};
use crate::httpd::{Direction, LogScope, Place, Pool, Request, add_filter};
use crate::objects::request::This;

pub fn add_handler<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 3)?;
    let attached = this.attached();
    let wanted = arguments.text(0)?;
    let Some(phase) = Phase::named(&wanted).filter(|phase| *phase != Phase::Cleanup) else {
        let wanted = String::from_utf8_lossy(&wanted);
        return Err(Raised::index_error(
            attached,
            format!(
                "Invalid phase: {wanted}: it must be a request's phase as its directive is called, but for PythonCleanupHandler"
            ),
        ));
    };
    let used = this.enter(attached)?;
    let entry = entry(&arguments, 1, phase.role(), used.request())?;
    let mut state = used.state();
    if state.phase == Some(phase.directive()) {
        let more = [state.handlers, &[entry]].concat();
        // SAFETY: the request's pool outlives the running phase, at whose end the list is dropped.
        state.handlers = unsafe { for_request(used.request().pool()) }.slice(&more);
    } else {
        state.added.push((phase, entry));
        this.shared().note_added(phase);
    }
    Ok(Object::none(attached))
}

pub fn register_input_filter<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    register_filter(this, &arguments, Direction::Input)
}

pub fn register_output_filter<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    register_filter(this, &arguments, Direction::Output)
}

pub fn add_input_filter<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    use_filter(this, &arguments, Direction::Input)
}

pub fn add_output_filter<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    use_filter(this, &arguments, Direction::Output)
}

fn register_filter<'i>(
    this: This<'_, 'i>,
    arguments: &Arguments<'i>,
    direction: Direction,
) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 3)?;
    let attached = this.attached();
    let name = name(arguments)?;
    let used = this.enter(attached)?;
    let handler = entry(arguments, 1, Role::filter(direction), used.request())?;
    // SAFETY: the list goes with the request.
    let filter = FilterEntry::new(&name, handler, unsafe { for_request(used.request().pool()) });
    let mut state = used.state();
    let filters = state.filters.of_mut(direction);
    filters.retain(|known| known.name != filter.name);
    filters.push(filter);
    Ok(Object::none(attached))
}

/// Adds a filter of the request's own, or else one that httpd knows, to the request.
fn use_filter<'i>(this: This<'_, 'i>, arguments: &Arguments<'i>, direction: Direction) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    let name = name(arguments)?;
    let used = this.enter(attached)?;
    let own = FilterEntry::find(used.state().filters.of(direction), name.to_ascii_lowercase().as_bytes()).copied();
    let added = match own {
        // SAFETY: the filter is called with the request only, in whose pool this lies.
        Some(filter) => crate::objects::filter::add(used.request(), direction, filter),
        None => add_filter(used.request(), direction, &name),
    };
    if !added {
        // As httpd's own directives do: the request goes on without it.
        let (place, call, direction) = (used.request(), arguments.function(), direction.name());
        attached.detach(|| {
            // SAFETY: the request is lent.
            let _scope = unsafe { LogScope::enter(Place::Request(place.as_ptr())) };
            tracing::error!(
                "MP0420: req.{call}('{name}'): there is no filter of that name, and the request goes on without it; register one with req.register_{direction}_filter() or Python…Filter, or load the module that has it"
            );
        });
    }
    Ok(Object::none(attached))
}

/// A filter's name, the first argument.
fn name(arguments: &Arguments<'_>) -> Result<String, Raised> {
    let name = arguments.text(0)?;
    String::from_utf8(name).map_err(|_| {
        Raised::value_error(arguments.attached(), format!("{}(): the name is not UTF-8", arguments.function()))
    })
}

/// The handler that is the argument at `index`, in the directory that may follow it.
fn entry(
    arguments: &Arguments<'_>,
    index: usize,
    role: Role,
    request: Request<'_>,
) -> Result<HandlerEntry<'static>, Raised> {
    let attached = arguments.attached();
    let text = arguments.text(index)?;
    let text = std::str::from_utf8(&text)
        .map_err(|_| Raised::value_error(attached, format!("{}(): the handler is not UTF-8", arguments.function())))?;
    let name = Name::read(role, text).map_err(|sentence| Raised::value_error(attached, sentence))?;
    // SAFETY: the entry goes with the request.
    let pool = unsafe { for_request(request.pool()) };
    let section = match arguments.get(index + 1).filter(|directory| !directory.is_none()) {
        Some(_) => Section::of_directory(&arguments.text(index + 1)?, pool),
        None => Section::Server,
    };
    let call = pool.text(&format!("req.{}()", arguments.function()));
    Ok(name.entry(section, Origin { file: call, line: 0 }, pool))
}

/// A request's pool, for what is reached only while the request is there.
///
/// # Safety
/// Nothing that is made in it is used after the request.
unsafe fn for_request(pool: Pool<'_>) -> Pool<'static> {
    // SAFETY: the caller's.
    unsafe { Pool::from_raw(pool.as_ptr()) }
}
