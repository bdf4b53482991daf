"""Instructions a request, counted by callgrind.

One prefork process (httpd -X), one keep-alive connection. callgrind writes its counters down and zeroes them whenever httpd answers a
request for a file that is not there, so neither start nor warm-up is in the number: it is the median of windows of 100 requests, less a
window of none. A rare event, such as a full garbage collection, falls out of a median. User space only; what the kernel does is not
counted.
"""

import glob
import os
import re
import subprocess

import lib

WINDOW = 100


def count(modules, config, files, ask, windows, profile=None):
    """The instructions of one request. ask(client) sends it and checks its answer; windows is how many are counted, of 100 requests
    each; profile names a file for where they are spent, by function."""
    wrap = ["valgrind", "--tool=callgrind", "--callgrind-out-file=@DIR@/callgrind.out", "--vgdb=no",
            "--dump-before=ap_send_error_response"]
    with lib.Httpd("prefork", config, modules, files, wrap, one_process=True, env={"PYTHONHASHSEED": "0"}) as httpd:
        before = len(dumps(httpd))
        sizes = [2 * WINDOW, 0] + [WINDOW] * windows  # the first is the warm-up
        with lib.Client(httpd.port) as client:
            for requests in sizes:
                for _ in range(requests):
                    ask(client)
                client.get("/not-there")
        new = dumps(httpd)[before:]
        if len(new) != len(sizes):
            raise lib.Failed("callgrind did not see ap_send_error_response: is httpd's symbol table stripped?")
        full = sorted(new[2:], key=total)
        middle = full[len(full) // 2]
        if profile:
            write_profile(middle, profile)
        return (total(middle) - total(new[1])) / WINDOW


def dumps(httpd):
    return sorted(glob.glob(os.path.join(httpd.dir, "callgrind.out.*")), key=lambda path: int(path.rpartition(".")[2]))


def total(path):
    with open(path, errors="replace") as file:
        for line in file:
            if line.startswith(("totals:", "summary:")):
                return int(line.split()[1])
    raise lib.Failed(f"{path} has no total.")


def write_profile(dump, path):
    """callgrind_annotate's two lists, a request instead of in all."""
    with open(dump, errors="replace") as file:
        text = file.read()
    # calls still open (main and so on) are written as calls=0, which callgrind_annotate takes for work of the caller
    text = re.sub(r"^calls=0 .*\n.*\n", "", text, flags=re.MULTILINE)
    with open(dump, "w") as file:
        file.write(text)
    with open(path, "w") as file:
        for title, more in (("By itself", []), ("With all that it calls", ["--inclusive=yes"])):
            file.write(f"{title}: instructions a request\n\n")
            text = subprocess.run(["callgrind_annotate", *more, "--threshold=99.5", "--auto=no", dump],
                                  capture_output=True, text=True).stdout
            for line in text.splitlines():
                match = re.match(r"\s*([\d,]+)\s+\(\s*[\d.]+%\)\s+(.*)", line)
                if match:
                    function = re.sub(r"\[.*/(.*)\]", r"[\1]", match[2])
                    file.write(f"{int(match[1].replace(',', '')) / WINDOW:12,.1f}  {function}\n")
            file.write("\n")
    print(f"Where ours spends them: {path}\n")
