// Programs against the kernel: what is put is read back from the kernel, a hand-made difference is
// seen, a new process adopts, removal leaves nothing.
#include "dataplane/bpf/programs.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "dataplane/bpf/bpffs.h"
#include "dataplane/bpf/objects.h"
#include "dataplane/netns/netns.h"
#include "ebpf/abi/overlay.h"
#include "ebpf/abi/socket.h"
#include "tests/bpf/support/plain_socket.h"
#include "tests/bpf/support/private_kernel.h"

namespace heddle::bpf {
namespace {

using dataplane::OverlayNetwork;
using dataplane::Protocol;
using dataplane::ServiceEntry;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using heddle::testing::at;
using heddle::testing::PrivateKernel;
using heddle::testing::shell;

const Vni kVni{70};
const Mac kMac{{2, 0, 0, 0, 0, 1}};

IpAddr ip(const std::string& text) {
  return *IpAddr::parse(text);
}

class ProgramsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto kernel = PrivateKernel::enter();
    ASSERT_TRUE(kernel.has_value()) << kernel.error().text();
    kernel_ = std::move(*kernel);
    ASSERT_EQ(shell("ip link set lo up; for i in 0 1 2 3; do ip link add dev port$i type veth peer "
                    "name far$i; ip link set port$i up; done; ip link add dev vx0 type vxlan "
                    "external dstport 4789; ip link set vx0 up"),
              0);
  }
  static void TearDownTestSuite() { kernel_.reset(); }

  void SetUp() override {
    static int count = 0;
    const std::string number = std::to_string(count++);
    pins_ = kernel_->make_pin_dir("p" + number).value();
    cgroup_ = kernel_->make_cgroup("c" + number).value();
    load();
  }
  void TearDown() override {
    if (!programs_) return;
    const auto removed = programs_->remove_everything();
    EXPECT_TRUE(removed.has_value()) << removed.error().text();
    EXPECT_TRUE(std::filesystem::is_empty(pins_)) << "nothing stays pinned";
  }
  void load() {
    programs_.reset();
    auto programs = Programs::load({.pin_dir = pins_, .cgroup = cgroup_, .link_group = 0});
    ASSERT_TRUE(programs.has_value()) << programs.error().text();
    programs_ = std::move(*programs);
  }
  static IfIndex device(const std::string& name) { return IfIndex{::if_nametoindex(name.c_str())}; }
  static Programs::Port port(int number) {
    return {.index = device("port" + std::to_string(number)),
            .vni = kVni,
            .address = IpAddr::v4(0x0a280005 + static_cast<std::uint32_t>(number)),
            .mac = kMac};
  }
  static Programs::UnderlayHook underlay() {
    return {.device = device("port3"),
            .device_mac = kMac,
            .vxlan = device("vx0"),
            .address = ip("192.168.50.1"),
            .vxlan_port = 4789,
            .epoch = 9};
  }
  static OverlayNetwork network() {
    return {.vni = kVni,
            .subnet = *Prefix::parse("10.40.0.0/20"),
            .gateway = ip("10.40.0.1"),
            .gateway_mac = kMac,
            .internal = true};
  }
  static ServiceEntry service(std::vector<dataplane::BackendAddress> backends) {
    return {.network = 3,
            .vip = ip("10.40.15.1"),
            .port = 80,
            .protocol = Protocol::udp,
            .backends = std::move(backends)};
  }
  int programs_on_cgroup(bpf_attach_type type) {
    const UniqueFd fd(::open(cgroup_.c_str(), O_RDONLY));
    std::uint32_t count = 0;
    return bpf_prog_query(fd.get(), type, 0, nullptr, nullptr, &count) == 0
               ? static_cast<int>(count)
               : -1;
  }
  void fill() {
    ASSERT_TRUE(programs_->put_network(network()).has_value());
    ASSERT_TRUE(programs_->attach_port(port(0)).has_value());
    ASSERT_TRUE(programs_->attach_port(port(1)).has_value());
    ASSERT_TRUE(programs_->attach_underlay(underlay()).has_value());
    ASSERT_TRUE(programs_->put_address(local_).has_value());
    ASSERT_TRUE(programs_->put_address(remote_).has_value());
    ASSERT_TRUE(programs_->put_service(service({{ip("10.40.0.5"), 8080}})).has_value());
    ASSERT_TRUE(programs_->put_member(member_).has_value());
  }
  void expect_filled() {
    EXPECT_THAT(programs_->networks().value(), ElementsAre(network()));
    EXPECT_THAT(programs_->ports().value(), ElementsAre(port(0), port(1)));
    EXPECT_EQ(programs_->underlay().value(), underlay());
    EXPECT_THAT(programs_->addresses().value(), ElementsAre(local_, remote_));
    EXPECT_THAT(programs_->services().value(), ElementsAre(service({{ip("10.40.0.5"), 8080}})));
    EXPECT_THAT(programs_->members().value(), ElementsAre(member_));
  }

