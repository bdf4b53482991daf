"""A store on a server and many processes, some of which are killed at any moment: no update is lost, and one at a time has a lock."""

import os
import random
import signal
import subprocess
import sys
import time
import unittest

import packages
import redis_server
from store_support import BOUND, StoreTest

HAS_SERVER = redis_server.program() is not None and packages.has(("redis", "redis"))
if HAS_SERVER:
    from mod_python._store_redis import RedisStore

# Says what it is about to do and what it has done, a line each, until it is killed or has nothing left to do
WORKER = """
import os, sys, threading
sys.path[:0] = [sys.argv[1], *sys.argv[3:]]
import fake_apache, fake_store
from mod_python import _store_redis, _store_redis_leases
_store_redis.LEASE = _store_redis_leases.LEASE = 3.0
store = _store_redis.RedisStore("default", sys.argv[2])

def work(thread):
    for number in range(60):
        me = f"{os.getpid()}.{thread}.{number}"
        os.write(1, b"try\\n")
        store.incr("n")
        os.write(1, b"done\\n")
        with store.lock("l"):
            # What is seen from outside, in the server's own order
            store._client.call("RPUSH", "history", f"in {me}")
            store["m"] = store.get("m", 0) + 1
            store._client.call("RPUSH", "history", f"out {me}")

threads = [threading.Thread(target=work, args=(thread,)) for thread in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@unittest.skipUnless(HAS_SERVER, "there is no redis-server, or no package redis")
class ProcessesTest(StoreTest):
    @classmethod
    def setUpClass(cls):
        cls.server = redis_server.RedisServer()
        cls.addClassCleanup(cls.server.stop)

    def opened(self):
        return RedisStore("default", self.server.unix_location)

    def worker(self):
        here = os.path.dirname(os.path.abspath(__file__))
        arguments = [sys.executable, "-c", WORKER, here, self.server.unix_location, *sys.path[1:]]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, BOUND)
        self.addCleanup(process.kill)
        return process

    def test_killed_at_any_moment(self):
        chosen = random.Random(4)
        workers = [self.worker() for _ in range(5)]
        # Three of them in the middle of their work, whatever they do then
        end = time.monotonic() + 3 * BOUND
        for number in range(3):
            wanted = (self.store.get("n") or 0) + chosen.randrange(5, 60)
            while (self.store.get("n") or 0) < wanted:
                self.assertLess(time.monotonic(), end, "the workers do not get on")
                self.assertIsNone(workers[number].poll())
            workers[number].send_signal(signal.SIGKILL)
        said = [worker.communicate(timeout=3 * BOUND)[0] for worker in workers]
        self.assertEqual([worker.returncode for worker in workers], [-9, -9, -9, 0, 0])
        # An increment of one that was killed was made or not
        tried, done = (sum(lines.count(word) for lines in said) for word in (b"try", b"done"))
        self.assertTrue(done <= self.store["n"] <= tried, (done, self.store["n"], tried))
        self.assertLessEqual(tried - done, 3 * 3)
        self.check(self.store._client.call("LRANGE", "history", 0, -1), {worker.pid for worker in workers[:3]})

    def check(self, history, killed):
        """Nobody comes in before the last one is out, but for those that were killed inside; and no update is lost."""
        inside, finished = None, 0
        for line in history:
            what, me = line.decode().split()
            if what == "in":
                self.assertTrue(inside is None or int(inside.partition(".")[0]) in killed, f"{me} came in while {inside} was inside")
                inside = me
            else:
                self.assertEqual(inside, me)
                inside, finished = None, finished + 1
        self.assertTrue(finished <= self.store["m"] <= finished + len(killed), (finished, self.store["m"]))
        self.assertGreaterEqual(finished, 2 * 3 * 60)


if __name__ == "__main__":
    unittest.main()
