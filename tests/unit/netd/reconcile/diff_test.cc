#include "netd/reconcile/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "dataplane/intent/advance.h"
#include "tests/support/views.h"

namespace heddle::reconcile {
namespace {

using namespace dataplane;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using tests::ip;
using tests::mac_number;
using tests::prefix;

// States drawn from a small world, so that two of them share some objects, differ in others and
// lack the rest.
class RandomStates final {
 public:
  explicit RandomStates(unsigned seed) : random_(seed) {}

  HostState next() {
    HostState state;
    for (int i = 0; i < 4; ++i) add(state, i);
    if (chance()) {
      state.underlay = Underlay{"eth0", ip("192.0.2.1"), "hdx0", 4789, 1450, number(2) + 1u};
    }
    if (chance()) state.sysctls["net/ipv4/ip_forward"] = chance() ? "1" : "0";
    return state;
  }

 private:
  bool chance() { return number(2) == 1; }
  unsigned number(unsigned below) { return static_cast<unsigned>(random_() % below); }

  void add(HostState& state, int i) {
    const std::string text = std::to_string(i);
    const IpAddr address = ip("10.40.0." + text);
    const std::string link = "hdv" + text;
    const Vni vni{static_cast<std::uint32_t>(i + 1)};
    if (chance()) state.bridges["hdb" + text] = {"hdb" + text, mac_number(i), 1400 + number(2), {}};
    if (chance()) {
      Attachment it;
      it.host_name = link;
      it.sandbox = "/run/" + text;
      it.mtu = 1400 + number(2);
      state.attachments[link] = it;
      if (chance())
        state.host_routes[address] = {address, link, mac_number(static_cast<int>(number(2)))};
      if (chance())
        state.overlay_addresses[{vni, address}] = {vni, address, mac_number(i), link, {}};
    } else if (chance()) {
      state.overlay_addresses[{vni, address}] = {vni, address, mac_number(i), "", ip("192.0.2.2")};
    }
    if (chance()) state.masquerades.insert({Prefix::containing(address, 32), ""});
    if (chance()) {
      state.overlay_networks[vni] = {vni, prefix("10.40.0.0/20"), address, mac_number(1), chance()};
    }
    if (chance()) {
      const Prefix block = Prefix::containing(address, 26 + static_cast<int>(number(2)));
      state.overlay_blocks[{vni, block}] = {vni, block, ip("192.0.2." + std::to_string(number(2))),
                                            mac_number(i)};
    }
    if (chance()) {
      ServiceEntry entry{number(2), address, 80, dataplane::Protocol::tcp, {}, number(2)};
      for (unsigned b = number(3); b > 0; --b) {
        entry.backends.push_back({address, 8080, static_cast<BackendUse>(number(3))});
      }
      state.services[{entry.vip, entry.port, entry.protocol}] = entry;
    }
    if (chance()) state.members["/run/" + text] = {"/run/" + text, {number(3)}, chance()};
    if (chance()) {
      state.interceptions["/run/" + text] = {"/run/" + text, 15001, 15006, {}, text};
    }
  }

