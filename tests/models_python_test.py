# SPDX-License-Identifier: Apache-2.0
"""bench/models/speedwell_models.py: each technique on each nature, with small tasks, and what it says of itself.

    models_python_test.py PROGRAM [LIBRARY]
"""
import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zlib

PROGRAM = sys.argv[1]
LIBRARY = sys.argv[2] if len(sys.argv) > 2 else None
TASKS = 4
BLOCK = 65536
GIL = getattr(sys, "_is_gil_enabled", lambda: True)()


class Server:
    """Answers each request after its delay. `answer` makes something else of what is asked."""

    def __init__(self, answer=None):
        self.answer = answer or (lambda task: b"%d %d\n" % (task, value_of(task)))
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.reply, args=(connection,), daemon=True).start()

    def reply(self, connection):
        with connection:
            task, delay_ms = map(int, connection.makefile("rb").readline().split())
            time.sleep(delay_ms / 1000)
            connection.sendall(self.answer(task))

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


# What must come out, by other words than the program's.


def value_of(task):
    return (task * 2654435761 + 12345) & 0xFFFFFFFF


def floats(numbers):
    return zlib.crc32(struct.pack(f"<{len(numbers)}f", *numbers))


def matmul(t, n):
    def element(i, j):
        return sum((3 * (i + t) + 5 * k) % 7 * ((2 * k + 3 * j) % 5) for k in range(n))

    return floats([element(i, j) for i in range(n) for j in range(n)])


def pixel(x, y, shift):
    k = (x + y + shift) % 128
    return (7 * k * k + 13 * k) % 251


def blurred(t, n):
    around = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]

    def mean(x, y):
        total = 0
        for dx, dy in around:
            inside = [min(max(v, 0), n - 1) for v in (x + dx, y + dy)]
            total += (2 - abs(dx)) * (2 - abs(dy)) * pixel(*inside, 5 * t)
        return (total + 8) // 16

    return zlib.crc32(bytes(mean(x, y) for y in range(n) for x in range(n)))


# speedwell.h's weights for a sigma of 4, from the centre: out of 256, what rounding leaves is carried from the edge to
# the centre.
WEIGHTS = [26, 25, 22, 19, 16, 12, 8, 6, 3, 2, 1, 1, 0]


def blurred_by_speedwell(t, n, units):
    weights = WEIGHTS[:0:-1] + WEIGHTS
    twice = [sum(weights[i] * weights[s - i] for i in range(len(weights)) if 0 <= s - i < len(weights)) for s in range(49)]
    checksum = 0
    for unit in range(units):
        shift = 5 * t + 11 * unit
        for y in range(0, n, 64):
            row = [(sum(w * pixel(x, y, shift + d - 24) for d, w in enumerate(twice)) + 2**15) >> 16 for x in range(n)]
            checksum = zlib.crc32(bytes(row), checksum)
    return checksum


def triad(t, n):
    return floats([i % 1021 + (3 + t % 13) * (i % 499) for i in range(0, n, 509)])


def h(n):
    return n * 2654435761 & 0xFFFFFFFF


