"""A client under way: THREADS threads that GET a page over and over, each over a connection that it keeps for some requests.

usage: load.py HOST PORT THREADS

A line on standard input begins the next phase; the end of input ends it all. At the end of each phase one line of JSON says
what happened in it: requests that were answered, those that failed and why, and who answered.
"""

import http.client
import json
import socket
import sys
import threading
import time

# So many requests go over a connection, so that there are new ones and kept ones at any time.
KEPT = 20
LIMIT = 10


class Phase:
    def __init__(self, name):
        self.name, self.answered, self.failures, self.answers = name, 0, [], set()
        self.begun, self.first, self.under_way = time.monotonic(), None, 0
        self.changed = threading.Condition()

    def begin(self):
        with self.changed:
            self.under_way += 1

    def end(self, answer=None, failure=None):
        """Ends one that was begun, with an answer, a failure, or none of them: then it is asked again."""
        with self.changed:
            self.under_way -= 1
            if failure:
                self.failures.append(failure)
            elif answer:
                self.answered += 1
                self.answers.add(answer)
                if self.first is None:
                    self.first = time.monotonic() - self.begun
            self.changed.notify()

    def report(self):
        """Waits for what is still under way: a request belongs to the phase in which it was sent."""
        with self.changed:
            self.changed.wait_for(lambda: not self.under_way)
            facts = dict(phase=self.name, answered=self.answered, failed=len(self.failures), failures=self.failures[:20],
                         answers=sorted(self.answers), first=self.first, seconds=time.monotonic() - self.begun)
        print(json.dumps(facts), flush=True)


def get(connection):
    connection.request("GET", "/hello")
    response = connection.getresponse()
    body = response.read().decode()
    if response.status != 200:
        raise ValueError("status %d" % response.status)
    return body.strip()


def client(host, port):
    connection, sent = None, 0
    while not stopping.is_set():
        now, reused, answer, failure = phase, connection is not None, None, None
        now.begin()
        try:
            if connection is None:
                connection, sent = http.client.HTTPConnection(host, port, timeout=LIMIT), 0
            answer = get(connection)
            sent += 1
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            connection = None
            # A server may close a kept connection at any time: whoever keeps one asks again, over a new one.
            if not (reused and isinstance(error, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError))):
                failure = "%s: %s" % (type(error).__name__, error)
        now.end(answer, failure)
        if failure or sent >= KEPT:
            if connection:
                connection.close()
            connection = None
        time.sleep(0.05 if failure else 0.004)


if __name__ == "__main__":
    host, port, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    socket.setdefaulttimeout(LIMIT)
    stopping, phase = threading.Event(), Phase("start")
    workers = [threading.Thread(target=client, args=(host, port)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for line in sys.stdin:
        over, phase = phase, Phase(line.strip())
        over.report()
    stopping.set()
    for worker in workers:
        worker.join()
    phase.report()
