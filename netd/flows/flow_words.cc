#include "netd/flows/flow_words.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "dataplane/bpf/reasons.h"

namespace heddle::flows {
namespace {

// In the order of bpf::FlowVerdict.
constexpr std::array<std::string_view, 7> kVerdicts{"delivered", "forwarded", "host",   "dropped",
                                                    "balanced",  "steered",   "refused"};
constexpr std::uint16_t kIpv4 = 0x0800;
constexpr std::uint16_t kArp = 0x0806;
constexpr std::uint32_t kMostSampled = 1'000'000'000;

bool is_call(bpf::FlowVerdict verdict) {
  return verdict >= bpf::FlowVerdict::balanced;
}

std::string protocol_word(const bpf::FlowEvent& event) {
  if (!is_call(event.verdict) && event.ethertype == kArp) return "arp";
  if (!is_call(event.verdict) && event.ethertype != kIpv4) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text = "0x";
    for (int shift = 12; shift >= 0; shift -= 4)
      text += kDigits[static_cast<std::size_t>(event.ethertype >> shift & 0xf)];
    return text;
  }
  switch (event.protocol) {
    case 1:
      return "icmp";
    case 6:
      return "tcp";
    case 17:
      return "udp";
    case 132:
      return "sctp";
    default:
      return std::to_string(event.protocol);
  }
}

std::string end_of(const SocketAddr& end) {
  if (end.address.is_unspecified() && end.port == 0) return {};
  return end.port == 0 ? end.address.format() : end.format();
}

template <class Map>
std::string named(const Map& names, const typename Map::key_type& key) {
  const auto found = names.find(key);
  return found == names.end() ? std::string() : found->second;
}

}  // namespace

FlowWords::FlowWords(const model::View& view, const Callers& callers,
                     std::chrono::nanoseconds wall_minus_monotonic)
    : callers_(callers), offset_(wall_minus_monotonic) {
  for (const auto& [id, network] : view.networks) {
    if (network.vni.value != 0) networks_[network.vni] = network.name;
  }
  for (const auto& [id, endpoint] : view.endpoints) {
    const auto network = view.networks.find(endpoint.network);
    if (network == view.networks.end() || network->second.vni.value == 0) continue;
    workloads_[{network->second.vni, endpoint.address.address}] = endpoint.workload_name;
  }
  for (const auto& [id, service] : view.services) {
    const auto network = view.networks.find(service.network);
    if (network == view.networks.end()) continue;
    services_[service.vip] = service.name;
    vips_[service.vip] = {network->second.vni, network->second.name};
  }
  for (const auto& [id, node] : view.nodes) nodes_[node.data_address] = node.name;
}

std::string FlowWords::workload(Vni vni, const IpAddr& address) const {
  return named(workloads_, {vni, address});
}

std::string FlowWords::node(const IpAddr& address) const {
  if (address.is_unspecified()) return {};
  const std::string name = named(nodes_, address);
  return name.empty() ? address.format() : name;
}

void FlowWords::describe_packet(const bpf::FlowEvent& event, Flow& flow) const {
  flow.network = named(networks_, event.vni);
  if (flow.network.empty() && event.vni.value != 0)
    flow.network = "VNI " + std::to_string(event.vni.value);
  flow.from = end_of(event.from);
  flow.from_workload = workload(event.vni, event.from.address);
  flow.to_workload = workload(event.vni, event.to.address);
  flow.node = node(event.node);
  flow.bytes = event.bytes;
}

void FlowWords::describe_call(const bpf::FlowEvent& event, Flow& flow) const {
  flow.from_workload = named(callers_, event.netns);
  flow.service = named(services_, event.to.address);
  const auto vip = vips_.find(event.to.address);
  if (vip != vips_.end()) flow.network = vip->second.second;
  if (event.verdict == bpf::FlowVerdict::refused) return;
  flow.backend = end_of(event.actual);
  if (vip != vips_.end()) flow.to_workload = workload(vip->second.first, event.actual.address);
}

Flow FlowWords::describe(const bpf::FlowEvent& event) const {
  Flow flow;
  flow.at = std::chrono::sys_time<std::chrono::microseconds>(
      std::chrono::duration_cast<std::chrono::microseconds>(event.at + offset_));
  flow.verdict = kVerdicts[static_cast<std::size_t>(event.verdict)];
  flow.reason = event.reason;
  flow.protocol = protocol_word(event);
  flow.to = end_of(event.to);
  if (is_call(event.verdict)) {
    describe_call(event, flow);
  } else {
    describe_packet(event, flow);
  }
  return flow;
}

bool matches(const Query& query, const Flow& flow) {
  const auto lets = [](const std::string& wanted, const std::string& is) {
    return wanted.empty() || wanted == is;
  };
  return lets(query.verdict, flow.verdict) && lets(query.reason, flow.reason) &&
         lets(query.service, flow.service) &&
         (lets(query.workload, flow.from_workload) || lets(query.workload, flow.to_workload));
}

Result<> check(const Query& query) {
  if (!query.verdict.empty() && std::ranges::find(kVerdicts, query.verdict) == kVerdicts.end()) {
    std::string all;
    for (const std::string_view verdict : kVerdicts)
      all += (all.empty() ? "" : ", ") + std::string(verdict);
    return fail(Errc::invalid, "there is no verdict '" + query.verdict + "'; it is one of " + all);
  }
  if (!query.reason.empty() && !bpf::is_reason(query.reason))
    return fail(Errc::invalid,
                "there is no drop reason '" + query.reason + "'; `heddle system info` lists them");
  if (query.one_of < 1 || query.one_of > kMostSampled)
    return fail(Errc::invalid, "one of " + std::to_string(query.one_of) +
                                   " packets cannot be recorded; give 1 to 1000000000");
  return {};
}

}  // namespace heddle::flows
