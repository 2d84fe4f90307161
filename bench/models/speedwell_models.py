# SPDX-License-Identifier: Apache-2.0
"""Concurrency and parallelism as Python offers them: the same tasks done by each technique, and measured.

    python3 speedwell_models.py python_asyncio timers --tasks 100 --delay-ms 20

prints one JSON object, which bench/models reads: when each task computed and when it waited, what all of it cost, and
what came out. The techniques come first, a function each; then the tasks they are given; then how they are measured.
"""
import argparse
import array
import asyncio
import concurrent.futures
import contextlib
import ctypes
import functools
import json
import multiprocessing
import os
import platform
import queue
import resource
import socket
import sys
import threading
import time
import zlib


# The techniques. Each is given the same work, and returns what perform() made of each task, in the tasks' order.


def sequential(work):
    """One task after the other: what all else is held against."""
    return [perform(work.nature, task, given) for task, given in enumerate(work.inputs)]


def with_asyncio(work):
    """Coroutines on one thread. While a task awaits, the others go on; while one computes, none does."""

    async def all_of_them():
        return await asyncio.gather(
            *(perform_async(work.nature, task, given) for task, given in enumerate(work.inputs))
        )

    return asyncio.run(all_of_them())


def with_threads(work):
    """Threads of the operating system. Where there is a GIL, one of them runs Python at a time; it passes the lock on
    when it waits, when it calls C that needs no Python, and otherwise every 5 ms."""
    with concurrent.futures.ThreadPoolExecutor(work.workers) as pool:
        return list(pool.map(functools.partial(perform, work.nature), range(len(work.inputs)), work.inputs))


def with_processes(work):
    """Interpreters of their own, each with its own GIL. What a task needs and what it returns are copied: pickled, sent
    through a pipe, and unpickled."""
    workers = min(work.workers, len(work.inputs))
    spawning = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold
    all_are_up = spawning.Barrier(workers)
    with concurrent.futures.ProcessPoolExecutor(workers, spawning, all_are_up.wait, (60,)) as pool:
        done = pool.map(functools.partial(perform, work.nature), range(len(work.inputs)), work.inputs)
        before = Usage.of_this_process()
        done = list(done)
        work.costs_elsewhere.append(Usage.of_this_process() - before)
        work.peak_rss_elsewhere = sum(peak_rss_bytes(pid) for pid in {each.trace.process for each in done})
    return done


def without_a_gil(work):
    """Threads again, on an interpreter that was built without a GIL: nothing but the interpreter is different."""
    if not is_free_threaded():
        raise Impossible(f"{runtime_name()} runs with a GIL, expected a free-threaded interpreter such as python3.14t")
    return with_threads(work)


TECHNIQUES = {
    "python_sequential": sequential,
    "python_asyncio": with_asyncio,
    "python_threading": with_threads,
    "python_multiprocessing": with_processes,
    "python_ctypes": with_threads,  # the tasks are other ones: they call Speedwell, and need no GIL while they do
    "python_free_threading": without_a_gil,
}


# The tasks. A nature of work says what a task is given (`input`), does it (`run`, and `run_async` in a coroutine), and
# sums up what came out as a number (`result`, after the clock has stopped). On the way it tells its trace what the time
# since the last word went into: `computed` or `waited`.


class Requests:
    """Asks a server that takes its time to answer."""

    def __init__(self, options):
        self.port, self.delay_ms = options.port, options.delay_ms

    def input(self, task):
        return task

    def run(self, task, trace):
        with socket.create_connection(("127.0.0.1", self.port)) as server:
            server.sendall(self.question(task))
            trace.computed()
            answer = server.makefile("rb").readline()
            trace.waited()
        return self.value(task, answer)

    async def run_async(self, task, trace):
        trace.computed()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        trace.waited()
        writer.write(self.question(task))
        trace.computed()
        answer = await reader.readline()
        trace.waited()
        writer.close()
        return self.value(task, answer)

    def result(self, value):
        return value

    def question(self, task):
        return b"%d %d\n" % (task, self.delay_ms)

    def value(self, task, answer):
        words = answer.split()
        if len(words) != 2 or words[0] != b"%d" % task or not words[1].isdigit():
            raise Impossible(f"the server answered {answer!r} to task {task}, expected its number and a value")
        return int(words[1])


