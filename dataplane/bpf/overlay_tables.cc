#include "dataplane/bpf/overlay_tables.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string>
#include <utility>

#include "dataplane/bpf/first_failure.h"
#include "dataplane/bpf/tc_filter.h"
#include "ebpf/abi/maps.h"

namespace heddle::bpf {
namespace {

void write_mac(const Mac& mac, __u8* to) {
  std::ranges::copy(mac.bytes, to);
}
Mac read_mac(const __u8* from) {
  Mac mac;
  std::copy_n(from, mac.bytes.size(), mac.bytes.begin());
  return mac;
}
IpAddr read_v4(__be32 address) {
  return IpAddr::v4(ntohl(address));
}

Result<> check_vni(Vni vni) {
  if (vni.value == 0 || vni.value > kMaxVni)
    return fail(Errc::invalid, "VNI " + std::to_string(vni.value) + " is not in 1..16777215");
  return {};
}
Result<> check_v4(const IpAddr& address, std::string_view what) {
  if (!address.is_v4() || address.is_unspecified())
    return fail(Errc::invalid, std::string(what) + " " + address.format() +
                                   " is not an IPv4 address; overlay networks carry IPv4 only");
  return {};
}
// Stands for the VNI of an entry that names none whole: none of ours. The prefix then is what it
// has of one, so that it can be removed.
constexpr Vni kNoWholeVni{0xffffffff};

heddle_block_key key_of(Vni vni, const Prefix& prefix) {
  if (vni == kNoWholeVni) {
    return {
        .bits = static_cast<__u32>(prefix.length()), .vni = prefix.address().v4_be(), .address = 0};
  }
  return {.bits = HEDDLE_BLOCK_VNI_BITS + static_cast<__u32>(prefix.length()),
          .vni = vni.value,
          .address = prefix.address().v4_be()};
}
Result<> check_device(IfIndex index, std::string_view what) {
  if (index.value == 0) return fail(Errc::invalid, std::string(what) + " has no interface index");
  return {};
}

}  // namespace

Result<OverlayTables> OverlayTables::open(const Objects& objects) {
  using Nodes = Table<__u32, heddle_node>;
  using Networks = Table<__u32, heddle_network>;
  using Addresses = Table<heddle_address_key, heddle_address>;
  using Blocks = Table<heddle_block_key, heddle_block>;
  using Ports = Table<__u32, heddle_port>;
  TRY(auto node, Nodes::open(objects.map(HEDDLE_MAP_NODE), HEDDLE_MAP_NODE));
  TRY(auto networks, Networks::open(objects.map(HEDDLE_MAP_NETWORKS), HEDDLE_MAP_NETWORKS));
  TRY(auto addresses, Addresses::open(objects.map(HEDDLE_MAP_ADDRESSES), HEDDLE_MAP_ADDRESSES));
  TRY(auto blocks, Blocks::open(objects.map(HEDDLE_MAP_BLOCKS), HEDDLE_MAP_BLOCKS));
  TRY(auto ports, Ports::open(objects.map(HEDDLE_MAP_PORTS), HEDDLE_MAP_PORTS));
  OverlayTables tables(std::move(node), std::move(networks), std::move(addresses),
                       std::move(blocks), std::move(ports));
  const auto fill = [](Program& program, int fd) -> Result<> {
    TRY(const std::uint32_t id, program_id(fd));
    program = Program{.fd = fd, .id = id};
    return {};
  };
  TRY_DO(fill(tables.from_container_, objects.from_container()));
  TRY_DO(fill(tables.from_underlay_, objects.from_underlay()));
  TRY_DO(fill(tables.from_vxlan_, objects.from_vxlan()));
  return tables;
}

Result<heddle_node> OverlayTables::read_node() const {
  TRY(const std::optional<heddle_node> node, node_.find(0));
  return node.value_or(heddle_node{});
}

Result<> OverlayTables::replace_programs() {
  const auto replace = [](IfIndex device, const Program& program) -> Result<> {
    TRY(const std::uint32_t found, ingress_program(device));
    if (found == 0 || found == program.id) return {};
    TRY(const Clsact clsact, ensure_ingress_filter(device, program.fd));
    (void)clsact;
    return {};
  };
  TRY(const auto ports, ports_.entries());
  for (const auto& [index, port] : ports) TRY_DO(replace(IfIndex{index}, from_container_));
  TRY(const heddle_node node, read_node());
  if (node.vxlan != 0) TRY_DO(replace(IfIndex{node.vxlan}, from_vxlan_));
  if (node.underlay != 0) TRY_DO(replace(IfIndex{node.underlay}, from_underlay_));
  return {};
}

Result<> OverlayTables::attach_port(const Programs::Port& port) {
  TRY_DO(check_device(port.index, "the port"));
  TRY_DO(check_vni(port.vni));
  TRY_DO(check_v4(port.address, "the port's address"));
  heddle_port entry{};
  entry.vni = port.vni.value;
  entry.address = port.address.v4_be();
  write_mac(port.mac, entry.mac);
  TRY(const std::optional<heddle_port> before, ports_.find(port.index.value));
  TRY_DO(ports_.put(port.index.value, entry));
  if (auto attached = ensure_ingress_filter(port.index, from_container_.fd); !attached) {
    const Result<> undone =
        before ? ports_.put(port.index.value, *before) : ports_.remove(port.index.value);
    (void)undone;  // the failure to attach is what the caller has to know
    return std::unexpected(std::move(attached).error());
  }
  return {};
}

Result<> OverlayTables::detach_port(IfIndex index) {
  FirstFailure steps;
  steps.then(remove_ingress_filter(index));
  steps.then(ports_.remove(index.value));
  return std::move(steps).result();
}

Result<std::vector<Programs::Port>> OverlayTables::ports() const {
  TRY(const auto entries, ports_.entries());
  std::vector<Programs::Port> ports;
  ports.reserve(entries.size());
  for (const auto& [index, entry] : entries) {
    TRY(const std::uint32_t program, ingress_program(IfIndex{index}));
    if (program != from_container_.id) continue;
    ports.push_back({.index = IfIndex{index},
                     .vni = Vni{entry.vni},
                     .address = read_v4(entry.address),
                     .mac = read_mac(entry.mac)});
  }
  std::ranges::sort(ports);
  return ports;
}

// The VXLAN device's filter comes first: nothing may reach the stack through that device. The
// node's entry comes after both: from then on the programs act. Devices used before are let go
// last.
Result<> OverlayTables::attach_underlay(const Programs::UnderlayHook& hook) {
  TRY_DO(check_device(hook.device, "the underlay"));
  TRY_DO(check_device(hook.vxlan, "the VXLAN device"));
  TRY_DO(check_v4(hook.address, "the underlay's address"));
  if (hook.vxlan_port == 0) return fail(Errc::invalid, "the VXLAN port is 0");
  if (hook.device == hook.vxlan)
    return fail(Errc::invalid, "the underlay and the VXLAN device are one and the same");
  TRY(const heddle_node before, read_node());
  TRY(const Clsact on_vxlan, ensure_ingress_filter(hook.vxlan, from_vxlan_.fd));
  (void)on_vxlan;
  TRY(const Clsact clsact, ensure_ingress_filter(hook.device, from_underlay_.fd));
  heddle_node node{};
  node.epoch = hook.epoch;
  node.underlay = hook.device.value;
  node.vxlan = hook.vxlan.value;
  node.address = hook.address.v4_be();
  node.vxlan_port = htons(hook.vxlan_port);
  write_mac(hook.device_mac, node.mac);
  const bool owned_before = before.underlay == hook.device.value &&
                            (before.flags & HEDDLE_NODE_OWNS_UNDERLAY_CLSACT) != 0;
  if (clsact == Clsact::added || owned_before) node.flags |= HEDDLE_NODE_OWNS_UNDERLAY_CLSACT;
  TRY_DO(node_.put(0, node));
  heddle_node unused = before;
  if (before.underlay == node.underlay) unused.underlay = 0;
  if (before.vxlan == node.vxlan) unused.vxlan = 0;
  return detach_devices(unused);
}

Result<> OverlayTables::detach_devices(const heddle_node& node) {
  FirstFailure steps;
  if (node.underlay != 0) {
    steps.then(remove_ingress_filter(IfIndex{node.underlay}));
    if ((node.flags & HEDDLE_NODE_OWNS_UNDERLAY_CLSACT) != 0)
      steps.then(remove_empty_clsact(IfIndex{node.underlay}));
  }
  if (node.vxlan != 0) steps.then(remove_ingress_filter(IfIndex{node.vxlan}));
  return std::move(steps).result();
}

Result<> OverlayTables::detach_underlay() {
  TRY(const heddle_node node, read_node());
  FirstFailure steps;
  steps.then(node_.put(0, heddle_node{}));
  steps.then(detach_devices(node));
  return std::move(steps).result();
}

Result<std::optional<Programs::UnderlayHook>> OverlayTables::underlay() const {
  using Found = std::optional<Programs::UnderlayHook>;
  TRY(const heddle_node node, read_node());
  if (node.vxlan == 0) return Found();
  TRY(const std::uint32_t on_underlay, ingress_program(IfIndex{node.underlay}));
  TRY(const std::uint32_t on_vxlan, ingress_program(IfIndex{node.vxlan}));
  if (on_underlay != from_underlay_.id || on_vxlan != from_vxlan_.id) return Found();
  return Found(Programs::UnderlayHook{.device = IfIndex{node.underlay},
                                      .device_mac = read_mac(node.mac),
                                      .vxlan = IfIndex{node.vxlan},
                                      .address = read_v4(node.address),
                                      .vxlan_port = ntohs(node.vxlan_port),
                                      .epoch = node.epoch});
}

Result<> OverlayTables::put_network(const dataplane::OverlayNetwork& network) {
  TRY_DO(check_vni(network.vni));
  TRY_DO(check_v4(network.subnet.address(), "the subnet"));
  TRY_DO(check_v4(network.gateway, "the gateway"));
  if (!network.subnet.contains(network.gateway))
    return fail(Errc::invalid, "the gateway " + network.gateway.format() +
                                   " is not in the subnet " + network.subnet.format());
  heddle_network entry{};
  const int length = network.subnet.length();
  entry.subnet = network.subnet.address().v4_be();
  entry.mask = length == 0 ? 0 : htonl(~std::uint32_t{0} << (32 - length));
  entry.gateway = network.gateway.v4_be();
  write_mac(network.gateway_mac, entry.gateway_mac);
  entry.flags = network.internal ? HEDDLE_NETWORK_INTERNAL : 0;
  return networks_.put(network.vni.value, entry);
}

Result<> OverlayTables::remove_network(Vni vni) {
  return networks_.remove(vni.value);
}

Result<std::vector<dataplane::OverlayNetwork>> OverlayTables::networks() const {
  TRY(const auto entries, networks_.entries());
  std::vector<dataplane::OverlayNetwork> networks;
  networks.reserve(entries.size());
  for (const auto& [vni, entry] : entries) {
    const int length = __builtin_popcount(entry.mask);
    networks.push_back({.vni = Vni{vni},
                        .subnet = Prefix::containing(read_v4(entry.subnet), length),
                        .gateway = read_v4(entry.gateway),
                        .gateway_mac = read_mac(entry.gateway_mac),
                        .internal = (entry.flags & HEDDLE_NETWORK_INTERNAL) != 0});
  }
  std::ranges::sort(networks);
  return networks;
}

Result<> OverlayTables::put_address(const Programs::Address& address) {
  TRY_DO(check_vni(address.vni));
  TRY_DO(check_v4(address.address, "the address"));
  if ((address.local.value != 0) == address.vtep.has_value())
    return fail(Errc::invalid, "the address " + address.address.format() +
                                   " needs either a device of this node or a VTEP, not both");
  heddle_address entry{};
  entry.ifindex = address.local.value;
  if (address.queued) entry.flags |= HEDDLE_ADDRESS_QUEUED;
  if (address.vtep) {
    TRY_DO(check_v4(*address.vtep, "the VTEP"));
    entry.vtep = address.vtep->v4_be();
  }
  write_mac(address.mac, entry.mac);
  return addresses_.put({.vni = address.vni.value, .address = address.address.v4_be()}, entry);
}

Result<> OverlayTables::remove_address(Vni vni, IpAddr address) {
  TRY_DO(check_v4(address, "the address"));
  return addresses_.remove({.vni = vni.value, .address = address.v4_be()});
}

Result<std::vector<Programs::Address>> OverlayTables::addresses() const {
  TRY(const auto entries, addresses_.entries());
  std::vector<Programs::Address> addresses;
  addresses.reserve(entries.size());
  for (const auto& [key, entry] : entries) {
    Programs::Address address{.vni = Vni{key.vni},
                              .address = read_v4(key.address),
                              .mac = read_mac(entry.mac),
                              .local = IfIndex{entry.ifindex},
                              .vtep = std::nullopt,
                              .queued = (entry.flags & HEDDLE_ADDRESS_QUEUED) != 0};
    if (entry.ifindex == 0) address.vtep = read_v4(entry.vtep);
    addresses.push_back(std::move(address));
  }
  std::ranges::sort(addresses);
  return addresses;
}

Result<> OverlayTables::put_block(const dataplane::OverlayBlock& block) {
  TRY_DO(check_vni(block.vni));
  TRY_DO(check_v4(block.prefix.address(), "the block"));
  TRY_DO(check_v4(block.vtep, "the VTEP"));
  heddle_block entry{};
  entry.vtep = block.vtep.v4_be();
  write_mac(block.mac, entry.mac);
  return blocks_.put(key_of(block.vni, block.prefix), entry);
}

Result<> OverlayTables::remove_block(Vni vni, const Prefix& prefix) {
  if (!prefix.is_v4()) return fail(Errc::invalid, prefix.format() + " is not IPv4");
  return blocks_.remove(key_of(vni, prefix));
}

Result<std::vector<dataplane::OverlayBlock>> OverlayTables::blocks() const {
  TRY(const auto entries, blocks_.entries());
  std::vector<dataplane::OverlayBlock> blocks;
  blocks.reserve(entries.size());
  for (const auto& [key, entry] : entries) {
    const bool whole = key.bits >= HEDDLE_BLOCK_VNI_BITS;
    const auto bits = static_cast<int>(whole ? key.bits - HEDDLE_BLOCK_VNI_BITS : key.bits);
    blocks.push_back({.vni = whole ? Vni{key.vni} : kNoWholeVni,
                      .prefix = Prefix::containing(read_v4(whole ? key.address : key.vni), bits),
                      .vtep = read_v4(entry.vtep),
                      .mac = read_mac(entry.mac)});
  }
  std::ranges::sort(blocks);
  return blocks;
}

Result<> OverlayTables::detach_all() {
  FirstFailure steps;
  steps.then(detach_underlay());
  auto entries = ports_.entries();
  if (!entries) {
    steps.then(std::unexpected(std::move(entries).error()));
    return std::move(steps).result();
  }
  for (const auto& [index, port] : *entries) steps.then(detach_port(IfIndex{index}));
  return std::move(steps).result();
}

}  // namespace heddle::bpf
