// What a failed operation leaves: the old object or none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <unistd.h>

#include "dataplane/linux/kernel.h"
#include "tests/support/bridge_endpoint.h"
#include "tests/support/fake_programs.h"
#include "tests/support/host/private_host.h"

namespace heddle::dataplane {
namespace {

constexpr std::uint32_t kGroup = 4713;

class Failure : public ::testing::Test {
 protected:
  Failure() : sandbox_(host_.add_sandbox("c1")) {
    auto programs = std::make_unique<bpf::FakePrograms>();
    programs_ = programs.get();
    kernel_ = LinuxKernel::open({.link_group = kGroup, .nft_table = "heddle_test", .cgroup = ""},
                                listeners_, std::move(programs))
                  .value();
    attachment_.host_name = "hv1";
    attachment_.sandbox = sandbox_;
    attachment_.name = "eth0";
    attachment_.host_mac = {{2, 0, 0, 0, 1, 1}};
    attachment_.mac = {{2, 0, 0, 0, 0, 1}};
    attachment_.addresses = {IfAddr::parse("10.77.0.5/24").value()};
    attachment_.routes = {{Prefix(), IpAddr::parse("10.77.0.1").value()}};
    attachment_.overlay = Vni{7};
  }

  Errc failed(const Operation& operation) {
    const auto applied = kernel_->apply(operation);
    EXPECT_FALSE(applied);
    if (applied) return Errc::internal;
    text_ = applied.error().text();
    return applied.error().code();
  }
  void apply(const Operation& operation) {
    const auto applied = kernel_->apply(operation);
    EXPECT_TRUE(applied) << applied.error().text();
  }
  HostState observe() {
    HostState wanted;
    wanted.attachments["hv1"] = attachment_;
    return kernel_->observe(wanted).value();
  }
  std::string inside() { return host::run_in(sandbox_, "ip -o link | wc -l"); }