class Timers:
    """Does nothing for a while. What comes out is how long that was, in whole milliseconds."""

    def __init__(self, options):
        self.delay_s = options.delay_ms / 1000

    def input(self, task):
        return task

    def run(self, task, trace):
        trace.computed()
        before = time.monotonic_ns()
        time.sleep(self.delay_s)
        trace.waited()
        return (time.monotonic_ns() - before) // 1_000_000

    async def run_async(self, task, trace):
        trace.computed()
        before = time.monotonic_ns()
        await asyncio.sleep(self.delay_s)
        trace.waited()
        return (time.monotonic_ns() - before) // 1_000_000

    def result(self, waited_ms):
        return waited_ms


class Files:
    """Reads a block of a file and sums it up."""

    BLOCK = 64 * 1024

    def __init__(self, options):
        self.path = options.file

    def input(self, task):
        return task

    def run(self, task, trace):
        trace.computed()
        block = self.read(task)
        trace.waited()
        return zlib.crc32(block)

    async def run_async(self, task, trace):
        trace.computed()
        # The operating system has no asynchronous read that Python knows of, so a helper thread waits in our place.
        block = await asyncio.get_running_loop().run_in_executor(None, self.read, task)
        trace.waited()
        return zlib.crc32(block)

    def result(self, checksum):
        return checksum

    def read(self, task):
        file = os.open(self.path, os.O_RDONLY)
        try:
            # Out of the cache, so that the disk is read. It stays there where other programs use the page.
            os.posix_fadvise(file, task * self.BLOCK, self.BLOCK, os.POSIX_FADV_DONTNEED)
            block = os.pread(file, self.BLOCK, task * self.BLOCK)
        finally:
            os.close(file)
        if len(block) != self.BLOCK:
            raise Impossible(f"{self.path} has {len(block)} bytes of block {task}, expected {self.BLOCK}")
        return block


class Computing:
    """A task that never waits. As a coroutine it doesn't either: it has nothing to await, so nothing overlaps."""

    async def run_async(self, given, trace):
        return self.run(given, trace)


class Matmul(Computing):
    """The product of two matrices, of whole numbers that a float holds exactly."""

    def __init__(self, options):
        self.size = options.size
        self.b = [[(2 * k + 3 * j) % 5 for j in range(self.size)] for k in range(self.size)]

    def input(self, task):
        return [[(3 * (i + task) + 5 * k) % 7 for k in range(self.size)] for i in range(self.size)]

    def run(self, a, trace):
        columns = list(zip(*self.b))
        c = []
        for row in a:
            c.append([sum(x * y for x, y in zip(row, column)) for column in columns])
            trace.computed()
        return c

    def result(self, c):
        return functools.reduce(lambda checksum, row: zlib.crc32(array.array("f", row), checksum), c, 0)


class Filter(Computing):
    """Each pixel becomes the mean of its neighbourhood of 3 x 3, where the nearest weigh more; beyond an edge the image
    goes on as its last pixel."""

    PERIOD = 128

    def __init__(self, options):
        self.size = options.size

    def input(self, task):
        return self.image(5 * task)

    def image(self, shift):
        diagonals = [pattern((n + shift) % self.PERIOD) for n in range(2 * self.size)]
        return [diagonals[y : y + self.size] for y in range(self.size)]

    def run(self, image, trace):
        size = len(image)
        rows = [[row[0], *row, row[-1]] for row in [image[0], *image, image[-1]]]
        blurred = []
        for y in range(size):
            columns = [a + 2 * b + c for a, b, c in zip(*rows[y : y + 3])]
            blurred.append([(a + 2 * b + c + 8) >> 4 for a, b, c in zip(columns, columns[1:], columns[2:])])
            trace.computed()
        return blurred

    def result(self, image):
        return zlib.crc32(b"".join(map(bytes, image)))


