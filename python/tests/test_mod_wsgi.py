"""The module mod_wsgi, and what mod_wsgi's directives set an interpreter up with."""

import unittest

from support import run_bootstrapped


class Module(unittest.TestCase):
    def test_it_is_made_when_it_is_asked_for(self):
        reports, _ = run_bootstrapped(
            """
            report("mod_python._mod_wsgi" in sys.modules or "mod_wsgi" in sys.modules)
            spec = sys.meta_path[0].find_spec("mod_wsgi")
            report([spec.name, spec.origin, spec.submodule_search_locations])
            """
        )
        self.assertEqual(reports, [False, ["mod_wsgi", "mod_python", None]])

    def test_a_package_of_that_name_is_found(self):
        reports, _ = run_bootstrapped(
            """
            import tempfile
            folder = tempfile.mkdtemp()
            os.mkdir(folder + "/mod_wsgi")
            open(folder + "/mod_wsgi/__init__.py", "w").close()
            sys.path.insert(0, folder)
            spec = sys.meta_path[0].find_spec("mod_wsgi")
            report(spec.origin == folder + "/mod_wsgi/__init__.py")
            report(spec.loader.get_filename("mod_wsgi") == spec.origin)
            """
        )
        self.assertEqual(reports, [True, True])


class SetUp(unittest.TestCase):
    def test_folders_come_first_with_those_of_their_pth_files(self):
        reports, _ = run_bootstrapped(
            """
            import tempfile
            from mod_python import _mod_wsgi
            first, second = tempfile.mkdtemp(), tempfile.mkdtemp()
            os.mkdir(first + "/more")
            with open(first + "/a.pth", "w") as file:
                file.write("more\\n")
            _mod_wsgi._add([first, second])
            report([path in (first, first + "/more", second) for path in sys.path[:4]])
            """
        )
        self.assertEqual(reports, [[True, True, True, False]])

    def test_a_restricted_stream_says_what_restricts_it(self):
        reports, _ = run_bootstrapped(
            """
            from mod_python._mod_wsgi import Restricted
            stream = Restricted("sys.stdout", "WSGIRestrictStdout")
            for use in (lambda: stream.write("x"), lambda: iter(stream), lambda: print("x", file=stream)):
                try:
                    use()
                except OSError as error:
                    report("WSGIRestrictStdout On" in str(error))
            """
        )
        self.assertEqual(reports, [True, True, True])


if __name__ == "__main__":
    unittest.main()