  static std::unique_ptr<PrivateKernel> kernel_;
  const Programs::Address local_{kVni, ip("10.40.0.5"), kMac, IfIndex{5}, std::nullopt};
  const Programs::Address remote_{kVni, ip("10.40.0.9"), kMac, IfIndex{}, ip("192.168.50.2")};
  const Programs::Member member_{.cookie = 77, .networks = {3, 4}, .resolver = true};
  std::string pins_;
  std::string cgroup_;
  std::unique_ptr<Programs> programs_;
};
std::unique_ptr<PrivateKernel> ProgramsTest::kernel_;

TEST_F(ProgramsTest, ReadsBackFromTheKernelWhatWasPut) {
  EXPECT_FALSE(programs_->adopted());
  fill();
  expect_filled();
  fill();
  expect_filled();
}

TEST_F(ProgramsTest, ANewProcessAdoptsEverything) {
  fill();
  load();
  EXPECT_TRUE(programs_->adopted());
  expect_filled();
  EXPECT_EQ(programs_on_cgroup(BPF_CGROUP_INET4_CONNECT), 1) << "replaced, not added";
}

TEST_F(ProgramsTest, RemovalIsIdempotentAndLeavesTheRest) {
  fill();
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_TRUE(programs_->detach_port(port(0).index).has_value());
    EXPECT_TRUE(programs_->remove_address(kVni, local_.address).has_value());
    EXPECT_TRUE(programs_->remove_service({ip("10.40.15.1"), 80, Protocol::udp}).has_value());
    EXPECT_TRUE(programs_->remove_member(77).has_value());
    EXPECT_TRUE(programs_->remove_network(kVni).has_value());
    EXPECT_TRUE(programs_->detach_underlay().has_value());
  }
  EXPECT_THAT(programs_->ports().value(), ElementsAre(port(1)));
  EXPECT_THAT(programs_->addresses().value(), ElementsAre(remote_));
  EXPECT_THAT(programs_->services().value(), IsEmpty());
  EXPECT_THAT(programs_->members().value(), IsEmpty());
  EXPECT_THAT(programs_->networks().value(), IsEmpty());
  EXPECT_EQ(programs_->underlay().value(), std::nullopt);
}

TEST_F(ProgramsTest, SeesFiltersThatAHandTookAwayAndPutsThemBack) {
  fill();
  ASSERT_EQ(shell("tc filter del dev port0 ingress; tc qdisc del dev port3 clsact"), 0);
  EXPECT_THAT(programs_->ports().value(), ElementsAre(port(1)));
  EXPECT_EQ(programs_->underlay().value(), std::nullopt);
  fill();
  expect_filled();
}

TEST_F(ProgramsTest, BackendsComeBackWithTheirUsesAndWeights) {
  using dataplane::BackendUse;
  ServiceEntry entry = service({{ip("10.40.0.5"), 8080, BackendUse::ready, 3},
                                {ip("10.40.0.6"), 8080, BackendUse::draining, 2},
                                {ip("10.40.0.7"), 8080, BackendUse::failing, 1},
                                {ip("10.40.0.8"), 8080, BackendUse::ready, 1}});
  entry.affinity = 600;
  ASSERT_TRUE(programs_->put_service(entry).has_value());
  EXPECT_THAT(programs_->services().value(), ElementsAre(entry));
  const UniqueFd backends(bpf_obj_get((pins_ + "/heddle_backends_v1").c_str()));
  const UniqueFd services(bpf_obj_get((pins_ + "/heddle_services_v1").c_str()));
  heddle_service_key key{};
  heddle_service held{};
  ASSERT_EQ(bpf_map_get_next_key(services.get(), nullptr, &key), 0);
  ASSERT_EQ(bpf_map_lookup_elem(services.get(), &key, &held), 0);
  EXPECT_EQ(held.count, 4U);
  EXPECT_EQ(held.kept, 2U);
  // One row of four that a backend has.
  const heddle_backend_key row{.list = held.list, .slot = 1};
  ASSERT_EQ(bpf_map_delete_elem(backends.get(), &row), 0);
  EXPECT_NE(programs_->services().value().at(0), entry);
  ASSERT_TRUE(programs_->put_service(entry).has_value());
  EXPECT_THAT(programs_->services().value(), ElementsAre(entry));
  // Fewer rows, and no others are left.
  entry.backends = {{ip("10.40.0.7"), 8080, BackendUse::draining, 1}};
  ASSERT_TRUE(programs_->put_service(entry).has_value());
  EXPECT_THAT(programs_->services().value(), ElementsAre(entry));
  ASSERT_TRUE(programs_->remove_service({entry.vip, entry.port, entry.protocol}).has_value());
  heddle_backend_key left{};
  EXPECT_NE(bpf_map_get_next_key(backends.get(), nullptr, &left), 0);
}

