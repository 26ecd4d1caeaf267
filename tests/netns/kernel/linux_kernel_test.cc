#include "dataplane/linux/kernel.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <map>
#include <string>

#include "dataplane/bpf/bpffs.h"
#include "dataplane/netns/netns.h"
#include "tests/support/fake_programs.h"
#include "tests/support/host/private_host.h"
#include "tests/support/kernel_conformance_blocks.h"
#include "tests/support/kernel_conformance_flows.h"
#include "tests/support/kernel_conformance_links.h"

namespace heddle::dataplane {
namespace {

constexpr std::uint32_t kGroup = 4711;

class Listeners final : public ListenerSource {
 public:
  int listener(const SandboxPath& sandbox, std::uint16_t port) override {
    const auto found = open_.find({sandbox, port});
    return found == open_.end() ? -1 : found->second.get();
  }
  void add(const SandboxPath& sandbox, std::uint16_t port) {
    auto fd = netns::open(sandbox);
    ASSERT_TRUE(fd);
    auto listener = netns::listen_tcp(fd->get(), {IpAddr::v4(0x7f000001), port});
    ASSERT_TRUE(listener) << listener.error().text();
    open_[{sandbox, port}] = *std::move(listener);
  }

 private:
  std::map<std::pair<SandboxPath, std::uint16_t>, UniqueFd> open_;
};

std::string cgroup2() {
  return host::run("findmnt -n -t cgroup2 -o TARGET | head -1");
}

// Those of the last harness; it owns them.
bpf::FakePrograms* fake_programs = nullptr;

Result<std::unique_ptr<bpf::Programs>> in_memory(const std::string&, const std::string&) {
  auto programs = std::make_unique<bpf::FakePrograms>();
  fake_programs = programs.get();
  return programs;
}

Result<std::unique_ptr<bpf::Programs>> loaded(const std::string& directory,
                                              const std::string& cgroup) {
  fake_programs = nullptr;
  TRY_DO(bpf::mount_bpffs(directory + "/bpf"));
  return bpf::Programs::load(
      {.pin_dir = directory + "/bpf", .cgroup = cgroup, .link_group = kGroup});
}

// The real kernel in a namespace of its own, with its programs loaded or in memory.
class LinuxHarness final : public KernelHarness {
 public:
  using Load = Result<std::unique_ptr<bpf::Programs>> (*)(const std::string& directory,
                                                          const std::string& cgroup);
  explicit LinuxHarness(Load load) {
    auto programs = load(host_.directory(), add_cgroup("host"));
    EXPECT_TRUE(programs) << programs.error().text();
    auto opened =
        LinuxKernel::open({.link_group = kGroup, .nft_table = "heddle_test", .cgroup = ""},
                          listeners_, std::move(programs));
    EXPECT_TRUE(opened) << opened.error().text();
    kernel_ = *std::move(opened);
  }
  ~LinuxHarness() override {
    EXPECT_TRUE(kernel_->remove_everything());
    for (const std::string& cgroup : cgroups_) EXPECT_EQ(::rmdir(cgroup.c_str()), 0) << cgroup;
  }

