"""Asks for pages all the time, each by a thread of its own, until it is told to end: asks.py //HOST/PATH... An answer that is not whole is a failure."""

import signal
import sys
import threading
import time
import urllib.request

END = b"the end\n"


def ask(page, over, answers, failures):
    while not over.is_set():
        try:
            with urllib.request.urlopen(f"http:{page}", timeout=20) as answer:
                body = answer.read()
            if not body.endswith(END):
                raise ValueError(f"it ends with {body[-20:]!r}")
            answers.append(page)
        except (OSError, ValueError) as error:
            failures.append(f"{page}: {type(error).__name__}: {error}")
        time.sleep(0.02)


if __name__ == "__main__":
    over, answers, failures = threading.Event(), [], []
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    threads = [threading.Thread(target=ask, args=(page, over, answers, failures)) for page in sys.argv[1:]]
    for thread in threads:
        thread.start()
    over.wait()
    for thread in threads:
        thread.join()
    silent = set(sys.argv[1:]) - set(answers)
    failures += [f"{page} never answered" for page in sorted(silent)]
    print(f"{len(answers)} requests meanwhile, {len(failures) or 'none'} lost" + "".join(f"; {words}" for words in failures[:5]))
    sys.exit(1 if failures else 0)
