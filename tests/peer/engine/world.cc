#include "tests/peer/engine/world.h"

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

std::string World::missing(const std::string& engine) {
  if (::geteuid() != 0) return "kernel tests run as root";
  const std::string daemon = engine == "docker" ? "/usr/sbin/dockerd" : "/usr/bin/podman";
  for (const std::string& path : {daemon, std::string("/usr/bin/curl"),
                                  std::string("/usr/sbin/runc"), std::string("/bin/busybox")}) {
    if (::access(path.c_str(), X_OK) != 0) return path + " is not installed";
  }
  return "";
}

World::World(const std::string& engine) : name_(engine) {
  EXPECT_EQ(::mount("heddle-test", "/run", "tmpfs", 0, "mode=0755"), 0);
  cgroups_ = host::run("findmnt -n -t cgroup2 -o TARGET | head -1");
  group_ = "heddle-engine-" + std::to_string(::getpid());
  fs::create_directories(cgroups_ + "/" + group_ + "/heddle");
  fs::create_directories(cgroups_ + "/" + group_ + "/engine");
  ::setenv("PATH", (bin_dir() + ":" + std::getenv("PATH")).c_str(), 1);
  ::setenv("HEDDLE_SOCKET", (host_.directory() + "/run/heddled.sock").c_str(), 1);
  make_root(host_.directory() + "/root");
  start_engine();
  if (name_ == "docker") {  // docs/ports.md
    host::run(
        "iptables -I DOCKER-USER -i hdb+ -j ACCEPT && iptables -I DOCKER-USER -o hdb+ -j ACCEPT");
  }
  host::run("tar -C " + host_.directory() + "/root -c . | " + engine_command() + " import - box:1");
  start_heddled();
}

World::~World() {
  host::status_of(engine_command() + " rm -f $(" + engine_command() + " ps -aq)");
  EXPECT_EQ(host::status_of("heddle system reset --force"), 0);
  if (testing::Test::HasFailure()) {
    std::puts(host::run("tail -n 60 " + host_.directory() + "/heddled.log").c_str());
    std::puts(host::run("tail -n 30 " + host_.directory() + "/engine.log").c_str());
  }
  ::kill(engine_, SIGTERM);
  EXPECT_TRUE(eventually([&] { return ::waitpid(engine_, nullptr, WNOHANG) == engine_; }));
  EXPECT_TRUE(eventually([&] { return ::waitpid(heddled_, nullptr, WNOHANG) == heddled_; }));
  // Whatever a failed test left.
  std::ofstream(cgroups_ + "/" + group_ + "/cgroup.kill") << "1";
  const std::string all = "/sys/fs/cgroup /sys/fs/cgroup/*";
  EXPECT_TRUE(eventually([&] {
    host::status_of("for c in " + all + "; do find $c/" + group_ +
                    " -depth -type d -exec rmdir {} \\; ; done");
    return host::status_of("for c in " + all + "; do ! [ -d $c/" + group_ + " ] || exit 1; done") ==
           0;
  })) << "cgroups are left";
}

// A child in a cgroup of the test's, which ends with it whatever happens.
::pid_t World::spawn(const std::string& command, const std::string& log,
                     const std::string& cgroup) const {
  const std::string procs = cgroups_ + "/" + group_ + "/" + cgroup + "/cgroup.procs";
  const std::string line = "echo $$ > " + procs + "; exec " + command;
  const ::pid_t pid = ::fork();
  EXPECT_GE(pid, 0);
  if (pid == 0) {
    const int out = ::open(log.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
    ::_exit(127);
  }
  return pid;
}

std::string World::engine_command() const {
  if (name_ == "docker") return "docker -H unix:///run/docker.sock";
  // crun refuses this and other hosts' mixed cgroups; journald may be absent.
  return "podman --root " + host_.directory() +
         "/data --runroot /run/libpod --tmpdir /run/libpod-tmp "
         "--storage-driver vfs --cgroup-manager cgroupfs --events-backend file --runtime runc "
         "--network-config-dir " +
         host_.directory() + "/networks";
}

void World::start_engine() {
  const std::string log = host_.directory() + "/engine.log";
  if (name_ == "docker") {
    // Containers outlive it, as they do on hosts where it is upgraded in service.
    engine_ = spawn("dockerd --live-restore --data-root " + host_.directory() +
                        "/data --exec-root /run/docker --host unix:///run/docker.sock --pidfile "
                        "/run/docker.pid --cgroup-parent /" +
                        group_ + "/boxes",
                    log, "engine");
  } else {
    fs::create_directories("/run/podman");
    engine_ = spawn(engine_command() + " system service --time 0 unix:///run/podman/podman.sock",
                    log, "engine");
  }
  const std::string socket = name_ == "docker" ? "/run/docker.sock" : "/run/podman/podman.sock";
  ASSERT_TRUE(eventually([&] {
    return host::status_of("curl -sf --unix-socket " + socket + " http://x/_ping") == 0;
  })) << host::run("tail -n 30 " + log);
}

void World::kill_engine() {
  ::kill(engine_, SIGKILL);
  ::waitpid(engine_, nullptr, 0);
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

void World::start_heddled() {
  heddled_ = spawn("heddled --state-dir " + host_.directory() + "/state --run-dir " +
                       host_.directory() + "/run --cgroup " + cgroups_ + "/" + group_ +
                       " --name n1 --docker-socket /run/docker.sock",
                   host_.directory() + "/heddled.log", "heddle");
  EXPECT_TRUE(eventually([] { return host::status_of("heddle system info") == 0; }));
}

void World::kill_heddled() {
  ::kill(heddled_, SIGKILL);
  ::waitpid(heddled_, nullptr, 0);
}

std::string World::engine(const std::string& arguments) const {
  return host::run(engine_command() + " " + arguments);
}

void World::run_box(const std::string& name, const std::string& rest,
                    const std::string& command) const {
  // Podman asks for more files than this machine may have, and does not let containers ping.
  const std::string limits =
      name_ == "podman"
          ? " --cap-add NET_RAW --ulimit nofile=512:512 --ulimit nproc=512:512 --cgroup-parent /" +
                group_ + "/boxes"
          : "";
  engine("run -d --name " + name + limits + " " + rest + " box:1 " + command);
}

std::string World::exec(const std::string& container, const std::string& command) const {
  return engine("exec " + container + " " + command);
}

bool World::exec_works(const std::string& container, const std::string& command) const {
  return host::status_of(engine_command() + " exec " + container + " " + command) == 0;
}

std::string World::pins() const {
  return host::run("ls " + host_.directory() + "/run/netns 2>/dev/null || true");
}

}  // namespace heddle::peer
