//! Finds httpd (through apxs), libclang and a shared libpython, and stops with one sentence when one of them is missing.

use std::env;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::Command;

use pyo3_build_config::InterpreterConfig;

fn main() {
    println!("cargo:rerun-if-changed=wrapper.h");
    println!("cargo:rerun-if-changed=src/ffi/shim.c");
    println!("cargo:rerun-if-changed=src/ffi/shim.h");
    println!("cargo:rerun-if-changed=src/ffi/gilstate.c");
    println!("cargo:rerun-if-changed=src/ffi/thread_states.c");
    println!("cargo:rerun-if-env-changed=APXS");

    let outcome = Apxs::find().and_then(|apxs| {
        let includes = apxs.includes()?;
        let flags = apxs.flags();
        compile_shim(&includes, &flags);
        compile_for_python()?;
        generate_bindings(&includes, &flags)?;
        describe_python()?;
        list_library()
    });
    if let Err(sentence) = outcome {
        eprintln!("error: {sentence}");
        println!("cargo:warning={sentence}");
        std::process::exit(1);
    }
    link();
}

/// The apxs that names the httpd to build for.
struct Apxs(String);

impl Apxs {
    fn find() -> Result<Self, String> {
        let named = env::var("APXS").ok().filter(|name| !name.is_empty());
        let candidates = match &named {
            Some(name) => vec![name.clone()],
            None => ["apxs", "apxs2", "/usr/sbin/apxs", "/usr/bin/apxs"].map(String::from).to_vec(),
        };
        for name in candidates {
            let answers =
                Command::new(&name).args(["-q", "HTTPD_MMN"]).output().is_ok_and(|output| output.status.success());
            if answers {
                return Ok(Self(name));
            }
        }
        Err(match named {
            Some(name) => format!("APXS={name} is not an apxs that runs: name the apxs of the httpd to build for."),
            None => "apxs was not found: install apache2-dev (Debian, Ubuntu) or httpd-devel (Fedora), or name it with APXS=/path/to/apxs.".into(),
        })
    }

    fn query(&self, variable: &str) -> Option<String> {
        let output = Command::new(&self.0).args(["-q", variable]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !text.is_empty() && !text.contains("${")).then_some(text)
    }

    /// The include folders of httpd, APR and APR-util.
    fn includes(&self) -> Result<Vec<PathBuf>, String> {
        let httpd = self
            .query("exp_includedir")
            .or_else(|| self.query("includedir"))
            .map(PathBuf::from)
            .filter(|folder| folder.join("httpd.h").exists())
            .ok_or_else(|| {
                format!(
                    "{} names no folder with httpd.h: install apache2-dev (Debian, Ubuntu) or httpd-devel (Fedora).",
                    self.0
                )
            })?;
        let mut folders = vec![httpd];
        for variable in ["APR_INCLUDEDIR", "APU_INCLUDEDIR"] {
            folders.extend(self.query(variable).map(PathBuf::from));
        }
        for config in ["APR_CONFIG", "APU_CONFIG"].iter().filter_map(|name| self.query(name)) {
            if let Ok(output) = Command::new(config).arg("--includedir").output() {
                folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
            }
        }
        folders.dedup();
        match folders.iter().any(|folder| folder.join("apr.h").exists()) {
            true => Ok(folders),
            false => Err("apr.h was not found: install libapr1-dev (Debian, Ubuntu) or apr-devel (Fedora).".into()),
        }
    }

    /// Preprocessor flags that httpd itself was built with (large files, reentrancy).
    fn flags(&self) -> Vec<String> {
        let text = [self.query("EXTRA_CPPFLAGS"), self.query("EXTRA_CFLAGS")];
        text.into_iter()
            .flatten()
            .flat_map(|text| text.split_whitespace().map(String::from).collect::<Vec<_>>())
            .filter(|flag| flag.starts_with("-D"))
            .collect()
    }
}

fn compile_shim(includes: &[PathBuf], flags: &[String]) {
    let mut build = cc::Build::new();
    build.file("src/ffi/shim.c").includes(includes).warnings(true);
    for flag in flags {
        build.flag(flag);
    }
    build.compile("mod_python_shim");
}

