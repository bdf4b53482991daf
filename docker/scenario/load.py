"""A client under way: THREADS threads that GET a page and POST to a counter, each over a connection that it keeps for some requests.

usage: load.py HOST PORT THREADS

A line on standard input begins the next phase; the end of input ends it all. At the end of each phase one line of JSON says
what happened in it: requests that were answered, those that failed and why, those that were asked again because a kept connection was
closed under them, and who answered; of the POSTs, how many were answered and of how many nobody knows.
"""

import http.client
import json
import select
import socket
import sys
import threading
import time

# So many requests go over a connection, so that there are new ones and kept ones at any time.
KEPT = 20
# One request in so many is a POST.
POSTS = 5
LIMIT = 10
# Between two requests of a thread: this is about what becomes of requests, not about how many there can be.
PAUSE = 0.1
# A server that is there answers these, however busy it is; one that was killed is given up long before LIMIT.
PROBES = {socket.TCP_KEEPIDLE: 1, socket.TCP_KEEPINTVL: 1, socket.TCP_KEEPCNT: 4}


class Phase:
    def __init__(self, name):
        self.name, self.answered, self.failures, self.answers = name, 0, [], set()
        self.again = self.stored = self.unsure = self.under_way = 0
        self.begun, self.changed = time.monotonic(), threading.Condition()

    def begin(self):
        with self.changed:
            self.under_way += 1

    def end(self, posted, answer, failure):
        """Ends one that was begun, with an answer, a failure, or none of them: then it is asked again."""
        with self.changed:
            self.under_way -= 1
            self.stored += posted and answer is not None
            self.unsure += posted and answer is None
            if failure:
                self.failures.append(failure)
            elif answer is None:
                self.again += 1
            else:
                self.answered += 1
                if not posted:
                    self.answers.add(answer)
            self.changed.notify()

    def report(self):
        """Waits for what is still under way: a request belongs to the phase in which it was sent."""
        with self.changed:
            self.changed.wait_for(lambda: not self.under_way)
            facts = dict(phase=self.name, answered=self.answered, failed=len(self.failures), failures=self.failures[:20],
                         answers=sorted(self.answers), again=self.again, stored=self.stored, unsure=self.unsure,
                         seconds=time.monotonic() - self.begun)
        print(json.dumps(facts), flush=True)


def open_up(connection):
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in PROBES.items():
        connection.sock.setsockopt(socket.IPPROTO_TCP, option, value)


def exchange(connection, posted):
    connection.request("POST" if posted else "GET", "/store" if posted else "/hello")
    response = connection.getresponse()
    body = response.read().decode()
    if response.status != 200:
        raise ValueError("status %d" % response.status)
    return body.strip()


def is_closed(connection):
    """Whether the server has closed a kept connection: it may at any time, and whoever keeps one looks before sending."""
    return bool(connection.sock is None or select.select([connection.sock], [], [], 0)[0])


def client(host, port):
    connection, sent, turn = None, 0, 0
    while not stopping.is_set():
        if connection is not None and is_closed(connection):
            connection.close()
            connection = None
        now, reused, answer, failure = phase, connection is not None, None, None
        turn += 1
        posted = turn % POSTS == 0
        now.begin()
        try:
            if connection is None:
                connection, sent = http.client.HTTPConnection(host, port, timeout=LIMIT), 0
                open_up(connection)
            answer = exchange(connection, posted)
            sent += 1
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            connection = None
            # Closed between the look and the request: to be asked again, over a new connection.
            if not (reused and isinstance(error, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError))):
                failure = "%s: %s" % (type(error).__name__, error)
        now.end(posted, answer, failure)
        if failure or sent >= KEPT:
            if connection:
                connection.close()
            connection = None
        time.sleep(0.05 if failure else PAUSE)


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