TEST_F(ProgramsTest, SeesEntriesThatAHandTookAway) {
  fill();
  const UniqueFd map(bpf_obj_get((pins_ + "/heddle_addrs_v1").c_str()));
  const heddle_address_key key{.vni = kVni.value, .address = remote_.address.v4_be()};
  ASSERT_EQ(bpf_map_delete_elem(map.get(), &key), 0);
  EXPECT_THAT(programs_->addresses().value(), ElementsAre(local_));
  const UniqueFd backends(bpf_obj_get((pins_ + "/heddle_backends_v1").c_str()));
  std::uint64_t slot = 0;
  ASSERT_EQ(bpf_map_get_next_key(backends.get(), nullptr, &slot), 0);
  ASSERT_EQ(bpf_map_delete_elem(backends.get(), &slot), 0);
  EXPECT_THAT(programs_->services().value(), ElementsAre(service({})));
  fill();
  expect_filled();
}

TEST_F(ProgramsTest, ALinkThatIsGoneNeedsNoDetaching) {
  ASSERT_EQ(shell("ip link add dev gone0 type veth peer name gone1"), 0);
  Programs::Port gone = port(0);
  gone.index = device("gone0");
  ASSERT_TRUE(programs_->attach_port(gone).has_value());
  ASSERT_EQ(shell("ip link del gone0"), 0);
  EXPECT_THAT(programs_->ports().value(), IsEmpty());
  EXPECT_TRUE(programs_->detach_port(gone.index).has_value());
}

TEST_F(ProgramsTest, MembersAndServicesShrink) {
  Programs::Member member = member_;
  ASSERT_TRUE(programs_->put_member(member).has_value());
  member.networks = {4};
  member.resolver = false;
  ASSERT_TRUE(programs_->put_member(member).has_value());
  EXPECT_THAT(programs_->members().value(), ElementsAre(member));
  load();
  member.networks = {};
  ASSERT_TRUE(programs_->put_member(member).has_value());
  EXPECT_THAT(programs_->members().value(), ElementsAre(member));
  for (const int count : {3, 1, 0, 2}) {
    std::vector<dataplane::BackendAddress> backends;
    for (int i = 0; i < count; ++i)
      backends.push_back({IpAddr::v4(0x0a280010u + static_cast<std::uint32_t>(i)), 80});
    ASSERT_TRUE(programs_->put_service(service(backends)).has_value());
    EXPECT_THAT(programs_->services().value(), ElementsAre(service(backends)));
  }
  const UniqueFd map(bpf_obj_get((pins_ + "/heddle_backends_v1").c_str()));
  int left = 0;
  std::uint64_t key = 0;
  for (const void* previous = nullptr; bpf_map_get_next_key(map.get(), previous, &key) == 0;
       previous = &key)
    ++left;
  EXPECT_EQ(left, 2) << "old lists are deleted";
}

TEST_F(ProgramsTest, ListsThatNoServiceNamesAreCollected) {
  ASSERT_TRUE(programs_->put_service(service({{ip("10.40.0.5"), 8080}})).has_value());
  const UniqueFd map(bpf_obj_get((pins_ + "/heddle_backends_v1").c_str()));
  const std::uint32_t stray[2] = {999, 0};
  const std::uint32_t value[4] = {};
  ASSERT_EQ(bpf_map_update_elem(map.get(), stray, value, BPF_ANY), 0);
  load();
  std::uint32_t found[4];
  EXPECT_NE(bpf_map_lookup_elem(map.get(), stray, found), 0);
  EXPECT_THAT(programs_->services().value(), ElementsAre(service({{ip("10.40.0.5"), 8080}})));
}

