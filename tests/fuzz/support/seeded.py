"""seeded.py PROGRAM TARGET CORPUS: the target, told to have its deliberate defect, must say so.

Found is: a failed CHECK or abort(), or a sanitizer's report. Running through means that the
target's checks would not see the defect in the product either; a program that does not start, or
takes too long, is a failure too.
"""
import signal
import subprocess
import sys

LIMIT_SECONDS = 50
REPORTS = ("ERROR: AddressSanitizer", "runtime error:")


def main():
    program, target, corpus = sys.argv[1:]
    done = subprocess.run([program, "--seed-defect", target, corpus], capture_output=True,
                          text=True, errors="replace", timeout=LIMIT_SECONDS, check=False)
    found = done.returncode == -signal.SIGABRT or any(text in done.stderr for text in REPORTS)
    last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
    print(f"{'found' if found else 'NOT FOUND'}: status {done.returncode}: {last}")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
