"""./dev says what a machine lacks before it changes anything, and leaves policy-rc.d as it was."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PARTS = ("say", "checks", "packages", "build", "test", "lab", "lint", "bench")


class Dev(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="heddle-dev-"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "bin").mkdir()

    def stub(self, name, text):
        path = self.folder / "bin" / name
        path.write_text("#!/bin/sh\n" + text + "\n")
        path.chmod(0o755)

    def bash(self, script):
        """The parts of ./dev, then `script`, with the stubs first in PATH."""
        sources = "".join(f". {HERE}/{part}.sh\n" for part in PARTS)
        environment = dict(os.environ, PATH=f"{self.folder}/bin:{os.environ['PATH']}")
        return subprocess.run(["bash", "-c", f"set -euo pipefail\nroot={ROOT}\n{sources}{script}"],
                              cwd=ROOT, env=environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)

    def test_an_unknown_command_is_wrong_usage(self):
        done = subprocess.run([ROOT / "dev", "tset"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("dev: unknown command 'tset'", done.stderr)

    def test_all_that_is_missing_is_named_at_once_and_nothing_is_changed(self):
        self.stub("id", "echo 1000")
        self.stub("uname", 'if [ "$1" = -r ]; then echo 5.10.0-9-amd64; else echo riscv64; fi')
        self.stub("perl", "echo 'Operation not permitted'")
        self.stub("df", "printf 'a b c d\\n/ 1 1 12 1 /\\n'")
        for tool in ("apt-get", "cmake", "ninja"):
            self.stub(tool, f"touch {self.folder}/called")
        done = self.bash(f"""
            proc_mounts=/dev/null proc_filesystems=/dev/null kernel_btf={self.folder}/none
            prepare all""")
        self.assertEqual(done.returncode, 1)
        for text in ("this needs root", "the kernel is 5.10.0-9-amd64; 6.1 or newer",
                     "this machine is riscv64", "the kernel has no cgroup2",
                     "BPF programs cannot be loaded here (Operation not permitted)",
                     "CONFIG_DEBUG_INFO_BTF", "12 MB free", "nothing was changed"):
            self.assertIn(text, done.stderr)
        self.assertFalse((self.folder / "called").exists())

    def lacking(self, lacks, script):
        """`script` on a machine that has all but one thing: what it said, having called nothing."""
        self.stub("id", "echo 1000" if lacks == "root" else "echo 0")
        self.stub("uname", 'if [ "$1" = -r ]; then echo 6.1.0; else echo '
                           + ("riscv64; fi" if lacks == "machine" else "x86_64; fi"))
        self.stub("perl", "echo 'Operation not permitted'" if lacks == "bpf" else "true")
        self.stub("df", "printf 'a b c d\\n/ 1 1 9999 1 /\\n'")
        called = self.folder / "called"
        for tool in ("apt-get", "dpkg-query", "cmake", "ninja", "ctest", "heddle", "hyperfine"):
            self.stub(tool, f"touch {called}; exit 1")
        mounts = self.folder / "mounts"
        mounts.write_text("" if lacks == "cgroup2" else "c /c cgroup2 rw 0 0\n")
        btf = "/dev/null" if lacks != "btf" else f"{self.folder}/none"
        done = self.bash(f"proc_mounts={mounts} proc_filesystems=/dev/null kernel_btf={btf}\n"
                         f"{script}")
        self.assertEqual(done.returncode, 1, (lacks, script, done.stderr))
        self.assertIn("nothing was changed", done.stderr)
        self.assertFalse(called.exists(), (lacks, script, done.stderr))
        return done.stderr

    def test_each_command_names_the_one_thing_that_is_missing_before_it_does_anything(self):
        said = {"root": "this needs root", "cgroup2": "the kernel has no cgroup2",
                "bpf": "BPF programs cannot be loaded here", "btf": "CONFIG_DEBUG_INFO_BTF",
                "machine": "this machine is riscv64"}
        for script in ("demo", "lab_shell", "bench", "run_tests"):
            for lacks, text in said.items():
                lines = self.lacking(lacks, script).splitlines()
                self.assertIn(text, lines[0])
                self.assertEqual(len(lines), 2, lines)
        # Lint runs nothing of ours: it needs neither root nor a kernel.
        self.assertIn(said["machine"], self.lacking("machine", "lint"))

    def test_kernels_are_compared_as_numbers(self):
        for release, status in (("6.1.0-13-amd64", 0), ("6.10.2", 0), ("10.0-x", 0), ("6.0.19", 1),
                                ("5.19.0", 1), ("6.18.44-fc", 0)):
            self.stub("uname", f"echo {release}")
            self.assertEqual(self.bash("check_kernel").returncode, status, release)

    def test_an_unmounted_cgroup2_is_told_from_none(self):
        (self.folder / "filesystems").write_text("nodev\tcgroup2\n")
        done = self.bash(f"proc_mounts=/dev/null proc_filesystems={self.folder}/filesystems\n"
                         "check_cgroup2")
        self.assertEqual(done.returncode, 1)
        self.assertIn("mount -t cgroup2", done.stderr)

    def test_groups_of_packages_are_read_without_comments(self):
        done = self.bash("packages_of run; echo; packages_of vm")
        run, _, vm = done.stdout.partition("\n\n")
        self.assertIn("nftables", run.split())
        self.assertIn("qemu-system-x86", vm.split())
        self.assertNotIn("#", done.stdout)

    def test_only_what_is_missing_is_installed(self):
        self.stub("dpkg-query", "printf 'git installed\\nwrk config-files\\n'")
        self.assertEqual(self.bash("not_installed git wrk jq").stdout.split(), ["wrk", "jq"])

    def test_without_root_missing_packages_are_named(self):
        self.stub("dpkg-query", "true")
        self.stub("id", "echo 1000")
        done = self.bash("install_groups run")
        self.assertEqual(done.returncode, 1)
        self.assertIn("as root: apt-get install etcd-server", done.stderr)

    def policy(self, script):
        return self.bash(f"policy_file={self.folder}/policy policy_saved={self.folder}/saved\n"
                         f"{script}")

    def test_policy_comes_back_as_it_was(self):
        policy = self.folder / "policy"
        self.policy("forbid_services; sh $policy_file || echo forbidden=$?; restore_policy")
        self.assertFalse(policy.exists())
        policy.write_text("#!/bin/sh\nexit 104\n")
        policy.chmod(0o750)
        done = self.policy("forbid_services; sh $policy_file || echo forbidden=$?; restore_policy")
        self.assertEqual(done.stdout, "forbidden=101\n")
        self.assertEqual(policy.read_text(), "#!/bin/sh\nexit 104\n")
        self.assertEqual(policy.stat().st_mode & 0o777, 0o750)
        policy.unlink()
        policy.symlink_to("/nowhere/policy")
        self.policy("forbid_services; restore_policy")
        self.assertEqual(os.readlink(policy), "/nowhere/policy")

    def test_policy_comes_back_after_a_failure_and_after_a_kill(self):
        policy = self.folder / "policy"
        policy.write_text("ours")
        self.policy("forbid_services; false")
        self.assertEqual(policy.read_text(), "ours")
        self.policy("forbid_services; kill -9 $$")
        self.assertNotEqual(policy.read_text(), "ours")
        self.policy("forbid_services; restore_policy")
        self.assertEqual(policy.read_text(), "ours")
        self.assertFalse((self.folder / "saved").exists())

    def skips(self, allowed):
        (self.folder / "allowed").write_text(allowed)
        tests = [{"name": "Passes", "result": "COMPLETED"}, {"name": "Netem", "result": "SKIPPED"}]
        report = {"testsuites": [{"name": "Link", "testsuite": tests}]}
        (self.folder / "link.json").write_text(json.dumps(report))
        return subprocess.run([sys.executable, HERE / "skips.py", self.folder / "allowed",
                               self.folder], capture_output=True, text=True, check=False)

    def test_a_skip_that_is_not_on_the_list_fails(self):
        done = self.skips("# nothing\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Link.Netem", done.stdout)
        self.assertEqual(self.skips("Link.Netem  the kernel here has no netem\n").returncode, 0)
        self.assertNotEqual(self.skips("Link.Netem\n").returncode, 0)

    def test_a_result_that_a_coroutine_drops_is_seen(self):
        if shutil.which("clang++-19") is None:
            self.skipTest("clang++-19 is not installed")
        source = self.folder / "a.cc"
        source.write_text("""#include <coroutine>
            struct [[nodiscard]] Result {};
            struct Wait {
              bool await_ready() { return true; }
              void await_suspend(std::coroutine_handle<>) {}
              Result await_resume() { return {}; }
            };
            struct Task {
              struct promise_type {
                Task get_return_object() { return {}; }
                std::suspend_never initial_suspend() { return {}; }
                std::suspend_never final_suspend() noexcept { return {}; }
                void return_void() {}
                void unhandled_exception() {}
              };
            };
            Task keeps() { auto r = co_await Wait(); (void)r; }
            Task drops() { co_await Wait(); }""")
        (self.folder / "compile_commands.json").write_text(json.dumps([{
            "directory": str(self.folder), "file": str(source),
            "command": f"/usr/bin/ccache /usr/bin/c++ -std=c++23 -Wall -MD -o a.o -c {source}"}]))
        done = subprocess.run([sys.executable, HERE / "clang_syntax.py", self.folder],
                              input=str(source), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("a.cc:18:", done.stdout)
        self.assertEqual(done.stdout.count(" error: "), 1)

    def test_the_vm_runs_what_needs_a_kernel(self):
        def listed(*arguments):
            tests = [{"name": f"tests/{name}", "command": ["/b/t", "--x=a b"],
                      "properties": [{"name": "LABELS", "value": [label]}]}
                     for name, label in (("unit/a", "unit"), ("bpf/overlay", "bpf"),
                                         ("netns/netd", "netns"), ("netns/bridge_path", "netns"))]
            done = subprocess.run([sys.executable, HERE / "vm_tests.py", *arguments],
                                  input=json.dumps({"tests": tests}), capture_output=True,
                                  text=True, check=True)
            return [line.split("\t")[0] for line in done.stdout.splitlines()], done.stdout
        self.assertEqual(listed()[0], ["tests/bpf/overlay", "tests/netns/netd",
                                       "tests/netns/bridge_path"])
        self.assertEqual(listed("--short")[0], ["tests/bpf/overlay", "tests/netns/bridge_path"])
        self.assertEqual(listed("unit")[0], ["tests/unit/a"])
        self.assertIn("\t/b/t '--x=a b'\n", listed()[1])


if __name__ == "__main__":
    unittest.main()