TEST_F(ProgramsTest, AMapOfAnotherLayoutIsMadeAnew) {
  fill();
  const std::string path = pins_ + "/heddle_addrs_v1";
  ASSERT_EQ(::unlink(path.c_str()), 0);
  const UniqueFd other(bpf_map_create(BPF_MAP_TYPE_HASH, "other", 8, 16, 64, nullptr));
  ASSERT_EQ(bpf_obj_pin(other.get(), path.c_str()), 0);
  load();
  EXPECT_FALSE(programs_->adopted());
  EXPECT_THAT(programs_->addresses().value(), IsEmpty());
  EXPECT_THAT(programs_->networks().value(), ElementsAre(network())) << "the others stay";
  fill();
  expect_filled();
}

TEST_F(ProgramsTest, SeveralDaemonsShareAKernelAndACgroup) {
  auto pins = kernel_->make_pin_dir("second");
  ASSERT_TRUE(pins.has_value());
  auto second = Programs::load({.pin_dir = *pins, .cgroup = cgroup_, .link_group = 0});
  ASSERT_TRUE(second.has_value()) << second.error().text();
  fill();
  EXPECT_THAT((*second)->networks().value(), IsEmpty());
  EXPECT_EQ(programs_on_cgroup(BPF_CGROUP_INET4_CONNECT), 2);
  EXPECT_TRUE((*second)->remove_everything().has_value());
  EXPECT_EQ(programs_on_cgroup(BPF_CGROUP_INET4_CONNECT), 1);
  expect_filled();
}

TEST_F(ProgramsTest, HooksMoveWithTheCgroup) {
  const std::string before = cgroup_;
  cgroup_ = kernel_->make_cgroup("moved").value();
  load();
  EXPECT_EQ(programs_on_cgroup(BPF_CGROUP_SOCK_OPS), 1);
  cgroup_ = before;
  EXPECT_EQ(programs_on_cgroup(BPF_CGROUP_SOCK_OPS), 0);
}

TEST_F(ProgramsTest, RemovingEverythingLeavesTheKernelAsItWas) {
  ASSERT_EQ(shell("tc qdisc add dev port2 clsact && "
                  "tc filter add dev port2 ingress prio 7 bpf bytecode '1,6 0 0 0,'"),
            0);
  ASSERT_TRUE(programs_->attach_port(port(2)).has_value());
  ASSERT_TRUE(programs_->attach_underlay(underlay()).has_value());
  ASSERT_TRUE(programs_->remove_everything().has_value());
  for (const bpf_attach_type type :
       {BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_UDP4_SENDMSG, BPF_CGROUP_UDP6_RECVMSG,
        BPF_CGROUP_INET6_GETPEERNAME, BPF_CGROUP_SOCK_OPS, BPF_CGROUP_GETSOCKOPT})
    EXPECT_EQ(programs_on_cgroup(type), 0);
  EXPECT_EQ(shell("tc qdisc show dev port3 | grep -q clsact"), 1) << "the qdisc that we added";
  EXPECT_EQ(shell("tc filter show dev port2 ingress | grep -q 'pref 7 bpf'"), 0)
      << "others' filters";
  EXPECT_EQ(shell("tc filter show dev port2 ingress | grep -q from_container"), 1);
  EXPECT_EQ(shell("tc qdisc del dev port2 clsact"), 0);
}

TEST_F(ProgramsTest, TheUnderlayMovesToAnotherDevice) {
  ASSERT_TRUE(programs_->attach_underlay(underlay()).has_value());
  Programs::UnderlayHook moved = underlay();
  moved.device = device("port0");
  moved.epoch = 10;
  ASSERT_TRUE(programs_->attach_underlay(moved).has_value());
  EXPECT_EQ(programs_->underlay().value(), moved);
  EXPECT_EQ(shell("tc qdisc show dev port3 | grep -q clsact"), 1) << "the old one is let go";
}

// Verified instructions grow with branches and with the verifier's age; its bound is 1,000,000. A
// program that outgrows its line here is looked at before an older kernel refuses it.
TEST_F(ProgramsTest, ProgramsStayWithinTheirVerifierBudget) {
  auto objects = Objects::load(pins_);
  ASSERT_TRUE(objects.has_value()) << objects.error().text();
  const auto verified = [](int fd) {
    bpf_prog_info info{};
    std::uint32_t bytes = sizeof(info);
    return bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0 ? info.verified_insns : ~0u;
  };
  EXPECT_LT(verified((*objects)->from_container()), 4000u);
  EXPECT_LT(verified((*objects)->from_underlay()), 4000u);
  EXPECT_LT(verified((*objects)->from_vxlan()), 2000u);
  for (int i = 0; i < kSocketHooks; ++i) {
    const auto hook = static_cast<SocketHook>(i);
    EXPECT_LT(verified((*objects)->socket_hook(hook)), 9400u) << name_of(hook);
  }
}