class Triad(Computing):
    """a = b + s c on long vectors: hardly any arithmetic, much memory."""

    PIECE = 4096
    CHECKED = 509  # every so many elements are summed up

    def __init__(self, options):
        self.size = options.size
        self.b, self.c = self.repeated(1021), self.repeated(499)

    def input(self, task):
        return 3 + task % 13

    def repeated(self, period):
        return (list(range(period)) * (self.size // period + 1))[: self.size]

    def run(self, scale, trace):
        a = []
        for begin in range(0, self.size, self.PIECE):
            end = begin + self.PIECE
            a += [x + scale * y for x, y in zip(self.b[begin:end], self.c[begin:end])]
            trace.computed()
        return a

    def result(self, a):
        return zlib.crc32(array.array("f", a[:: self.CHECKED]))


class Mixed:
    """Fetches, then filters what was fetched: first it waits, then it computes."""

    KINDS = 16

    def __init__(self, options, filter_class=Filter):
        self.requests, self.filter = Requests(options), filter_class(options)
        self.inputs = [self.filter.input(kind) for kind in range(self.KINDS)]

    def input(self, task):
        return task

    def run(self, task, trace):
        value = self.requests.run(task, trace)
        return self.filter.run(self.inputs[value % self.KINDS], trace)

    async def run_async(self, task, trace):
        value = await self.requests.run_async(task, trace)
        return self.filter.run(self.inputs[value % self.KINDS], trace)

    def result(self, answer):
        return self.filter.result(answer)


def pattern(k):
    """A pixel of the images, which are the same along each diagonal."""
    return (k * k * 7 + 13 * k) % 251


# The same tasks by Speedwell's C library. ctypes gives the GIL back before each call, and takes it again after.


class Speedwell:
    """libspeedwell_c.so, as far as it is needed here; speedwell.h describes it."""

    class Matrix(ctypes.Structure):
        _fields_ = [(name, ctypes.c_ssize_t) for name in ("rows", "cols", "row_stride", "col_stride")]

    class Image(ctypes.Structure):
        _fields_ = [(name, ctypes.c_ssize_t) for name in ("width", "height", "channels", "row_stride")]

    class Border(ctypes.Structure):
        _fields_ = [("mode", ctypes.c_int), ("value", ctypes.c_double)]

    class Backend(ctypes.Structure):
        _fields_ = [("model", ctypes.c_int), ("threads", ctypes.c_int)]

    SEQUENTIAL = Backend(1, 0)  # a task is one thread's work: the threads here are Python's
    WRAP = Border(3, 0)

    def __init__(self, path):
        library = ctypes.CDLL(path)
        library.speedwell_version.restype = ctypes.c_char_p
        library.speedwell_last_error.restype = ctypes.c_char_p
        self.version = library.speedwell_version().decode()
        self.last_error = library.speedwell_last_error
        floats, pixels = ctypes.POINTER(ctypes.c_float), ctypes.POINTER(ctypes.c_uint8)
        self.matmul = self.function(
            library.speedwell_matmul_f32,
            *(ctypes.c_double, floats, self.Matrix, floats, self.Matrix),
            *(ctypes.c_double, floats, self.Matrix, self.Backend),
        )
        self.gaussian_blur = self.function(
            library.speedwell_gaussian_blur_u8,
            *(pixels, self.Image, pixels, self.Image, ctypes.c_double, ctypes.c_double, self.Border, self.Backend),
        )
        self.triad = self.function(
            library.speedwell_triad_f32,
            *(floats, ctypes.c_double, floats, floats, ctypes.c_size_t, self.Backend),
        )
        # The first call finds out what this machine is, which no task should have to pay for.
        one = floats(ctypes.c_float(1))
        self.triad(one, 1, one, one, 1, self.SEQUENTIAL)

    def function(self, function, *types):
        function.argtypes, function.errcheck = types, self.check
        return function

    def check(self, status, function, arguments):
        if status != 0:
            raise Impossible(f"{function.__name__}: {self.last_error().decode()}")
        return status


def address(kind, block, index=0):
    """Of an element of an array, as C takes it."""
    return ctypes.cast(block.buffer_info()[0] + index * block.itemsize, ctypes.POINTER(kind))


class Native:
    """What is Speedwell's writes to memory that is there: a block for each worker, touched beforehand."""

    def __init__(self, options, kind, elements):
        self.speedwell = options.speedwell
        self.blocks = queue.SimpleQueue()
        for _ in range(options.workers):
            self.blocks.put(array.array(kind, bytes(array.array(kind).itemsize * elements)))

    @contextlib.contextmanager
    def block(self):
        block = self.blocks.get()
        try:
            yield block
        finally:
            self.blocks.put(block)

    def warm_up(self, options):
        """A task in each block: on a virtual machine, memory can be slow until it has been used."""
        for _ in range(options.workers):
            self.run(0, Trace(0))

    def input(self, task):
        return task

    def result(self, checksum):
        return checksum


class NativeMatmul(Native, Computing):
    """The product, some rows at a time."""

    def __init__(self, options):
        size = self.size = options.size
        self.rows = -(-size // options.units)
        super().__init__(options, "f", self.rows * size)
        self.a, self.b = array.array("f"), array.array("f")
        for i in range(size + options.tasks):  # the A of each task is a window of this one
            self.a += repeated("f", [(3 * i + 5 * k) % 7 for k in range(7)], size)
        for k in range(size):
            self.b += repeated("f", [(2 * k + 3 * j) % 5 for j in range(5)], size)
        self.square = Speedwell.Matrix(size, size, size, 1)
        self.warm_up(options)

    def run(self, task, trace):
        size, checksum = self.size, 0
        with self.block() as c, memoryview(c) as elements:
            b, to = address(ctypes.c_float, self.b), address(ctypes.c_float, c)
            for first in range(0, size, self.rows):
                rows = min(self.rows, size - first)
                some = Speedwell.Matrix(rows, size, size, 1)
                a = address(ctypes.c_float, self.a, (task + first) * size)
                self.speedwell.matmul(1, a, some, b, self.square, 0, to, some, Speedwell.SEQUENTIAL)
                checksum = zlib.crc32(elements[: rows * size], checksum)
                trace.computed()
        return checksum


class NativeFilter(Native, Computing):
    """A Gaussian blur, again and again."""

    SIGMA = 4
    CHECKED = 64  # every so many rows are summed up

    def __init__(self, options):
        size, period = options.size, Filter.PERIOD
        self.size, self.units = size, options.units
        super().__init__(options, "B", size * size)
        self.image = array.array("B")
        for y in range(size):  # each image is a window of this one
            self.image += repeated("B", [pattern((x + y) % period) for x in range(period)], size + period)
        self.wide = Speedwell.Image(size, size, 1, size + period)
        self.layout = Speedwell.Image(size, size, 1, size)
        self.warm_up(options)

    def run(self, task, trace):
        checksum = 0
        with self.block() as blurred, memoryview(blurred) as bytes_of:
            to = address(ctypes.c_uint8, blurred)
            for unit in range(self.units):
                image = address(ctypes.c_uint8, self.image, (5 * task + 11 * unit) % Filter.PERIOD)
                self.speedwell.gaussian_blur(
                    image, self.wide, to, self.layout, self.SIGMA, 0, Speedwell.WRAP, Speedwell.SEQUENTIAL
                )
                for begin in range(0, self.size**2, self.CHECKED * self.size):
                    checksum = zlib.crc32(bytes_of[begin : begin + self.size], checksum)
                trace.computed()
        return checksum


class NativeTriad(Native, Computing):
    def __init__(self, options):
        self.size = options.size
        super().__init__(options, "f", self.size)
        self.b, self.c = repeated("f", range(1021), self.size), repeated("f", range(499), self.size)
        self.warm_up(options)

    def run(self, task, trace):
        b, c = address(ctypes.c_float, self.b), address(ctypes.c_float, self.c)
        with self.block() as a, memoryview(a) as elements:
            to = address(ctypes.c_float, a)
            self.speedwell.triad(b, 3 + task % 13, c, to, self.size, Speedwell.SEQUENTIAL)
            trace.computed()
            return zlib.crc32(elements[:: Triad.CHECKED].tobytes())


def repeated(kind, pattern_of_it, elements):
    once = array.array(kind, pattern_of_it)
    return (once * (elements // len(once) + 1))[:elements]


NATURES = {
    "requests": Requests,
    "timers": Timers,
    "files": Files,
    "matmul": Matmul,
    "filter": Filter,
    "triad": Triad,
    "mixed": Mixed,
}

NATIVE_NATURES = {
    "matmul": NativeMatmul,
    "filter": NativeFilter,
    "triad": NativeTriad,
    "mixed": functools.partial(Mixed, filter_class=NativeFilter),
}


# How all that is measured.


class Usage:
    """What processes have taken of the machine so far; the difference of two is what they took in between."""

    def __init__(self, cpu_ns=0, voluntary=0, involuntary=0):
        self.cpu_ns, self.voluntary, self.involuntary = cpu_ns, voluntary, involuntary

    @classmethod
    def of_this_process(cls):
        switches = resource.getrusage(resource.RUSAGE_SELF)
        return cls(time.process_time_ns(), switches.ru_nvcsw, switches.ru_nivcsw)

    def __add__(self, other):
        return Usage(
            self.cpu_ns + other.cpu_ns, self.voluntary + other.voluntary, self.involuntary + other.involuntary
        )

    def __sub__(self, other):
        return Usage(
            self.cpu_ns - other.cpu_ns, self.voluntary - other.voluntary, self.involuntary - other.involuntary
        )


class Trace:
    """What a task did when: slices of computing and of waiting."""

    # A thread that was without the GIL or without a core for less than this isn't said to have stood still.
    NOTICEABLE_NS = 500_000

    def __init__(self, task):
        self.task, self.process, self.thread = task, os.getpid(), threading.get_ident()
        self.slices = []
        self.usage_before = Usage.of_this_process()
        self.begin = self.last = time.perf_counter_ns()
        self.last_cpu = time.thread_time_ns()

    def computed(self):
        """The time since the last word was computing. If the thread had less CPU time than that, then it stood still
        for want of the GIL or of a core, and here that is said to have been at first: a gap between slices."""
        now, cpu = time.perf_counter_ns(), time.thread_time_ns()
        stood = (now - self.last) - (cpu - self.last_cpu)
        if stood >= self.NOTICEABLE_NS:
            self.last = min(self.last + stood, now)
        self.add("cpu", now)
        self.last_cpu = cpu

    def waited(self):
        """The time since the last word was waiting."""
        self.add("wait", time.perf_counter_ns())
        self.last_cpu = time.thread_time_ns()

    def ended(self):
        self.computed()
        self.end = self.last
        self.usage_after = Usage.of_this_process()

    def add(self, kind, until):
        if self.slices and self.slices[-1][1:] == [self.last, kind]:
            self.slices[-1][1] = until
        elif until > self.last:
            self.slices.append([self.last, until, kind])
        self.last = until


class Performed:
    """A task that has been done."""

    def __init__(self, answer, trace):
        self.answer, self.trace = answer, trace


def perform(nature, task, given):
    trace = Trace(task)
    answer = nature.run(given, trace)
    trace.ended()
    return Performed(answer, trace)


async def perform_async(nature, task, given):
    trace = Trace(task)
    answer = await nature.run_async(given, trace)
    trace.ended()
    return Performed(answer, trace)


class Work:
    """Tasks of one nature, and the workers that a technique may have for them."""

    def __init__(self, nature, options):
        self.nature, self.workers = nature, options.workers
        self.inputs = [nature.input(task) for task in range(options.tasks)]
        self.costs_elsewhere = []  # of processes beside those that did tasks
        self.peak_rss_elsewhere = 0  # of processes beside this one


def costs_of(traces):
    """What the processes took from the begin of their first task to the end of their last."""
    total = Usage()
    for process in {trace.process for trace in traces}:
        own = [trace for trace in traces if trace.process == process]
        first = min(own, key=lambda trace: trace.begin)
        last = max(own, key=lambda trace: trace.end)
        total += last.usage_after - first.usage_before
    return total


def greatest_number_in_flight(traces):
    changes = [(trace.begin, 1) for trace in traces] + [(trace.end, -1) for trace in traces]
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def lanes_of(traces):
    """Threads and processes, numbered in the order in which they began."""
    lanes = {}
    for trace in sorted(traces, key=lambda trace: trace.begin):
        lanes.setdefault((trace.process, trace.thread), len(lanes))
    return lanes


def peak_rss_bytes(process):
    """The most memory that a process had at any time. (getrusage's has in it what the process was before exec.)"""
    with open(f"/proc/{process}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise Impossible(f"/proc/{process}/status has no line VmHWM")


def is_free_threaded():
    return not getattr(sys, "_is_gil_enabled", lambda: True)()


def runtime_name():
    name = f"{platform.python_implementation()} {platform.python_version()}"
    return name + " without a GIL" if is_free_threaded() else name


class Impossible(Exception):
    """Something that the machine or the caller didn't provide; the text says what."""


def measure(options):
    runtime = runtime_name()
    natures = NATURES
    started = time.perf_counter_ns()
    if options.technique == "python_ctypes":
        options.speedwell = Speedwell(options.library)
        natures = NATIVE_NATURES
        runtime += f", Speedwell {options.speedwell.version}"
    start_up_ns = time.perf_counter_ns() - started

    work = Work(natures[options.nature](options), options)  # the inputs are no part of it

    started = time.perf_counter_ns()
    done = TECHNIQUES[options.technique](work)

    traces = [each.trace for each in done]
    began = min(trace.begin for trace in traces)
    lanes = lanes_of(traces)
    costs = sum(work.costs_elsewhere, costs_of(traces))
    return {
        "schema": 1,
        "technique": options.technique,
        "nature": options.nature,
        "tasks": options.tasks,
        "workers": len(lanes),
        "main_ns": options.main_ns,
        "start_up_ns": start_up_ns + began - started,
        "wall_ns": max(trace.end for trace in traces) - began,
        "cpu_ns": costs.cpu_ns,
        "voluntary_switches": costs.voluntary,
        "involuntary_switches": costs.involuntary,
        "peak_rss_bytes": peak_rss_bytes("self") + work.peak_rss_elsewhere,
        "in_flight": greatest_number_in_flight(traces),
        "runtime": runtime,
        "slices": [
            [trace.task, lanes[trace.process, trace.thread], begin - began, end - began, kind]
            for trace in traces
            for begin, end, kind in trace.slices
        ],
        "results": [str(work.nature.result(each.answer)) for each in done],
    }


# What each nature can't do without.
NEEDS = {
    "requests": ["port"],
    "timers": [],
    "files": ["file"],
    "matmul": ["size"],
    "filter": ["size"],
    "triad": ["size"],
    "mixed": ["port", "size"],
}


def at_least(least):
    def number(text):
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"'{text}', expected a whole number of at least {least}")
        return int(text)

    return number


def options_of(arguments):
    parser = argparse.ArgumentParser(description="Measures one technique on tasks of one nature.")
    parser.add_argument("technique", choices=TECHNIQUES)
    parser.add_argument("nature", choices=NATURES)
    parser.add_argument("--tasks", type=at_least(1), default=8)
    parser.add_argument("--workers", type=at_least(1), default=1, help="threads or processes, at most")
    parser.add_argument("--port", type=at_least(1), help="of the server on this machine, for requests and mixed")
    parser.add_argument("--delay-ms", type=at_least(0), default=20, help="of an answer and of a timer")
    parser.add_argument("--file", help="that has a block of 64 KiB for each task of files")
    parser.add_argument("--size", type=at_least(2), help="of a matrix' or an image's side, or of a vector")
    parser.add_argument("--units", type=at_least(1), default=1, help="calls of Speedwell in a task")
    parser.add_argument("--library", help="path of libspeedwell_c.so, for python_ctypes")
    options = parser.parse_args(arguments)
    needs = NEEDS[options.nature]
    if options.technique == "python_ctypes":
        needs = needs + ["library"]
        if options.nature not in NATIVE_NATURES:
            parser.error(f"python_ctypes has {', '.join(NATIVE_NATURES)}; nothing of {options.nature} is Speedwell's")
    missing = [f"--{need}" for need in needs if getattr(options, need) is None]
    if missing:
        parser.error(f"{options.technique} {options.nature} needs {' and '.join(missing)}")
    return options


def main():
    main_ns = time.monotonic_ns()
    options = options_of(sys.argv[1:])
    options.main_ns = main_ns
    try:
        measured = measure(options)
    except (Impossible, OSError, concurrent.futures.BrokenExecutor) as error:
        sys.exit(f"speedwell_models.py: {options.technique} {options.nature}: {error}")
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