/// Compiles what needs CPython's headers, for 3.11 also the internal ones, which its development files have.
fn compile_for_python() -> Result<(), String> {
    let config = pyo3_build_config::get();
    let is_before_3_12 = (config.version().major, config.version().minor) < (3, 12);
    let paths = config
        .run_python_script(
            "import sysconfig\nprint(sysconfig.get_path('include'))\nprint(sysconfig.get_path('platinclude'))",
        )
        .map_err(|error| format!("the chosen Python does not say where its headers are: {error}."))?;
    let folders: Vec<_> = paths.lines().map(PathBuf::from).collect();
    let needed = if is_before_3_12 { "internal/pycore_runtime.h" } else { "Python.h" };
    if !folders.iter().any(|folder| folder.join(needed).exists()) {
        return Err(format!(
            "Python's headers ({needed}) are not in {}: install python3-dev (Debian, Ubuntu) or python3-devel (Fedora).",
            folders[0].display()
        ));
    }
    let mut build = cc::Build::new();
    build.file("src/ffi/thread_states.c").includes(folders).warnings(true);
    if is_before_3_12 {
        build.file("src/ffi/gilstate.c");
    }
    build.compile("mod_python_for_python");
    Ok(())
}

fn generate_bindings(includes: &[PathBuf], flags: &[String]) -> Result<(), String> {
    let builder = bindgen::Builder::default()
        .header("wrapper.h")
        .clang_arg("-I.")
        .clang_args(includes.iter().map(|folder| format!("-I{}", folder.display())))
        .clang_args(flags)
        .allowlist_function("(ap|apr|mp_shim)_.*")
        .allowlist_type("(ap|apr)_.*|request_rec|server_rec|conn_rec|cmd_.*|command_rec|module|process_rec|core_.*|authn_.*|authz_.*|include_ctx_t")
        .allowlist_var("(AP|APR|APLOG|HTTP|M|REQUEST|MODULE_MAGIC|DIR_MAGIC|REMOTE|REPLACE|PROXYREQ|RSRC|ACCESS|OPT|OR|EXEC|OK|DECLINED|DONE|METHODS|TAKE|RAW|FLAG|GLOBAL_ONLY|NOT_IN|CORE|AUTHN|AUTHZ|SSI)_?.*|ap_.*|apr_.*|core_module|AP_.*")
        .blocklist_function("apr_strtoff")
        .layout_tests(false)
        .derive_debug(false)
        .generate_comments(false)
        .merge_extern_blocks(true)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .rust_target(bindgen::RustTarget::stable(85, 0).unwrap_or_else(|_| unreachable!("1.85 is known to bindgen")));
    // bindgen panics when libclang cannot be loaded.
    let generated = panic::catch_unwind(panic::AssertUnwindSafe(|| builder.generate()));
    let bindings = match generated {
        Ok(Ok(bindings)) => bindings,
        Ok(Err(error)) => {
            return Err(format!(
                "bindgen could not read httpd's headers ({error}): install apache2-dev (Debian, Ubuntu) or httpd-devel (Fedora) in the version of your httpd."
            ));
        }
        Err(_) => {
            return Err("libclang was not found: install libclang-dev (Debian, Ubuntu) or clang-devel (Fedora).".into());
        }
    };
    bindings
        .write_to_file(out_dir().join("httpd.rs"))
        .map_err(|error| format!("the bindings could not be written to OUT_DIR: {error}."))
}

/// Lists the Python library for the module to carry: name, whether it is the package, path, source, compiled code.
fn list_library() -> Result<(), String> {
    const FOLDER: &str = "python/mod_python";
    println!("cargo:rerun-if-changed={FOLDER}");
    let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let entries = fs::read_dir(FOLDER).map_err(|error| format!("{FOLDER} cannot be read: {error}."))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "py") && belongs_in_httpd(file));
    files.sort();
    let mut table = String::from("[\n");
    let mut compiled = Vec::new();
    for file in files {
        println!("cargo:rerun-if-changed={}", file.display());
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_package = stem == "__init__";
        let name = if is_package { "mod_python".to_owned() } else { format!("mod_python.{stem}") };
        let source = Path::new(&root).join(&file);
        let code = out_dir().join(format!("{stem}.code"));
        table += &format!(
            "    Part {{ name: {name:?}, is_package: {is_package}, file: \"{stem}.py\", source: include_bytes!({source:?}), code: include_bytes!({code:?}) }},\n"
        );
        compiled.push((source, format!("{LIBRARY_PATH}{stem}.py"), code));
    }
    table += "]\n";
    let empty = out_dir().join("empty_module.py");
    fs::write(&empty, "").map_err(|error| format!("OUT_DIR cannot be written to: {error}."))?;
    compiled.push((empty, format!("{LIBRARY_PATH}empty"), out_dir().join("empty_module.code")));
    compile_library(&compiled)?;
    fs::write(out_dir().join("library.rs"), table)
        .map_err(|error| format!("the library's table could not be written: {error}."))
}