TEST_F(ProgramsTest, WithoutTheCapabilityItIsDenied) {
  const pid_t child = ::fork();
  if (child == 0) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[2] = {};
    const auto keep = 1u << CAP_DAC_OVERRIDE | 1u << CAP_NET_ADMIN;
    data[0].effective = data[0].permitted = keep;
    if (::syscall(SYS_capset, &header, data) != 0) ::_exit(2);
    const auto refused = Programs::load({.pin_dir = pins_, .cgroup = cgroup_, .link_group = 0});
    ::_exit(!refused && refused.error().code() == Errc::denied ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(ProgramsTest, AForeignClsactOnTheUnderlayStays) {
  ASSERT_EQ(shell("tc qdisc add dev port3 clsact"), 0);
  ASSERT_TRUE(programs_->attach_underlay(underlay()).has_value());
  ASSERT_TRUE(programs_->detach_underlay().has_value());
  EXPECT_EQ(shell("tc qdisc show dev port3 | grep -q clsact"), 0);
  ASSERT_EQ(shell("tc qdisc del dev port3 clsact"), 0);
}

TEST_F(ProgramsTest, ALookupLinkOfAnEndedNamespaceIsSeenAndPruned) {
  ASSERT_EQ(shell("mkdir -p /run/netns && ip netns add ended"), 0);
  auto netns = netns::open("/run/netns/ended");
  ASSERT_TRUE(netns.has_value());
  auto listener = netns::listen_tcp(netns->get(), at("127.0.0.1:15006"));
  ASSERT_TRUE(listener.has_value()) << listener.error().text();
  const Programs::Intercept wanted{.cookie = 4242,
                                   .outbound_port = 15001,
                                   .inbound_port = 15006,
                                   .inbound = {80, 443},
                                   .proxy_cgroup_id = 1};
  ASSERT_TRUE(programs_->put_intercept(wanted, netns->get(), listener->get()).has_value());
  EXPECT_THAT(programs_->intercepts().value(), ElementsAre(wanted));
  netns->reset();
  listener->reset();
  ASSERT_EQ(shell("ip netns del ended"), 0);
  for (int i = 0; i < 100 && programs_->intercepts().value().at(0) == wanted; ++i) ::usleep(20'000);
  EXPECT_THAT(programs_->intercepts().value().at(0).inbound, IsEmpty());
  load();
  EXPECT_TRUE(std::filesystem::is_empty(pins_ + "/inbound"));
  EXPECT_TRUE(programs_->remove_intercept(4242).has_value());
  EXPECT_THAT(programs_->intercepts().value(), IsEmpty());
}

TEST_F(ProgramsTest, AFullMapIsSaidByNameAndMaximum) {
  OverlayNetwork one = network();
  Result<> put;
  for (std::uint32_t vni = 1; vni <= 4096; ++vni) {
    one.vni = Vni{vni};
    put = programs_->put_network(one);
    ASSERT_TRUE(put.has_value()) << put.error().text();
  }
  one.vni = Vni{5000};
  put = programs_->put_network(one);
  ASSERT_FALSE(put.has_value());
  EXPECT_EQ(put.error().code(), Errc::exhausted);
  EXPECT_THAT(put.error().text(), HasSubstr("heddle_networks_v1"));
  EXPECT_THAT(put.error().text(), HasSubstr("4096"));
  EXPECT_EQ(programs_->networks().value().size(), 4096u);
}

TEST_F(ProgramsTest, LargeTablesAreReadWhole) {
  for (std::uint32_t i = 0; i < 10000; ++i) {
    Programs::Address address = remote_;
    address.address = IpAddr::v4(0x0a290000 + i);
    ASSERT_TRUE(programs_->put_address(address).has_value());
  }
  EXPECT_EQ(programs_->addresses().value().size(), 10000u);
}

TEST_F(ProgramsTest, RefusesWhatCannotBe) {
  const auto code = [](const auto& result) {
    return result ? Errc::internal : result.error().code();
  };
  Programs::Port bad_port = port(0);
  bad_port.vni = Vni{0};
  EXPECT_EQ(code(programs_->attach_port(bad_port)), Errc::invalid);
  bad_port = port(0);
  bad_port.address = ip("fd00::1");
  EXPECT_EQ(code(programs_->attach_port(bad_port)), Errc::invalid);
  bad_port = port(0);
  bad_port.index = IfIndex{99999};
  EXPECT_EQ(code(programs_->attach_port(bad_port)), Errc::not_found);
  EXPECT_THAT(programs_->ports().value(), IsEmpty());

  Programs::Address bad_address = local_;
  bad_address.vtep = ip("192.168.50.2");
  EXPECT_EQ(code(programs_->put_address(bad_address)), Errc::invalid) << "here and elsewhere";
  bad_address = remote_;
  bad_address.vtep.reset();
  EXPECT_EQ(code(programs_->put_address(bad_address)), Errc::invalid) << "nowhere";
  bad_address = remote_;
  bad_address.vni = Vni{kMaxVni + 1};
  EXPECT_EQ(code(programs_->put_address(bad_address)), Errc::invalid);

  OverlayNetwork bad_network = network();
  bad_network.gateway = ip("10.41.0.1");
  EXPECT_EQ(code(programs_->put_network(bad_network)), Errc::invalid);

  Programs::UnderlayHook bad_hook = underlay();
  bad_hook.vxlan_port = 0;
  EXPECT_EQ(code(programs_->attach_underlay(bad_hook)), Errc::invalid);
  bad_hook = underlay();
  bad_hook.vxlan = bad_hook.device;
  EXPECT_EQ(code(programs_->attach_underlay(bad_hook)), Errc::invalid);
  bad_hook = underlay();
  bad_hook.device = IfIndex{99999};
  EXPECT_EQ(code(programs_->attach_underlay(bad_hook)), Errc::not_found);
  EXPECT_EQ(programs_->underlay().value(), std::nullopt);

  EXPECT_EQ(code(programs_->put_service(service({{ip("10.40.0.5"), 0}}))), Errc::invalid);
  EXPECT_EQ(code(programs_->put_service(service({{ip("fd00::1"), 80}}))), Errc::invalid);
  EXPECT_EQ(code(programs_->put_member({})), Errc::invalid);
  EXPECT_EQ(code(programs_->put_intercept({.cookie = 5, .inbound = {80}}, -1, -1)), Errc::invalid);
}

TEST_F(ProgramsTest, LoadSaysWhatIsMissing) {
  auto no_cgroup =
      Programs::load({.pin_dir = pins_, .cgroup = cgroup_ + "/absent", .link_group = 0});
  ASSERT_FALSE(no_cgroup.has_value());
  EXPECT_EQ(no_cgroup.error().code(), Errc::not_found);
  EXPECT_THAT(no_cgroup.error().text(), HasSubstr("absent"));
  auto no_bpffs = Programs::load({.pin_dir = "/run", .cgroup = cgroup_, .link_group = 0});
  ASSERT_FALSE(no_bpffs.has_value());
  EXPECT_EQ(no_bpffs.error().code(), Errc::invalid);
  auto no_cgroup2 = Programs::load({.pin_dir = pins_, .cgroup = "/run", .link_group = 0});
  ASSERT_FALSE(no_cgroup2.has_value());
  EXPECT_EQ(no_cgroup2.error().code(), Errc::invalid);
}

TEST_F(ProgramsTest, DropsAreNamedAndStartAtZero) {
  const auto drops = programs_->drops().value();
  EXPECT_EQ(drops.front().reason, "no_port");
  for (const DropCount& drop : drops) EXPECT_EQ(drop.packets + drop.bytes, 0u) << drop.reason;
}

TEST(Bpffs, MountsOnceAndUnmountsWhole) {
  auto kernel = PrivateKernel::enter();
  ASSERT_TRUE(kernel.has_value()) << kernel.error().text();
  const std::string path = "/run/deep/er/bpf";
  for (int twice = 0; twice < 2; ++twice)
    ASSERT_TRUE(mount_bpffs(path).has_value()) << "an existing one is left alone";
  EXPECT_EQ(shell("grep -c ' " + path + " bpf ' /proc/self/mounts | grep -qx 1"), 0);
  for (int twice = 0; twice < 2; ++twice) {
    const auto unmounted = unmount_bpffs(path);
    ASSERT_TRUE(unmounted.has_value()) << unmounted.error().text();
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  const auto taken = mount_bpffs("/run");
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code(), Errc::conflict);
}

}  // namespace
}  // namespace heddle::bpf
