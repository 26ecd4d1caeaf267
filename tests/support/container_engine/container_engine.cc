#include "tests/support/container_engine/container_engine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace heddle::peer {
namespace {

namespace fs = std::filesystem;

void make_root(const std::string& root) {
  fs::create_directories(root + "/bin");
  fs::create_directories(root + "/tmp");
  fs::copy_file("/bin/busybox", root + "/bin/busybox");
  for (const char* name : {"sh", "sleep", "ping", "ip", "nslookup", "httpd", "cat"}) {
    fs::create_symlink("busybox", root + "/bin/" + name);
  }
  std::ofstream(root + "/index.html") << "hello\n";
  // busybox, being static, cannot look names up as programs do.
  host::run(
      "for file in /usr/bin/curl $(ldd /usr/bin/curl | grep -o '/[^ ]*'); do "
      "mkdir -p " +
      root + "$(dirname $file) && cp -L $file " + root + "$file; done");
}

}  // namespace

std::string ContainerEngine::missing(const std::string& engine) {
  if (::geteuid() != 0) return "kernel tests run as root";
  const std::string daemon = engine == "docker" ? "/usr/sbin/dockerd" : "/usr/bin/podman";
  for (const std::string& path : {daemon, std::string("/usr/bin/curl"),
                                  std::string("/usr/sbin/runc"), std::string("/bin/busybox")}) {
    if (::access(path.c_str(), X_OK) != 0) return path + " is not installed";
  }
  return "";
}

ContainerEngine::ContainerEngine(std::string engine) : name_(std::move(engine)) {
  EXPECT_EQ(::mount("heddle-test", "/run", "tmpfs", 0, "mode=0755"), 0);
  cgroups_ = host::run("findmnt -n -t cgroup2 -o TARGET | head -1");
  group_ = "heddle-engine-" + std::to_string(::getpid());
  fs::create_directories(cgroup() + "/engine");
  ::setenv("PATH", (bin_dir() + ":" + std::getenv("PATH")).c_str(), 1);
  make_root(directory() + "/root");
  start();
  host::run("tar -C " + directory() + "/root -c . | " + command() + " import - box:1");
}

ContainerEngine::~ContainerEngine() {
  host::status_of(command() + " rm -f $(" + command() + " ps -aq)");
  if (testing::Test::HasFailure()) {
    std::puts(host::run("tail -n 30 " + directory() + "/engine.log").c_str());
  }
  ::kill(pid_, SIGTERM);
  EXPECT_TRUE(eventually([&] { return ::waitpid(pid_, nullptr, WNOHANG) == pid_; }));
  // Whatever a failed test left.
  std::ofstream(cgroup() + "/cgroup.kill") << "1";
  const std::string all = "/sys/fs/cgroup /sys/fs/cgroup/*";
  EXPECT_TRUE(eventually([&] {
    host::status_of("for c in " + all + "; do find $c/" + group_ +
                    " -depth -type d -exec rmdir {} \\; ; done");
    return host::status_of("for c in " + all + "; do ! [ -d $c/" + group_ + " ] || exit 1; done") ==
           0;
  })) << "cgroups are left";
}

// A child in a cgroup of the test's, which ends with it whatever happens.
::pid_t ContainerEngine::spawn(const std::string& line, const std::string& log,
                               const std::string& cgroup) const {
  const std::string procs = this->cgroup() + "/" + cgroup + "/cgroup.procs";
  const std::string script = "echo $$ > " + procs + "; exec " + line;
  const ::pid_t pid = ::fork();
  EXPECT_GE(pid, 0);
  if (pid == 0) {
    const int out = ::open(log.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
    ::_exit(127);
  }
  return pid;
}

std::string ContainerEngine::socket() const {
  return name_ == "docker" ? "/run/docker.sock" : "/run/podman/podman.sock";
}

std::string ContainerEngine::command() const {
  if (name_ == "docker") return "docker -H unix:///run/docker.sock";
  // crun refuses this and other hosts' mixed cgroups; journald may be absent.
  return "podman --root " + directory() +
         "/data --runroot /run/libpod --tmpdir /run/libpod-tmp "
         "--storage-driver vfs --cgroup-manager cgroupfs --events-backend file --runtime runc "
         "--network-config-dir " +
         directory() + "/networks";
}

void ContainerEngine::start() {
  const std::string log = directory() + "/engine.log";
  if (name_ == "docker") {
    // Containers outlive it, as they do on hosts where it is upgraded in service.
    pid_ = spawn("dockerd --live-restore --data-root " + directory() +
                     "/data --exec-root /run/docker --host unix:///run/docker.sock --pidfile "
                     "/run/docker.pid --cgroup-parent /" +
                     group_ + "/boxes",
                 log, "engine");
  } else {
    fs::create_directories("/run/podman");
    pid_ =
        spawn(command() + " system service --time 0 unix:///run/podman/podman.sock", log, "engine");
  }
  ASSERT_TRUE(eventually([&] {
    return host::status_of("curl -sf --unix-socket " + socket() + " http://x/_ping") == 0;
  })) << host::run("tail -n 30 " + log);
}

void ContainerEngine::kill() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  fs::remove("/run/docker.pid");
  // dockerd's own containerd ends with it, a moment later; the next dockerd waits for one that it
  // takes to be alive, in vain.
  const std::string containerd = "/run/docker/containerd/containerd.pid";
  EXPECT_TRUE(eventually([&] {
    return host::status_of("! grep -qs '^State:[[:space:]]*[A-WYa-z]' /proc/$(cat " + containerd +
                           " 2>/dev/null || echo none)/status") == 0;
  }));
  fs::remove(containerd);
}

std::string ContainerEngine::run(const std::string& arguments) const {
  return host::run(command() + " " + arguments);
}

}  // namespace heddle::peer
