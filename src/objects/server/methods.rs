//! Methods of servers.

use crate::config::server_config;
use crate::cpython::{Arguments, Instance, Method, Object, Raised, method};
use crate::httpd::Place;
use crate::objects::module_state::{ModuleState, ServerPart};
use crate::objects::request::RequestObject;
use crate::objects::settings::{self, Shown};
use crate::objects::{child_exit, logging};

use super::ServerObject;

pub(super) static METHODS: &[Method] = &[
    method!(
        ServerObject,
        c"get_config",
        get_config,
        c"get_config($self, /)\n--\n\n\
          The directives in effect for the server, as a table."
    ),
    method!(
        ServerObject,
        c"get_options",
        get_options,
        c"get_options($self, /)\n--\n\n\
          The server's PythonOptions: one table for each interpreter, which keeps what is written to it. The configuration stays as it is."
    ),
    method!(
        ServerObject,
        c"log_error",
        log_error,
        c"log_error($self, message, level=3, /)\n--\n\n\
          Write to the server's error log, at one of apache.APLOG_*. None writes nothing."
    ),
    method!(
        ServerObject,
        c"register_cleanup",
        register_cleanup,
        c"register_cleanup($self, req, callable, data=None, /)\n--\n\n\
          Call callable(data) when the child exits."
    ),
    Method::END,
];

type This<'a, 'i> = &'a Instance<'i, ServerObject>;

fn get_config<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let configured = server_config(this.server).map(|config| &config.settings);
    settings::table(attached, ModuleState::of(attached, this.interpreter)?, &settings::directives(configured))
}

fn get_options<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let module_state = ModuleState::of(attached, this.interpreter)?;
    module_state.of_server(attached, ServerPart::Options, this.server.as_ptr() as usize, || {
        let configured = server_config(this.server).map(|config| &config.settings);
        settings::table(attached, module_state, &settings::options(configured, Shown::All))
    })
}

fn log_error<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 2)?;
    let attached = this.attached();
    if let Some(entry) = logging::Entry::of(&arguments)? {
        let server = this.server;
        attached.detach(move || entry.write(Place::Server(server.as_ptr())));
    }
    Ok(Object::none(attached))
}

fn register_cleanup<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 3)?;
    let attached = this.attached();
    let (request, callable) = (arguments.required(0)?, arguments.required(1)?);
    if ModuleState::of(attached, this.interpreter)?.cast::<RequestObject>(&request).is_none() {
        return Err(Raised::value_error(attached, "first argument must be a request object"));
    }
    if !callable.is_callable() {
        return Err(Raised::value_error(attached, "second argument must be a callable object"));
    }
    child_exit::at_child_exit(this.interpreter, this.server, callable, arguments.get(2));
    Ok(Object::none(attached))
}