  std::mt19937 random_;
};

TEST(Diff, ReachesAnyStateFromAnyOther) {
  RandomStates states(2026);
  for (int round = 0; round < 2'000; ++round) {
    const HostState wanted = states.next();
    const HostState observed = states.next();
    HostState result = observed;
    for (const Operation& step : diff(wanted, observed)) dataplane::advance(result, step);
    // Sysctls are set and never taken back.
    for (const auto& [name, value] : wanted.sysctls) ASSERT_EQ(result.sysctls[name], value);
    result.sysctls = wanted.sysctls;
    ASSERT_EQ(result, wanted) << "round " << round;
    ASSERT_THAT(diff(wanted, result), IsEmpty());
  }
}

TEST(Diff, MatchingHostNeedsNoOperationsAndNoWords) {
  RandomStates states(7);
  for (int round = 0; round < 200; ++round) {
    const HostState state = states.next();
    ASSERT_THAT(diff(state, state), IsEmpty());
    ASSERT_THAT(explain(state, state), IsEmpty());
  }
}

TEST(Diff, SaysSomethingExactlyWhenThereIsSomethingToDo) {
  RandomStates states(11);
  for (int round = 0; round < 500; ++round) {
    const HostState wanted = states.next();
    const HostState observed = states.next();
    ASSERT_EQ(diff(wanted, observed).empty(), explain(wanted, observed).empty());
  }
}

HostState overlay_host() {
  HostState state;
  state.sysctls["net/ipv4/ip_forward"] = "1";
  state.underlay = Underlay{"eth0", ip("192.0.2.1"), "hdx0", 4789, 1450, 1};
  state.overlay_networks[Vni{7}] = {Vni{7}, prefix("10.40.0.0/20"), ip("10.40.0.1"), {}, false};
  Attachment link;
  link.host_name = "hdv1";
  link.sandbox = "/run/heddle/netns/c1";
  link.addresses = {{ip("10.40.0.5"), 20}};
  link.overlay = Vni{7};
  state.attachments["hdv1"] = link;
  state.host_routes[ip("10.40.0.5")] = {ip("10.40.0.5"), "hdv1", {}};
  state.overlay_addresses[{Vni{7}, ip("10.40.0.5")}] = {Vni{7}, ip("10.40.0.5"), {}, "hdv1", {}};
  state.overlay_addresses[{Vni{7}, ip("10.40.0.9")}] = {
      Vni{7}, ip("10.40.0.9"), {}, "", ip("192.0.2.2")};
  state.overlay_blocks[{Vni{7}, prefix("10.40.0.64/26")}] = {Vni{7}, prefix("10.40.0.64/26"),
                                                             ip("192.0.2.2"), mac_number(0)};
  state.members["/run/heddle/netns/c1"] = {"/run/heddle/netns/c1", {7}, true};
  state.services[{ip("10.40.15.1"), 80, dataplane::Protocol::tcp}] = {
      7, ip("10.40.15.1"), 80, dataplane::Protocol::tcp, {{ip("10.40.0.9"), 80}}};
  state.interceptions["/run/heddle/netns/c1"] = {"/run/heddle/netns/c1", 15001, 15006, {80}, "x"};
  state.masquerades = {{prefix("10.40.0.0/20"), "hdx0"}};
  return state;
}

std::vector<std::size_t> kinds(const std::vector<Operation>& steps) {
  std::vector<std::size_t> result;
  for (const Operation& step : steps) result.push_back(step.index());
  return result;
}

template <class T, std::size_t I = 0>
constexpr std::size_t kind() {
  if constexpr (std::is_same_v<std::variant_alternative_t<I, Operation>, T>) {
    return I;
  } else {
    return kind<T, I + 1>();
  }
}

TEST(Diff, EndsSocketsWhenAServiceLosesABackendAndOnlyThen) {
  const BackendAddress first{ip("10.40.0.5"), 80};
  const BackendAddress second{ip("10.40.0.6"), 80};
  const auto with = [](std::vector<BackendAddress> backends) {
    HostState state;
    const ServiceEntry entry{1, ip("10.40.15.1"), 80, Protocol::tcp, std::move(backends), 0};
    state.services[{entry.vip, entry.port, entry.protocol}] = entry;
    return state;
  };
  const auto ends = Contains(kind<EndStaleFlows>());
  EXPECT_THAT(kinds(diff(with({first}), with({first, second}))), ends);
  EXPECT_THAT(kinds(diff(with({}), with({first}))), ends);
  EXPECT_THAT(kinds(diff(HostState(), with({first}))), ends);
  EXPECT_THAT(kinds(diff(with({first, second}), with({first}))), Not(ends));
  BackendAddress draining = first;
  draining.use = BackendUse::draining;
  EXPECT_THAT(kinds(diff(with({draining}), with({first}))), Not(ends));
  EXPECT_THAT(kinds(diff(with({first}), HostState())), Not(ends));
  // Last, when the list says so.
  EXPECT_THAT(kinds(diff(with({first}), with({second}))),
              ElementsAre(kind<Ensure<ServiceEntry>>(), kind<EndStaleFlows>()));

  HostState observed = with({first});
  observed.stale_flows = {{"/run/c1",
                           Protocol::tcp,
                           {ip("10.40.0.9"), 40000},
                           {ip("10.40.15.1"), 80},
                           {ip("10.40.0.7"), 80}}};
  EXPECT_THAT(kinds(diff(with({first}), observed)), ElementsAre(kind<EndStaleFlows>()));
  EXPECT_THAT(explain(with({first}), observed, {}),
              ElementsAre("socket 10.40.0.9:40000 of /run/c1 to 10.40.15.1:80/tcp leads to "
                          "10.40.0.7:80, which is no backend any more"));
}

TEST(Diff, RealizesBeforeAttachingAndDetachesBeforeRetiring) {
  const HostState host = overlay_host();
  EXPECT_THAT(
      kinds(diff(host, {})),
      ElementsAre(kind<SetSysctl>(), kind<Ensure<Underlay>>(), kind<Ensure<OverlayNetwork>>(),
                  kind<Ensure<OverlayBlock>>(), kind<Ensure<Attachment>>(),
                  kind<Ensure<OverlayAddress>>(), kind<Ensure<OverlayAddress>>(),
                  kind<Ensure<HostRoute>>(), kind<Ensure<Member>>(), kind<Ensure<ServiceEntry>>(),
                  kind<Ensure<Interception>>(), kind<SetRules>()));
  EXPECT_THAT(kinds(diff({}, host)),
              ElementsAre(kind<RemoveInterception>(), kind<RemoveService>(), kind<RemoveMember>(),
                          kind<RemoveOverlayAddress>(), kind<RemoveOverlayAddress>(),
                          kind<RemoveOverlayBlock>(), kind<RemoveHostRoute>(),
                          kind<RemoveAttachment>(), kind<RemoveOverlayNetwork>(),
                          kind<RemoveUnderlay>(), kind<EndStaleFlows>(), kind<SetRules>()));
}

TEST(Diff, AnAttachmentMadeAnewTakesItsRouteAndAddressAlong) {
  HostState observed = overlay_host();
  observed.attachments.at("hdv1").mtu = 9000;
  EXPECT_THAT(kinds(diff(overlay_host(), observed)),
              ElementsAre(kind<Ensure<Attachment>>(), kind<Ensure<OverlayAddress>>(),
                          kind<Ensure<HostRoute>>()));
}

TEST(Diff, ADefaultRouteIsGivenUpBeforeAnotherInterfaceGetsIt) {
  HostState observed;
  observed.attachments["hdv1"].host_name = "hdv1";
  observed.attachments["hdv2"].host_name = "hdv2";
  HostState wanted = observed;
  observed.attachments["hdv2"].routes = {{prefix("0.0.0.0/0"), ip("10.40.0.1")}};
  wanted.attachments["hdv1"].routes = {{prefix("0.0.0.0/0"), ip("10.41.0.1")}};
  EXPECT_EQ(diff(wanted, observed),
            (std::vector<Operation>{Ensure<Attachment>{wanted.attachments["hdv2"]},
                                    Ensure<Attachment>{wanted.attachments["hdv1"]}}));
}

TEST(Diff, RestoresPinsBeforeAnythingNeedsThem) {
  HostState observed = overlay_host();
  observed.members.clear();
  observed.missing_pins = {"heddle_members_v1", "hooks/connect4"};
  EXPECT_THAT(kinds(diff(overlay_host(), observed)),
              ElementsAre(kind<RestorePins>(), kind<Ensure<Member>>()));
  observed.members = overlay_host().members;
  EXPECT_THAT(explain(overlay_host(), observed),
              ElementsAre("map heddle_members_v1: pin is missing, a restart would lose it",
                          "socket hook connect4: pin is missing, calls pass it by"));
}

TEST(Explain, NamesWhatPeopleKnow) {
  model::View view;
  view.networks["n"].name = "app";
  view.networks["n"].vni = Vni{7};
  view.workloads["w"].name = "c1";
  view.workloads["w"].sandbox = "/run/heddle/netns/c1";
  view.services["s"].name = "web";
  view.services["s"].vip = ip("10.40.15.1");

  HostState observed = overlay_host();
  observed.attachments.clear();
  EXPECT_THAT(explain(overlay_host(), observed, view),
              Contains("endpoint 10.40.0.5 of c1: link hdv1 is missing"));

  observed = overlay_host();
  observed.overlay_addresses.at({Vni{7}, ip("10.40.0.9")}).vtep = ip("192.0.2.3");
  EXPECT_THAT(
      explain(overlay_host(), observed, view),
      ElementsAre("address map: 10.40.0.9 in app points at 192.0.2.3, should be 192.0.2.2"));

  observed = overlay_host();
  auto& blocks = observed.overlay_blocks;
  blocks.at({Vni{7}, prefix("10.40.0.64/26")}).vtep = ip("192.0.2.3");
  blocks[{Vni{9}, prefix("10.50.0.0/26")}] = {Vni{9}, prefix("10.50.0.0/26"), ip("192.0.2.9"), {}};
  EXPECT_THAT(
      explain(overlay_host(), observed, view),
      ElementsAre("block map: foreign entry 10.50.0.0/26 in VNI 9 points at 192.0.2.9",
                  "block map: 10.40.0.64/26 in app: node is 192.0.2.3, should be 192.0.2.2"));
  blocks.clear();
  EXPECT_THAT(explain(overlay_host(), observed, view),
              ElementsAre("block map: 10.40.0.64/26 in app is missing, should point at 192.0.2.2"));

  observed = overlay_host();
  observed.overlay_addresses[{Vni{9}, ip("10.50.0.9")}] = {
      Vni{9}, ip("10.50.0.9"), {}, "", ip("192.0.2.9")};
  EXPECT_THAT(explain(overlay_host(), observed, view),
              ElementsAre("address map: foreign entry 10.50.0.9 in VNI 9 points at 192.0.2.9"));

  observed = overlay_host();
  observed.services.begin()->second.backends.clear();
  observed.sysctls["net/ipv4/ip_forward"] = "0";
  observed.masquerades.clear();
  EXPECT_THAT(
      explain(overlay_host(), observed, view),
      ElementsAre("sysctl net/ipv4/ip_forward is 0, should be 1",
                  "service map: web (10.40.15.1:80/tcp): backends is none, should be 10.40.0.9:80",
                  "masquerade: rule for 10.40.0.0/20 is missing"));
}

TEST(Explain, NamesTheFieldThatDiffers) {
  HostState observed = overlay_host();
  observed.attachments.at("hdv1").mtu = 1500;
  observed.attachments.at("hdv1").overlay.reset();
  HostState wanted = overlay_host();
  wanted.attachments.at("hdv1").mtu = 1450;
  EXPECT_THAT(explain(wanted, observed),
              ElementsAre("endpoint 10.40.0.5 of /run/heddle/netns/c1: link hdv1: MTU is 1500, "
                          "should be 1450; overlay program is absent, should be for VNI 7"));
}

TEST(Diff, RouterAdvertisementsAreKeptBeforeForwardingEndsThem) {
  HostState wanted;
  wanted.sysctls = {{"net/ipv6/conf/all/forwarding", "1"}, {"net/ipv6/conf/eth0/accept_ra", "2"}};
  EXPECT_THAT(diff(wanted, {}),
              ElementsAre(Operation(SetSysctl{"net/ipv6/conf/eth0/accept_ra", "2"}),
                          Operation(SetSysctl{"net/ipv6/conf/all/forwarding", "1"})));
}

TEST(Diff, SettingsOfADeviceFollowItAndAreSetAgainWhenItIsMadeAnew) {
  HostState wanted;
  wanted.bridges["hbr0"] = {.name = "hbr0", .mac = {{2, 0, 0, 0, 0, 1}}, .addresses = {}};
  wanted.sysctls["net/ipv4/conf/hbr0/route_localnet"] = "1";
  const SetSysctl set{"net/ipv4/conf/hbr0/route_localnet", "1"};
  const auto fresh = diff(wanted, {});
  ASSERT_EQ(fresh.size(), 2U);
  EXPECT_EQ(std::get<SetSysctl>(fresh[1]), set);
  HostState observed = wanted;
  EXPECT_THAT(diff(wanted, observed), IsEmpty());
  observed.bridges["hbr0"].mtu = 1400;
  EXPECT_EQ(diff(wanted, observed).size(), 2U);
}

}  // namespace
}  // namespace heddle::reconcile