def block_of(task):
    return bytes((h(i) >> 24) ^ task for i in range(256)) * (BLOCK // 256)


SIZES = {"matmul": 9, "filter": 11, "triad": 5000, "mixed": 7}
NATIVE_SIZES = {"matmul": 9, "filter": 128, "triad": 5000, "mixed": 128}
UNITS = 2

EXPECTED = {
    "requests": value_of,
    "files": lambda task: zlib.crc32(block_of(task)),
    "matmul": lambda task: matmul(task, SIZES["matmul"]),
    "filter": lambda task: blurred(task, SIZES["filter"]),
    "triad": lambda task: triad(task, SIZES["triad"]),
    "mixed": lambda task: blurred(value_of(task) % 16, SIZES["mixed"]),
}
EXPECTED_OF_SPEEDWELL = {
    "matmul": EXPECTED["matmul"],
    "filter": lambda task: blurred_by_speedwell(task, 128, UNITS),
    "triad": EXPECTED["triad"],
    "mixed": lambda task: blurred_by_speedwell(value_of(task) % 16, 128, UNITS),
}
NATURES = [*EXPECTED, "timers"]

TECHNIQUES = ["python_sequential", "python_asyncio", "python_threading", "python_multiprocessing"]
NATIVE = ["matmul", "filter", "triad", "mixed"]


class ModelsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.folder = tempfile.TemporaryDirectory()
        cls.file = os.path.join(cls.folder.name, "blocks")
        with open(cls.file, "wb") as file:
            for task in range(TASKS):
                file.write(block_of(task))

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.folder.cleanup()

    def command(self, technique, nature, **options):
        options = {"tasks": TASKS, "workers": 2, "delay_ms": 5, **options}
        if nature in ("requests", "mixed"):
            options.setdefault("port", self.server.port)
        if nature == "files":
            options.setdefault("file", self.file)
        if technique == "python_ctypes":
            options.setdefault("library", LIBRARY)
            options.setdefault("units", UNITS)
            if nature in NATIVE_SIZES:
                options.setdefault("size", NATIVE_SIZES[nature])
        elif nature in SIZES:
            options.setdefault("size", SIZES[nature])
        command = [sys.executable, PROGRAM, technique, nature]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        return command

    def run_program(self, technique, nature, **options):
        return subprocess.run(
            self.command(technique, nature, **options), capture_output=True, text=True, timeout=60, check=False
        )

    def measured(self, technique, nature, **options):
        done = self.run_program(technique, nature, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""), f"{technique} {nature}")
        return json.loads(done.stdout.splitlines()[-1])

    def refused(self, status, words, technique, nature, **options):
        done = self.run_program(technique, nature, **options)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertIn(words, done.stderr)
        if status == 1:
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def check(self, measured, technique, nature):
        self.assertEqual(
            list(measured),
            "schema technique nature tasks workers main_ns start_up_ns wall_ns cpu_ns voluntary_switches "
            "involuntary_switches peak_rss_bytes in_flight runtime slices results".split(),
        )
        self.assertEqual((measured["technique"], measured["nature"], measured["tasks"]), (technique, nature, TASKS))
        if nature == "timers":
            self.assertGreaterEqual(min(map(int, measured["results"])), 5)
        else:
            expected = (EXPECTED_OF_SPEEDWELL if technique == "python_ctypes" else EXPECTED)[nature]
            self.assertEqual(measured["results"], [str(expected(task)) for task in range(TASKS)])
        self.assertTrue(0 < measured["main_ns"] <= time.monotonic_ns())
        self.assertGreater(measured["start_up_ns"], 0)
        self.assertGreater(measured["cpu_ns"], 0)
        self.assertGreater(measured["peak_rss_bytes"], 2**20)
        self.assertTrue(1 <= measured["in_flight"] <= TASKS)
        self.assertIn("CPython", measured["runtime"])
        self.check_slices(measured)

    def check_slices(self, measured):
        slices = measured["slices"]
        self.assertGreaterEqual(min(begin for _, _, begin, _, _ in slices), 0)
        self.assertEqual(max(end for _, _, _, end, _ in slices), measured["wall_ns"])
        self.assertEqual({lane for _, lane, _, _, _ in slices}, set(range(measured["workers"])))
        for task in range(TASKS):
            own = [each for each in slices if each[0] == task]
            self.assertEqual(len({lane for _, lane, _, _, _ in own}), 1)
            for (_, _, _, end, kind), (_, _, begin, _, next_kind) in zip(own, own[1:]):
                self.assertLessEqual(end, begin)
                if end == begin:
                    self.assertNotEqual(kind, next_kind)
        for lane in range(measured["workers"]):
            computing = sorted(each[2:4] for each in slices if each[1] == lane and each[4] == "cpu")
            for (_, end), (begin, _) in zip(computing, computing[1:]):
                self.assertLessEqual(end, begin, "one lane computes two tasks at once")

    def test_each_technique_on_each_nature(self):
        techniques = [(technique, nature) for technique in TECHNIQUES for nature in NATURES]
        if LIBRARY:
            techniques += [("python_ctypes", nature) for nature in NATIVE]
        if not GIL:
            techniques += [("python_free_threading", nature) for nature in NATURES]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            all_measured = pool.map(lambda each: self.measured(*each), techniques)
            for (technique, nature), measured in zip(techniques, all_measured):
                with self.subTest(technique=technique, nature=nature):
                    self.check(measured, technique, nature)

    def test_what_overlaps(self):
        alone = self.measured("python_sequential", "timers", delay_ms=20)
        self.assertEqual(alone["in_flight"], 1)
        self.assertGreaterEqual(alone["wall_ns"], TASKS * 20e6)
        coroutines = self.measured("python_asyncio", "timers", delay_ms=20)
        self.assertEqual((coroutines["in_flight"], coroutines["workers"]), (TASKS, 1))
        # None of them waits for anything, so each is through before the next begins.
        self.assertEqual(self.measured("python_asyncio", "matmul")["in_flight"], 1)
        threads = self.measured("python_threading", "timers", delay_ms=300, workers=TASKS)
        self.assertEqual((threads["in_flight"], threads["workers"]), (TASKS, TASKS))
        for measured, delay_ns in (alone, 20e6), (coroutines, 20e6), (threads, 300e6):
            waiting = [end - begin for _, _, begin, end, kind in measured["slices"] if kind == "wait"]
            self.assertEqual(len(waiting), TASKS)
            self.assertGreaterEqual(min(waiting), delay_ns)

    def test_the_gil_is_seen(self):
        if not GIL:
            self.skipTest("no GIL here")
        measured = self.measured("python_threading", "matmul", size=90, tasks=2)
        self.assertEqual((measured["workers"], measured["in_flight"]), (2, 2))
        computing = sum(end - begin for _, _, begin, end, kind in measured["slices"] if kind == "cpu")
        # Two threads at once would come to twice the time.
        self.assertLess(computing, 1.5 * measured["wall_ns"])

    def test_processes_cost_memory(self):
        alone = self.measured("python_sequential", "matmul")["peak_rss_bytes"]
        self.assertGreater(self.measured("python_multiprocessing", "matmul")["peak_rss_bytes"], 1.5 * alone)

    def test_wrong_use(self):
        self.refused(2, "invalid choice: 'python_fibers'", "python_fibers", "timers")
        self.refused(2, "'0', expected a whole number of at least 1", "python_asyncio", "timers", tasks=0)
        self.refused(2, "nothing of timers is Speedwell's", "python_ctypes", "timers", library="x")
        command = [sys.executable, PROGRAM, "python_asyncio", "mixed"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("python_asyncio mixed needs --port and --size", done.stderr)

    def test_bad_luck(self):
        closed = Server()
        closed.close()
        rude = Server(lambda task: b"")
        for technique in "python_sequential", "python_asyncio", "python_threading":
            self.refused(1, "[Errno 111]", technique, "requests", port=closed.port)
            self.refused(1, "the server answered b'' to task", technique, "requests", port=rude.port)
        self.refused(1, "the server answered b'' to task", "python_multiprocessing", "requests", port=rude.port)
        rude.close()
        self.refused(1, "No such file or directory", "python_asyncio", "files", file=self.file + "x")
        self.refused(1, f"has 0 bytes of block {TASKS}", "python_threading", "files", tasks=TASKS + 1)
        self.refused(1, "libnone.so", "python_ctypes", "matmul", library="./libnone.so")
        if GIL:
            self.refused(1, "runs with a GIL", "python_free_threading", "matmul")

    # Amid its task: a server that never answers has heard from each worker.
    def test_a_worker_is_killed(self):
        with socket.create_server(("127.0.0.1", 0)) as silent, contextlib.ExitStack() as connections:
            silent.settimeout(60)
            command = self.command("python_multiprocessing", "requests", port=silent.getsockname()[1])
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
                for _ in range(2):
                    connections.enter_context(silent.accept()[0])
                os.kill(self.worker_of(program.pid), signal.SIGKILL)
                output, errors = program.communicate(timeout=60)
        self.assertEqual((program.returncode, output), (1, ""))
        self.assertIn("process in the process pool was terminated abruptly", errors)

    def worker_of(self, parent):
        with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as children:
            for child in children.read().split():
                with open(f"/proc/{child}/cmdline", "rb") as command:
                    if b"spawn_main" in command.read():
                        return int(child)
        self.fail("there is no worker")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