  Kernel& kernel() override { return *kernel_; }
  SandboxPath add_sandbox(const std::string& name) override { return host_.add_sandbox(name); }
  void remove_sandbox(const SandboxPath& sandbox) override {
    host_.remove_sandbox(sandbox);
    // The kernel takes a namespace down in the background.
    for (int tries = 0; tries < 500 && host::status_of("ip link show type veth | grep -q .") == 0;
         ++tries)
      ::usleep(10000);
  }
  void add_device(const std::string& name) override {
    host::run("ip link add " + name + " type veth peer name p-" + name + " && ip link set " + name +
              " up");
  }
  void add_interface(const SandboxPath& sandbox, const std::string& name) override {
    host::run_in(sandbox, "ip link add " + name + " type bridge");
  }
  std::string add_cgroup(const std::string& name) override {
    const std::string path = cgroup2() + "/heddle-test-" + std::to_string(::getpid()) + "-" + name;
    EXPECT_EQ(::mkdir(path.c_str(), 0755), 0);
    cgroups_.push_back(path);
    return path;
  }
  void add_listener(const SandboxPath& sandbox, std::uint16_t port) override {
    listeners_.add(sandbox, port);
  }
  std::uint32_t index_of(const std::string& link) override {
    // Removed links are deleted after the answer.
    for (int tries = 0; tries < 500; ++tries) {
      if (::if_nametoindex(link.c_str()) == 0) return 0;
      if (host::run("ip link show dev " + link).find("group default") != std::string::npos) break;
      if (host::run("ip link show dev " + link).find("group 4711 ") != std::string::npos) break;
      ::usleep(10000);
    }
    return ::if_nametoindex(link.c_str());
  }
  void delete_link(const std::string& name) override { host::run("ip link delete " + name); }
  void set_mtu(const std::string& link, std::uint32_t mtu) override {
    host::run("ip link set " + link + " mtu " + std::to_string(mtu));
  }
  void delete_address(const Attachment& attachment) override {
    host::run_in(attachment.sandbox, "ip address delete " + attachment.addresses[0].format() +
                                         " dev " + attachment.name);
  }
  void unpin(const std::string& pin) override {
    if (fake_programs) {
      fake_programs->unpinned.insert(pin);
    } else {
      EXPECT_EQ(::unlink((host_.directory() + "/bpf/" + pin).c_str()), 0) << pin;
    }
  }
  void set_sysctl(const Attachment& attachment, const std::string& name,
                  const std::string& value) override {
    host::run_in(attachment.sandbox, "echo " + value + " > /proc/sys/" + name);
  }
  void lift_rates(const Attachment& attachment) override {
    host::run("tc qdisc delete dev " + attachment.host_name + " root");
    host::run_in(attachment.sandbox, "tc qdisc delete dev " + attachment.name + " root");
  }
  void delete_inside(const Attachment& attachment) override {
    host::run_in(attachment.sandbox, "ip link delete " + attachment.name);
  }
  void alter_masquerades() override {
    host::run("nft add rule inet heddle_test postrouting ip saddr 10.0.0.1 accept");
  }
  void alter_published() override {
    host::run(
        "nft 'delete element inet heddle_test anywhere4 { tcp . 8080 }; "
        "add element inet heddle_test anywhere4 { tcp . 8080 : 10.77.0.99 . 99 }'");
  }
  // This process is in the hooks' cgroup for as long as it takes.
  bool connect(const SandboxPath& sandbox, const SocketAddr& vip) override {
    if (fake_programs) return false;
    const std::string home = own_cgroup();
    join(cgroups_.front());
    auto fd = netns::open(sandbox);
    EXPECT_TRUE(fd);
    EXPECT_TRUE(netns::run_in(fd->get(), [&]() -> Result<> {
      client_ = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(vip.port);
      to.sin_addr.s_addr = vip.address.v4_be();
      if (::connect(client_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0)
        return fail_errno(errno, "connect to " + vip.format());
      return {};
    }));
    join(home);
    return true;
  }
  bool connected() override {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    return ::getpeername(client_.get(), reinterpret_cast<sockaddr*>(&peer), &size) == 0;
  }

 private:
  static std::string own_cgroup() {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("0::")) return cgroup2() + line.substr(3);
    }
    return cgroup2();
  }
  static void join(const std::string& cgroup) {
    std::ofstream file(cgroup + "/cgroup.procs");
    file << ::getpid() << std::flush;
    EXPECT_TRUE(file.good()) << cgroup;
  }

  UniqueFd client_;
  host::PrivateHost host_;
  Listeners listeners_;
  std::unique_ptr<LinuxKernel> kernel_;
  std::vector<std::string> cgroups_;
};

template <LinuxHarness::Load load>
std::unique_ptr<KernelHarness> harness() {
  return std::make_unique<LinuxHarness>(load);
}

INSTANTIATE_TEST_SUITE_P(Linux, KernelConformance, ::testing::Values(&harness<in_memory>));
INSTANTIATE_TEST_SUITE_P(LinuxWithPrograms, KernelConformance, ::testing::Values(&harness<loaded>));
INSTANTIATE_TEST_SUITE_P(Linux, KernelFlows, ::testing::Values(&harness<in_memory>));
INSTANTIATE_TEST_SUITE_P(LinuxWithPrograms, KernelFlows, ::testing::Values(&harness<loaded>));

}  // namespace
}  // namespace heddle::dataplane