  host::PrivateHost host_;
  NoListeners listeners_;
  const SandboxPath sandbox_;
  bpf::FakePrograms* programs_ = nullptr;
  std::unique_ptr<LinuxKernel> kernel_;
  Attachment attachment_;
  std::string text_;
};

TEST_F(Failure, OfTheProgramLeavesNoLink) {
  programs_->next_failure = Error(Errc::exhausted, "map ports is full (1024)");
  EXPECT_EQ(failed(Ensure<Attachment>{attachment_}), Errc::exhausted);
  EXPECT_THAT(text_, ::testing::HasSubstr("map ports is full"));
  EXPECT_EQ(::if_nametoindex("hv1"), 0U);
  EXPECT_EQ(inside(), "1");
  EXPECT_EQ(observe(), HostState());
}

TEST_F(Failure, InsideTheSandboxLeavesNoLinkAndNoPort) {
  attachment_.routes = {{Prefix(), IpAddr::parse("192.0.2.1").value()}};  // not reachable
  failed(Ensure<Attachment>{attachment_});
  EXPECT_THAT(text_, ::testing::HasSubstr("192.0.2.1"));
  EXPECT_EQ(::if_nametoindex("hv1"), 0U);
  EXPECT_EQ(inside(), "1");
  EXPECT_EQ(observe(), HostState());
}

TEST_F(Failure, OfAChangeLeavesWhatWasThere) {
  apply(Ensure<Attachment>{attachment_});
  const auto index = ::if_nametoindex("hv1");
  Attachment changed = attachment_;
  changed.mtu = 1300;
  changed.mac = {{2, 0, 0, 0, 0, 9}};
  changed.host_mac = {{2, 0, 0, 0, 1, 9}};
  changed.addresses = {IfAddr::parse("10.77.0.9/24").value()};
  changed.routes = {{Prefix(), IpAddr::parse("192.0.2.1").value()}};
  failed(Ensure<Attachment>{changed});
  EXPECT_EQ(observe().attachments.at("hv1"), attachment_);
  EXPECT_EQ(programs_->ports().value().at(0).mac, attachment_.mac);

  changed.routes.clear();
  programs_->next_failure = Error(Errc::exhausted, "full");
  EXPECT_EQ(failed(Ensure<Attachment>{changed}), Errc::exhausted);
  EXPECT_EQ(observe().attachments.at("hv1"), attachment_);
  EXPECT_EQ(::if_nametoindex("hv1"), index);
}

TEST_F(Failure, ADefaultRouteThroughAnotherInterfaceIsNotTaken) {
  host::run_in(sandbox_,
               "ip link add other type bridge; ip addr add 198.51.100.2/24 dev other; "
               "ip link set other up; ip route add default via 198.51.100.1");
  EXPECT_EQ(failed(Ensure<Attachment>{attachment_}), Errc::exists);
  EXPECT_THAT(text_, ::testing::HasSubstr("0.0.0.0/0"));
  EXPECT_EQ(inside(), "2");
  EXPECT_THAT(host::run_in(sandbox_, "ip route show default"),
              ::testing::HasSubstr("198.51.100.1"));
}

TEST_F(Failure, OfAMoveLeavesTheAttachmentWhereItWas) {
  apply(Ensure<Attachment>{attachment_});
  Attachment moved = attachment_;
  moved.sandbox = host_.add_sandbox("c2");
  host::run_in(moved.sandbox, "ip link add eth0 type bridge");
  EXPECT_EQ(failed(Ensure<Attachment>{moved}), Errc::exists);
  EXPECT_THAT(text_, ::testing::HasSubstr("eth0"));
  EXPECT_EQ(observe().attachments.at("hv1"), attachment_);
}

TEST_F(Failure, OfTheUnderlayLeavesNoDevice) {
  host::run("ip link add under0 type veth peer name under1");
  const Underlay underlay{
      .device = "under0", .address = IpAddr::parse("192.0.2.1").value(), .vxlan_name = "hvx0"};
  programs_->next_failure = Error(Errc::unsupported, "no clsact");
  EXPECT_EQ(failed(Ensure<Underlay>{underlay}), Errc::unsupported);
  EXPECT_EQ(::if_nametoindex("hvx0"), 0U);
  apply(Ensure<Underlay>{underlay});
  EXPECT_EQ(observe().underlay, underlay);
}

TEST_F(Failure, ADetachedNameCanBeUsedAgainAtOnce) {
  for (int times = 0; times < 5; ++times) {
    apply(Ensure<Attachment>{attachment_});
    EXPECT_EQ(observe().attachments.at("hv1"), attachment_);
    apply(RemoveAttachment{"hv1"});
    EXPECT_EQ(observe(), HostState());
  }
}

TEST_F(Failure, LinksRetiredByAProcessThatDiedAreDeletedAtTheNextStart) {
  host::run("ip link add left0 type veth peer name left1; ip link set left0 group " +
            std::to_string(kGroup | 0x20000000U));
  kernel_.reset();
  kernel_ = LinuxKernel::open({.link_group = kGroup, .nft_table = "heddle_test", .cgroup = ""},
                              listeners_, fail(Errc::unsupported, "no BPF"))
                .value();
  EXPECT_TRUE(kernel_->remove_everything());
  EXPECT_EQ(::if_nametoindex("left0"), 0U);
}

TEST_F(Failure, WithoutProgramsBridgesWorkAndTheRestSaysWhy) {
  kernel_.reset();
  kernel_ = LinuxKernel::open({.link_group = kGroup, .nft_table = "heddle_test", .cgroup = ""},
                              listeners_, fail(Errc::unsupported, "this kernel lacks BPF"))
                .value();
  EXPECT_EQ(failed(Ensure<Attachment>{attachment_}), Errc::unsupported);
  EXPECT_THAT(text_, ::testing::HasSubstr("this kernel lacks BPF"));
  EXPECT_EQ(failed(Ensure<Member>{{sandbox_, {1}, false}}), Errc::unsupported);
  attachment_.overlay.reset();
  apply(Ensure<Attachment>{attachment_});
  EXPECT_EQ(observe().attachments.at("hv1"), attachment_);
  apply(RemoveAttachment{"hv1"});
  EXPECT_EQ(observe(), HostState());
}

TEST_F(Failure, OfSettingsIsNamed) {
  for (const std::uint32_t group : {0U, 0x80000000U, 0x20000001U}) {
    EXPECT_EQ(LinuxKernel::open({.link_group = group, .nft_table = "t", .cgroup = ""}, listeners_,
                                fail(Errc::unsupported, ""))
                  .error()
                  .code(),
              Errc::invalid);
  }
  EXPECT_EQ(LinuxKernel::open({.link_group = 1, .nft_table = "a b", .cgroup = ""}, listeners_,
                              fail(Errc::unsupported, ""))
                .error()
                .code(),
            Errc::invalid);
}

}  // namespace
}  // namespace heddle::dataplane
