//! Errors of directives, which httpd prints with the file and the line.

use crate::interpreter::VenvError;

/// Why a directive is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    #[error("MP0255: PythonStore{said}: {why}. It takes a name, then perhaps a location, and key=value pairs")]
    Store { said: String, why: String },
    #[error(
        "MP0201: {0} names no handler: write module or module::object, several separated by blanks, and optionally '| .ext' at the end"
    )]
    NoHandler(&'static str),
    #[error("MP0202: {0} has '|' without an extension after it: write for example '| .py .html'")]
    NoExtension(&'static str),
    #[error("MP0202: {directive}: '{extension}' is not an extension: it begins with a dot, as in '| .py .html'")]
    NotAnExtension { directive: &'static str, extension: String },
    #[error(
        "MP0203: {directive}: '{text}' is not a handler: write module or module::object, both dotted Python names (a folder of handlers is added with PythonPath, not with a path here)"
    )]
    NotAHandler { directive: &'static str, text: String },
    #[error(
        "MP0203: {directive}: '{file}' is a file, not a handler: a WSGI application is given by 'PythonApplication / {file}', without {directive}; a handler is the name of a module, whose folder is added with PythonPath"
    )]
    FileAsHandler { directive: &'static str, file: String },
    #[error("MP0204: {0} has an argument that is not UTF-8")]
    NotUtf8(String),
    #[error("MP0205: mod_python has a defect in reading this directive: {0}")]
    Defect(String),
    #[error(
        "MP0207: PythonPath is empty: write a Python expression for a list of folders, such as \"['/srv/app'] + sys.path\""
    )]
    EmptyPath,
    #[error(
        "MP0208: PythonImport: '{0}' is not understood: write module or module::function, both dotted Python names, and then the name of the interpreter"
    )]
    NotAnImport(String),
    #[error("MP0209: PythonInterpreterOptions takes an interpreter's name or *, then key=value …: {keys}")]
    NoOptions { keys: String },
    #[error("MP0209: PythonInterpreterOptions {name}: {key}={value} is not understood: {keys}")]
    NotAValue { name: String, key: &'static str, value: String, keys: String },
    #[error("MP0209: PythonInterpreterOptions {name}: '{option}' is not known: {keys}")]
    UnknownOption { name: String, option: String, keys: String },
    #[error(
        "MP0210: PythonInterpreterOptions {name} gil=own: an interpreter with a GIL of its own needs Python 3.12 or later; this module was built for Python {version}",
        version = env!("MOD_PYTHON_PY_VERSION")
    )]
    OwnGilNotSupported { name: String },
    #[error(
        "MP0211: PythonInterpreterOptions main_interpreter gil=own: the main interpreter's GIL is the shared one; give the handler an interpreter of another name"
    )]
    OwnGilForMain,
    #[error(
        "MP0212: PythonInterpreterOptions {name} {key}={value} contradicts the {key}={known} that was given for the same name before: an interpreter is shared by all servers that name it, so keep one of the two"
    )]
    Contradiction { name: String, key: &'static str, value: String, known: String },
    #[error("MP0213: {0} takes one handler and no extensions: write module or module::object")]
    OneHandlerOnly(&'static str),
    #[error(
        "MP0214: {0} takes no extensions ('| .ext'): it runs before httpd knows the file. Look at req.uri in the handler instead"
    )]
    NoExtensionsHere(&'static str),
    #[error("MP0215: PythonHandlerModule names no module: {MODULES}")]
    NoModule,
    #[error("MP0215: PythonHandlerModule: '{0}' is not the name of a module: {MODULES}")]
    NotAModule(String),
    #[error(
        "MP0216: {directive}: '{name}' cannot be a filter's name: it must not be empty, and must not contain ';', ',' or blanks, which separate names in SetInputFilter and the like"
    )]
    NotAFilterName { directive: &'static str, name: String },
    #[error(
        "MP0218: PythonApplication: '{0}' is not an application: write package.module:object, or the path of a file such as /srv/site/app.wsgi or /srv/site/app.py:object; the object is 'application' unless it is named"
    )]
    NotATarget(String),
    #[error(
        "MP0219: PythonApplication: '{0}' looks like a file: write its path (/srv/site/{0} or ./{0}, which is relative to ServerRoot), or the module's name without .py"
    )]
    LooksLikeFile(String),
    #[error("MP0220: PythonApplication: {0}")]
    NotAnApplication(&'static str),
    #[error(
        "MP0221: PythonApplication: '{0}' is not understood: the keys are factory=on|off, path=/a/folder[:/another], interpreter=NAME, underscores=on|off, protocol=auto|wsgi"
    )]
    UnknownKey(String),
    #[error(
        "MP0222: PythonApplication: there is an application under {prefix} in this server already, {known}: remove one of the two, or give it another prefix"
    )]
    TwoApplications { prefix: String, known: String },
    #[error(
        "MP0223: PythonApplication: protocol=asgi is not supported yet: a WSGI application is called with environ and start_response. Wrap the application (asgiref.wsgi, a2wsgi), or serve it with an ASGI server behind mod_proxy"
    )]
    Asgi,
    #[error(
        "MP0224: PythonApplication: interpreter= is not allowed in a .htaccess file, since it could name the interpreter of another site: write it in a section of the server's configuration"
    )]
    InterpreterInHtaccess,
    #[error("MP0240: {directive}: '{value}' is not understood: write {allowed}")]
    NotAWsgiValue { directive: &'static str, value: String, allowed: &'static str },
    #[error("MP0241: {directive} takes {usage}")]
    MissingScript { directive: &'static str, usage: String },
    #[error("MP0242: {directive}: '{option}' is not understood: the keys are {keys}=")]
    UnknownWsgiKey { directive: &'static str, option: String, keys: String },
    #[error(
        "MP0243: '{0}' is not a group: write %{{GLOBAL}}, %{{ENV:variable}} or a name; for application groups also %{{SERVER}} or %{{RESOURCE}}"
    )]
    NotAGroup(String),
    #[error("MP0244: {0} concerns the whole of httpd: write it outside of virtual hosts")]
    NotInVirtualHost(&'static str),
    #[error(
        "MP0245: WSGIDaemonProcess {name}: there is a process group of this name already, at {known}: give it another name"
    )]
    TwoDaemons { name: String, known: String },
    #[error("MP0246: WSGIDaemonProcess: '{0}' is not understood: docs/migration-mod_wsgi.md lists what is")]
    UnknownDaemonKey(String),
    #[error(
        "MP0247: WSGIDaemonProcess {name}: chroot= needs a process of its own, and applications run in httpd's children here: use httpd's own ChrootDir for all of it, or a container, and take chroot= out"
    )]
    Chroot { name: String },
    #[error(
        "MP0253: WSGIDaemonProcess {name} threads=0: a script that runs for ever needs a process of its own, which httpd's children are not: have the system start it (a unit of systemd), and take this line and its WSGIImportScript out"
    )]
    Service { name: String },
    #[error("MP0248: {directive} is not here: {instead}")]
    NotOfWsgi { directive: &'static str, instead: &'static str },
    #[error("{number}: {said}: {error}", number = error.number())]
    Venv { said: String, error: VenvError },
    #[error(
        "MP0236: PythonHome {0}: there is neither lib/python{version}/os.py in it, as in the prefix of a Python {version}, nor pyvenv.cfg, as in a virtual environment: name the folder that 'python{version} -c \"import sys; print(sys.prefix)\"' prints",
        version = env!("MOD_PYTHON_PY_VERSION")
    )]
    NotAHome(String),
    #[error(
        "MP0237: PythonHome {folder} contradicts the PythonHome {known} that was given before: a process has one Python, so keep one of the two"
    )]
    TwoHomes { folder: String, known: String },
    #[error(
        "MP0238: PythonHome is for the whole process and stands outside of <VirtualHost>; a virtual environment of one virtual host is given by 'PythonInterpreterOptions NAME venv=/the/folder', where NAME is the name of its interpreter"
    )]
    HomeInVirtualHost,
    #[error("MP0239: {directive}: '{path}' is not a path")]
    NotAPath { directive: String, path: String },
    #[error("MP0217: Require python names no handler: write Require python module[::object] [argument …]")]
    NoRequirement,
}

const MODULES: &str = "write the dotted Python name of a module, or several; their functions are named after the phases, such as accesshandler";
