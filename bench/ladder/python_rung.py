# SPDX-License-Identifier: Apache-2.0
# The lowest rung: the three loops in Python itself, on lists of its floats.
#
# Arguments: n, rows, seconds; on standard input the matrices A and B, as this machine's floats. Computes the first `rows`
# rows of A B, or if that is 0, as many as `seconds` allow. Prints a line, "CPython 3.11.2, ROWS, SECONDS", then the rows
# as floats.
import array
import platform
import sys
import time


def multiply_row(a_row, b, n):
    c_row = []
    for j in range(n):
        total = 0.0
        for k in range(n):
            total += a_row[k] * b[k][j]
        c_row.append(total)
    return c_row


def main():
    n, rows, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    flat = array.array("f", sys.stdin.buffer.read()).tolist()
    matrix = [flat[i * n : (i + 1) * n] for i in range(2 * n)]
    a, b = matrix[:n], matrix[n:]
    c = []
    begin = time.perf_counter()
    while len(c) < (rows or n):
        c.append(multiply_row(a[len(c)], b, n))
        if rows == 0 and time.perf_counter() - begin >= seconds:
            break
    taken = time.perf_counter() - begin
    name = platform.python_implementation() + " " + platform.python_version()
    sys.stdout.buffer.write(f"{name}, {len(c)}, {taken!r}\n".encode())
    for c_row in c:
        sys.stdout.buffer.write(array.array("f", c_row).tobytes())


main()
