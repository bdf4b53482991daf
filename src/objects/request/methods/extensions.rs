//! The extensions that AddHandler gives to this module.

use crate::cpython::{Arguments, Object, Raised};
use crate::httpd::Request;
use crate::httpd::configuration::Directive;
use crate::objects::request::This;

/// mod_mime's own data is private, so this reads the configuration, where it may apply to the request. .htaccess files are not
/// read.
pub fn get_addhandler_exts<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let in_use = this.enter(this.attached())?;
    let mut extensions = Vec::new();
    // SAFETY: a child keeps its configuration as it is.
    if let Some(first) = unsafe { Directive::first() } {
        collect(first, in_use.request(), &mut extensions);
    }
    Object::text(this.attached(), &extensions.join(&b' '))
}

fn collect(first: Directive<'_>, request: Request<'_>, extensions: &mut Vec<Vec<u8>>) {
    for directive in first.with_following() {
        let name = directive.name().unwrap_or_default();
        if name.eq_ignore_ascii_case(b"AddHandler") {
            let mut words = directive.words(request.pool());
            if matches!(words.next(), Some(b"mod_python" | b"python-program")) {
                for extension in words.map(key) {
                    if !extensions.contains(&extension) {
                        extensions.push(extension);
                    }
                }
            }
        } else if name.eq_ignore_ascii_case(b"RemoveHandler") {
            let removed: Vec<_> = directive.words(request.pool()).map(key).collect();
            extensions.retain(|known| !removed.contains(known));
        } else if let Some(inner) = directive.child().filter(|_| may_hold(directive, name, request)) {
            collect(inner, request, extensions);
        }
    }
}

/// An extension as in mod_mime: in lower case, without the dot.
fn key(word: &[u8]) -> Vec<u8> {
    word.strip_prefix(b".").unwrap_or(word).to_ascii_lowercase()
}

/// Whether a section can apply to a request, by its name and first argument: other virtual hosts cannot, nor can
/// directories and locations that do not contain the request. Patterns and all other sections may.
fn may_hold(section: Directive<'_>, name: &[u8], request: Request<'_>) -> bool {
    let argument = section.words(request.pool()).next().unwrap_or_default();
    if name.eq_ignore_ascii_case(b"<VirtualHost") {
        return section.origin() == request.server().origin();
    }
    let path = if name.eq_ignore_ascii_case(b"<Directory") {
        request.filename()
    } else if name.eq_ignore_ascii_case(b"<Location") {
        request.uri()
    } else {
        return true;
    };
    is_pattern(argument) || path.is_some_and(|path| is_below(path, argument))
}

fn is_pattern(path: &[u8]) -> bool {
    path == b"~" || path.iter().any(|byte| b"*?[".contains(byte))
}

/// Whether a path is this one or lies below it.
fn is_below(path: &[u8], above: &[u8]) -> bool {
    let above = above.strip_suffix(b"/").unwrap_or(above);
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_contains_itself_and_what_is_below() {
        for (path, above) in [("/a", "/a"), ("/a/b", "/a"), ("/a/b", "/a/"), ("/a", "/"), ("/a/", "/a/")] {
            assert!(is_below(path.as_bytes(), above.as_bytes()), "{path} {above}");
        }
        for (path, above) in [("/ab", "/a"), ("/", "/a"), ("", "/a")] {
            assert!(!is_below(path.as_bytes(), above.as_bytes()), "{path} {above}");
        }
    }

    #[test]
    fn an_extension_is_written_with_its_dot_or_without() {
        assert_eq!((key(b".PY"), key(b"psp")), (b"py".to_vec(), b"psp".to_vec()));
    }
}
