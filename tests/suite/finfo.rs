//! `mp_finfo`: what Python learns of a file.

use crate::fixture::{Httpd, Mpm};

/// What `check(req)` does; its traceback is in the log that a failure shows.
fn passes(check: &str) {
    let server = Httpd::new(Mpm::Prefork).binary_file("file.txt", b"12345").shared();
    let response = server.get(&(server.add_handler(check) + "/path"));
    assert_eq!((response.status, response.text().as_str()), (200, "passed"), "{}", server.log());
}

#[test]
fn it_says_what_the_file_system_says() {
    passes(
        r#"
        import os
        from mod_python import apache

        def handler(req):
            path = os.path.dirname(os.path.dirname(__file__)) + "/file.txt"
            info, real = apache.stat(path, apache.APR_FINFO_NORM), os.stat(path)
            assert info.fname == path and info.filetype == apache.APR_REG
            assert info.valid & apache.APR_FINFO_MIN == apache.APR_FINFO_MIN & ~apache.APR_FINFO_LINK
            assert (info.user, info.group, info.size, info.inode, info.device, info.nlink) == (
                real.st_uid, real.st_gid, real.st_size, real.st_ino, real.st_dev, real.st_nlink)
            assert (info.atime, info.mtime, info.ctime) == (int(real.st_atime), int(real.st_mtime), int(real.st_ctime))
            assert info.protection == int(oct(real.st_mode & 0o777)[2:], 16), hex(info.protection)

            by_index = [info.protection, info.inode, info.device, info.nlink, info.user, info.group, info.size,
                        info.atime, info.mtime, info.ctime, info.fname, info.name, info.filetype]
            assert list(info) == [info[i] for i in range(13)] == by_index
            assert info[apache.FINFO_MODE] == info.protection and info[apache.FINFO_UID] == info.user
            assert info[apache.FINFO_FNAME] == path and info[apache.FINFO_FILETYPE] == apache.APR_REG

            shown = {name: getattr(info, name) for name in (
                "fname", "filetype", "valid", "protection", "user", "group", "size", "inode", "device", "nlink",
                "atime", "mtime", "ctime", "name")}
            assert repr(info) == repr(shown), repr(info)
            assert repr(type(info)) == "<class 'mp_finfo'>"
            req.write("passed")
            return apache.OK
        "#,
    );
}

#[test]
fn what_is_not_known_is_none() {
    passes(
        r#"
        from mod_python import apache

        def handler(req):
            gone = apache.stat("/no/such/file", apache.APR_FINFO_NORM)
            assert gone.filetype == gone[12] == apache.APR_NOFILE
            for name in ("valid", "protection", "user", "group", "size", "inode", "device", "nlink", "atime", "mtime",
                         "ctime", "name"):
                assert getattr(gone, name) is None, name
            assert list(gone)[:10] == [None] * 10

            folder = apache.stat("/", apache.APR_FINFO_TYPE)
            assert folder.filetype == apache.APR_DIR and folder.fname == "/" and folder.name is None
            req.write("passed")
            return apache.OK
        "#,
    );
}

#[test]
fn it_is_read_only_and_of_fixed_shape() {
    passes(
        r#"
        from mod_python import apache

        def raises(exception, call, *arguments):
            try:
                call(*arguments)
            except exception as error:
                assert type(error) is exception, repr(error)
            else:
                raise AssertionError(exception)

        def handler(req):
            info = apache.stat("/", apache.APR_FINFO_NORM)
            for index in 13, -1, 10**6, -10**6:
                raises(IndexError, info.__getitem__, index)
            raises(IndexError, lambda: info[10**30])
            raises(TypeError, info.__getitem__, "size")
            raises(TypeError, len, info)
            raises(TypeError, lambda: info.__class__())
            raises(AttributeError, getattr, info, "other")
            raises(AttributeError, setattr, info, "other", 1)
            raises(AttributeError, setattr, info, "size", 1)
            raises(AttributeError, delattr, info, "size")
            try:
                info[0] = 1
            except TypeError:
                pass
            else:
                raise AssertionError
            raises(TypeError, type, "Derived", (type(info),), {})
            req.write("passed")
            return apache.OK
        "#,
    );
}

#[test]
fn a_request_takes_another_one() {
    passes(
        r#"
        import os
        from mod_python import apache

        def handler(req):
            path = os.path.dirname(os.path.dirname(__file__)) + "/file.txt"
            before = req.finfo
            assert before.filetype == apache.APR_NOFILE
            req.finfo = apache.stat(path, apache.APR_FINFO_NORM)
            assert repr(req.finfo) == repr(apache.stat(path, apache.APR_FINFO_NORM))
            assert req.finfo.fname == path and req.finfo.size == 5
            assert before.filetype == apache.APR_NOFILE

            class Pretender:
                __class__ = property(lambda self: type(before))
            for other in None, 1, "x", Pretender():
                try:
                    req.finfo = other
                except TypeError as error:
                    assert "mp_finfo" in str(error), error
                else:
                    raise AssertionError(other)
            assert req.finfo.size == 5
            req.write("passed")
            return apache.OK
        "#,
    );
}
