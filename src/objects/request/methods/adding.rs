//! Handlers and filters that a handler adds to its request.

use crate::config::{FilterHandler, Handler, Name, Origin, Phase, Role, Section};
use crate::cpython::{Arguments, Attached, Object, Raised};
use crate::httpd::{Direction, Pool, Request, add_filter};
use crate::objects::request::This;

use super::write::{with_output, write_error};

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
    let given = Given::read(&arguments, 1)?;
    let in_use = this.enter(attached)?;
    let handler = given.handler(attached, phase.role(), in_use.request())?;
    let mut state = in_use.state();
    if state.running.phase == Some(phase.directive()) {
        let more = [state.running.handlers, &[handler]].concat();
        // SAFETY: the request's pool outlives the running phase, at whose end the list is dropped.
        state.running.handlers = unsafe { for_request(in_use.request().pool()) }.slice(&more);
    } else {
        state.extras().added.push((phase, handler));
        this.record().note_added(phase);
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
    let given = Given::read(arguments, 1)?;
    let in_use = this.enter(attached)?;
    let handler = given.handler(attached, Role::filter(direction), in_use.request())?;
    // SAFETY: the list goes with the request.
    let filter = FilterHandler::new(&name, handler, unsafe { for_request(in_use.request().pool()) });
    let mut state = in_use.state();
    let filters = state.extras().filters.of_mut(direction);
    filters.retain(|known| known.name != filter.name);
    filters.push(filter);
    Ok(Object::none(attached))
}

/// Adds a filter to the request: one that it has registered, else one of httpd.
fn use_filter<'i>(this: This<'_, 'i>, arguments: &Arguments<'i>, direction: Direction) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    let name = name(arguments)?;
    if direction == Direction::Output {
        // What was written so far does not pass through the filter.
        with_output(this, attached, |output, request, _| output.pass(request))?
            .map_err(|error| write_error(this, error))?;
    }
    let in_use = this.enter(attached)?;
    let own = FilterHandler::find(in_use.state().extras().filters.of(direction), name.to_ascii_lowercase().as_bytes())
        .copied();
    let is_added = match own {
        // SAFETY: the filter is called with the request only, in whose pool this lies.
        Some(filter) => crate::objects::filter::add(in_use.request(), direction, filter),
        None => add_filter(in_use.request(), direction, &name),
    };
    drop(in_use);
    if !is_added {
        // The request goes on without it, as with httpd's own directives.
        let (call, direction) = (arguments.function(), direction.name());
        tracing::error!(
            "MP0420: req.{call}('{name}'): there is no filter of that name, and the request goes on without it; register one with req.register_{direction}_filter() or Python…Filter, or load the module that has it"
        );
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

/// The arguments `handler[, dir]`.
struct Given {
    handler: String,
    directory: Option<Vec<u8>>,
    function: &'static str,
}

impl Given {
    fn read(arguments: &Arguments<'_>, index: usize) -> Result<Self, Raised> {
        let handler = String::from_utf8(arguments.text(index)?).map_err(|_| {
            let message = format!("{}(): the handler is not UTF-8", arguments.function());
            Raised::value_error(arguments.attached(), message)
        })?;
        let directory = match arguments.get(index + 1).filter(|directory| !directory.is_none()) {
            Some(_) => Some(arguments.text(index + 1)?),
            None => None,
        };
        Ok(Self { handler, directory, function: arguments.function() })
    }

    fn handler(&self, attached: Attached<'_>, role: Role, request: Request<'_>) -> Result<Handler<'static>, Raised> {
        let name = Name::read(role, &self.handler).map_err(|error| Raised::value_error(attached, error.to_string()))?;
        // SAFETY: the handler goes with the request.
        let pool = unsafe { for_request(request.pool()) };
        let section = match &self.directory {
            Some(directory) => Section::of_directory(directory, pool),
            None => Section::Server,
        };
        let call = pool.text(&format!("req.{}()", self.function));
        Ok(name.handler(section, Origin { file: call, line: 0 }, pool))
    }
}

/// A request's pool, for data that is used only while the request lives.
///
/// # Safety
/// Nothing in it is used after the request.
unsafe fn for_request(pool: Pool<'_>) -> Pool<'static> {
    // SAFETY: the caller's.
    unsafe { Pool::from_raw(pool.as_ptr()) }
}
