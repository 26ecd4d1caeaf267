#include "tests/peer/host_dns/world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/base/check.h"
#include "dataplane/netns/netns.h"

namespace heddle::peer {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGuide = "docs/dns.md";  // tests run at the root of the work tree

// A child that ends with this process at the latest.
::pid_t spawn(const std::string& command, const std::string& log) {
  const std::string line = "exec " + command;
  const ::pid_t pid = ::fork();
  EXPECT_GE(pid, 0);
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = ::open(log.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
    ::_exit(127);
  }
  return pid;
}

bool has_ended(::pid_t pid) {
  return ::waitpid(pid, nullptr, WNOHANG) == pid;
}

// In the calling thread's namespace.
UniqueFd open_client(const std::string& server) {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval patience{10, 0};  // longer than what a resolver takes to give up
  CHECK(::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  CHECK(::inet_pton(AF_INET, server.c_str(), &address.sin_addr) == 1);
  CHECK(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

tests::Told exchange(const UniqueFd& client, const tests::Ask& question) {
  const dns::Bytes query = tests::make_query(question);
  if (::send(client.get(), query.data(), query.size(), 0) < 0) return {};
  dns::Bytes reply(dns::kMaxMessage);
  const ssize_t size = ::recv(client.get(), reply.data(), reply.size(), 0);
  if (size < 0) return {};
  reply.resize(static_cast<std::size_t>(size));
  return tests::read_reply(reply);
}

}  // namespace

std::string documented(const std::string& file) {
  std::ifstream guide(kGuide);
  std::string line;
  while (std::getline(guide, line) && line != "# " + file) {
  }
  std::string text;
  while (std::getline(guide, line) && line != "```") text += line + "\n";
  EXPECT_NE(text, "") << kGuide << " says nothing of " << file;
  return text;
}

std::string documented_flags(const std::string& command) {
  std::ifstream guide(kGuide);
  std::string line;
  while (std::getline(guide, line)) {
    if (line.starts_with(command)) return line.substr(line.find(' ') + 1);
  }
  ADD_FAILURE() << kGuide << " says nothing of " << command;
  return "";
}

std::string World::missing() {
  return ::geteuid() == 0 ? "" : "kernel tests run as root";
}

World::World() {
  EXPECT_EQ(::mount("heddle-test", "/run", "tmpfs", 0, "mode=0755"), 0);
  cgroup_ = host::run("findmnt -n -t cgroup2 -o TARGET | head -1") + "/heddle-host-dns-" +
            std::to_string(::getpid());
  fs::create_directory(cgroup_);
  ::setenv("PATH", (bin_dir() + ":" + std::getenv("PATH")).c_str(), 1);
  ::setenv("HEDDLE_SOCKET", (directory() + "/run/heddled.sock").c_str(), 1);
  c1_ = host_.add_sandbox("c1");
  const std::string provider = host_.add_sandbox("provider");
  host::run("ip link add uplink type veth peer name eth0 netns " + provider);
  host::run("ip addr add 192.0.2.1/24 dev uplink && ip link set uplink up");
  host::run_in(provider,
               "ip addr add " + std::string(kUpstream) + "/24 dev eth0 && ip link set eth0 up");
  upstream_ =
      std::make_unique<Upstream>(provider, SocketAddr{*IpAddr::parse(kUpstream), 53}, kElsewhere);
}

World::~World() {
  if (resolver_ > 0) {
    ::kill(resolver_, SIGTERM);
    EXPECT_TRUE(eventually([&] { return has_ended(resolver_); }));
  }
  if (heddled_ > 0) {
    EXPECT_EQ(host::status_of("heddle system reset --force"), 0);
    EXPECT_TRUE(eventually([&] { return has_ended(heddled_); }));
  }
  EXPECT_TRUE(eventually([&] {
    return host::status_of("find " + cgroup_ + " -depth -type d -exec rmdir {} +") == 0;
  })) << cgroup_;
  if (testing::Test::HasFailure()) {
    std::puts(host::run("tail -n 40 " + directory() + "/*.log").c_str());
  }
}

void World::set_name_server(const std::string& address) const {
  const std::string file = directory() + "/resolv.conf";
  std::ofstream(file) << "nameserver " << address << "\n";
  host::run("mount --bind " + file + " /etc/resolv.conf");
}

void World::start_heddled(const std::string& flags) {
  heddled_ = spawn("heddled --state-dir " + directory() + "/state --run-dir " + directory() +
                       "/run --cgroup " + cgroup_ + " --name n1 " + flags,
                   directory() + "/heddled.log");
  ASSERT_TRUE(eventually([] { return host::status_of("heddle system info") == 0; }));
  if (host::status_of("heddle network inspect app") == 0) return;
  host::run("heddle network create --subnet 10.40.0.0/20 app");
  host::run("heddle network connect --ip 10.40.0.77 --alias spare app netns:" + c1_);
}

void World::kill_heddled() {
  ::kill(heddled_, SIGKILL);
  ::waitpid(heddled_, nullptr, 0);
  heddled_ = 0;
}

void World::start_resolver(const std::string& command) {
  resolver_ = spawn(command, directory() + "/resolver.log");
}

tests::Told World::ask(const std::string& server, const tests::Ask& question) const {
  return exchange(open_client(server), question);
}

tests::Told World::ask_from_c1(const std::string& name) const {
  UniqueFd client;
  const auto sandbox = netns::open(c1_);
  EXPECT_TRUE(sandbox && netns::run_in(sandbox->get(), [&]() -> Result<> {
                client = open_client("127.0.0.11");
                return {};
              }));
  return exchange(client, {.name = name});
}

std::string World::queries() {
  return host::run("heddle system info --format json | jq .dns.counters.queries");
}

}  // namespace heddle::peer