/// Whether a part of the library has a use inside httpd: the command and the stand-in for tests have none.
fn belongs_in_httpd(file: &Path) -> bool {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    !["__main__", "_command", "testing", "_testing"].iter().any(|outside| stem.starts_with(outside))
}

/// What tracebacks call the folder of the library.
const LIBRARY_PATH: &str = "<mod_python.so>/mod_python/";

/// Compiles sources with the chosen Python: what each child would do at its first interpreter. Whether the Python that the module is run
/// with takes the result, it tells by the magic number.
fn compile_library(files: &[(PathBuf, String, PathBuf)]) -> Result<(), String> {
    let mut script = String::from("import importlib.util, marshal\nfor source, name, code in [\n");
    for (source, name, code) in files {
        script += &format!("    ({source:?}, {name:?}, {code:?}),\n");
    }
    script += "]:\n\
        \x20   with open(source, 'rb') as file:\n\
        \x20       compiled = compile(file.read(), name, 'exec', dont_inherit=True, optimize=0)\n\
        \x20   with open(code, 'wb') as file:\n\
        \x20       file.write(marshal.dumps(compiled))\n\
        print(int.from_bytes(importlib.util.MAGIC_NUMBER, 'little'))\n";
    let magic = pyo3_build_config::get()
        .run_python_script(&script)
        .map_err(|error| format!("the library could not be compiled by the chosen Python: {error}."))?;
    println!("cargo:rustc-env=MOD_PYTHON_PY_MAGIC={}", magic.trim());
    println!("cargo:rustc-env=MOD_PYTHON_LIBRARY_PATH={LIBRARY_PATH}");
    Ok(())
}

/// Records for the module which Python it is built for, and where that Python lives.
fn describe_python() -> Result<(), String> {
    pyo3_build_config::use_pyo3_cfgs();
    let config = pyo3_build_config::get();
    let (major, minor) = (config.version().major, config.version().minor);
    if config.target_abi().kind().is_free_threaded() {
        return Err(format!(
            "Python {major}.{minor} is a free-threaded build, which mod_python is not yet tried with: choose an ordinary one with PYO3_PYTHON."
        ));
    }
    if !config.shared() || !library_exists(config) {
        return Err(format!(
            "Python {major}.{minor} has no shared libpython{major}.{minor} to link with: install python3-dev (Debian, Ubuntu) or python3-devel (Fedora), or choose another Python with PYO3_PYTHON."
        ));
    }
    let facts = config
        .run_python_script(
            "import sys\nprint(sys.base_prefix)\nprint(sys.base_exec_prefix)\nprint(getattr(sys, '_base_executable', sys.executable))",
        )
        .map_err(|error| format!("the chosen Python does not run ({error}): name a working one with PYO3_PYTHON."))?;
    let mut lines = facts.lines();
    let mut next = || lines.next().unwrap_or_default().trim().to_owned();
    let (prefix, exec_prefix, executable) = (next(), next(), next());
    let home = match prefix == exec_prefix {
        true => prefix,
        false => format!("{prefix}:{exec_prefix}"),
    };
    println!("cargo:rustc-env=MOD_PYTHON_PY_HOME={home}");
    println!("cargo:rustc-env=MOD_PYTHON_PY_EXECUTABLE={executable}");
    println!("cargo:rustc-env=MOD_PYTHON_PY_VERSION={major}.{minor}");
    Ok(())
}

fn library_exists(config: &InterpreterConfig) -> bool {
    let (Some(folder), Some(name)) = (config.lib_dir(), config.lib_name()) else {
        return false;
    };
    Path::new(folder).join(format!("lib{name}.so")).exists()
}

fn link() {
    // The module stays mapped when httpd unloads it between its configuration passes: thread-local destructors and
    // Python's threads do not survive an unmapping.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // Unit tests are an executable without httpd around it: what they do not call may stay unresolved.
    println!("cargo:rustc-link-arg=-Wl,--unresolved-symbols=ignore-all");
    // A Python outside the loader's own folders is found through the module itself.
    if let Some(folder) = pyo3_build_config::get().lib_dir() {
        let known = ["/usr/lib", "/lib"].iter().any(|root| Path::new(folder).starts_with(root));
        if !known {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
        }
    }
}

fn out_dir() -> PathBuf {
    PathBuf::from(env::var_os("OUT_DIR").unwrap_or_else(|| unreachable!("cargo sets OUT_DIR")))
}
