#include "netd/dns/zone.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <tuple>

namespace heddle::dns {
namespace {

using model::Endpoint;
using model::Id;
using model::View;
using Endpoints = std::vector<const Endpoint*>;

constexpr std::string_view kReverseV4 = ".in-addr.arpa";
constexpr std::string_view kReverseV6 = ".ip6.arpa";

void insert_sorted(std::vector<IpAddr>& addresses, const IpAddr& address) {
  const auto at = std::ranges::lower_bound(addresses, address);
  if (at == addresses.end() || *at != address) addresses.insert(at, address);
}

// ip-10-40-0-5: what an SRV record can name one backend by.
std::string address_label(const IpAddr& address) {
  std::string label = "ip-" + address.format();
  std::ranges::replace_if(label, [](char c) { return c == '.' || c == ':'; }, '-');
  return label;
}

std::string_view last_label(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

// `web.app` and `app` -> `web`; empty when the name does not end so.
std::string_view without_suffix(std::string_view name, std::string_view suffix) {
  if (name.size() <= suffix.size() + 1 || !name.ends_with(suffix)) return {};
  name.remove_suffix(suffix.size());
  if (!name.ends_with('.')) return {};
  name.remove_suffix(1);
  return name;
}

std::optional<int> parse_number(std::string_view text, int base, int max) {
  int value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (ec != std::errc{} || end != text.data() + text.size() || value < 0 || value > max) return {};
  if (text.size() > 1 && text[0] == '0') return {};
  return value;
}

// The labels of `name`, last first.
std::vector<std::string_view> reversed_labels(std::string_view name) {
  std::vector<std::string_view> labels;
  for (;;) {
    labels.push_back(last_label(name));
    if (labels.back().size() == name.size()) return labels;
    name.remove_suffix(labels.back().size() + 1);
  }
}

// The zone that a negative answer for an address speaks for: the subnet's, at a label's edge.
std::string reverse_apex(const Prefix& subnet) {
  std::string apex;
  if (subnet.is_v4()) {
    for (int i = 0; i < subnet.length() / 8; ++i) {
      apex.insert(0, std::to_string(subnet.address().bytes()[i]) + (i == 0 ? "" : "."));
    }
    return apex + std::string(apex.empty() ? kReverseV4.substr(1) : kReverseV4);
  }
  static constexpr char kDigits[] = "0123456789abcdef";
  for (int i = 0; i < subnet.length() / 4; ++i) {
    const std::uint8_t byte = subnet.address().bytes()[i / 2];
    const char digit = kDigits[i % 2 == 0 ? byte >> 4 : byte & 15];
    apex.insert(0, std::string(1, digit) + (i == 0 ? "" : "."));
  }
  return apex + std::string(apex.empty() ? kReverseV6.substr(1) : kReverseV6);
}

}  // namespace

struct NetworkNames::Known {
  Endpoints endpoints;                        // of the network, not gone
  std::map<std::string, Endpoints> backends;  // usable, by service
};

NetworkNames::NetworkNames(const View& view, const model::Network& network)
    : network_(network.name) {
  for (const model::Subnet& subnet : network.subnets) subnets_.push_back(subnet.prefix);
  Known known;
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.network != network.id || endpoint.state == model::EndpointState::gone) continue;
    known.endpoints.push_back(&endpoint);
    if (!endpoint.service.empty() && view.usable(endpoint)) {
      known.backends[endpoint.service].push_back(&endpoint);
    }
  }
  for (const auto& [id, service] : view.services) {
    if (service.network == network.id) add_service(service, known);
  }
  add_workloads(view, known);
  add_between();
}

void NetworkNames::add_service(const model::Service& service, const Known& known) {
  static const Endpoints kNone;
  const auto found = known.backends.find(service.name);
  const Endpoints& backends = found == known.backends.end() ? kNone : found->second;

  Entry tasks;
  for (const Endpoint* backend : backends) insert_sorted(tasks.addresses, backend->address.address);
  Entry& entry = names_[service.name];
  entry.addresses = service.vip.is_unspecified() ? tasks.addresses : std::vector{service.vip};
  names_["tasks." + service.name] = std::move(tasks);
  if (!service.vip.is_unspecified()) reverse_[service.vip] = service.name;

  const auto is_tcp = [](const model::ServicePort& port) {
    return port.protocol == model::Protocol::tcp;
  };
  const bool one_tcp = std::ranges::count_if(service.ports, is_tcp) == 1;
  for (const model::ServicePort& port : service.ports) {
    add_services_of(port, one_tcp && is_tcp(port), service, backends);
  }
}

// `_http._tcp.web` leads to the VIP, `_http._tcp.tasks.web` to each backend.
void NetworkNames::add_services_of(const model::ServicePort& port, bool only_tcp_port,
                                   const model::Service& service, const Endpoints& backends) {
  const std::string protocol = port.protocol == model::Protocol::tcp ? "._tcp." : "._udp.";
  std::set<std::string> names{"_" + std::to_string(port.port)};
  if (!port.name.empty()) {
    names.insert("_" + port.name);
  } else if (port.app == model::AppProtocol::http1 || port.app == model::AppProtocol::http2 ||
             (only_tcp_port && port.app == model::AppProtocol::automatic)) {
    // A lone port without a name or a protocol is HTTP more often than not; an SRV record for it
    // costs nothing when it is not.
    names.insert("_http");
  }
  for (const std::string& name : names) {
    Entry& whole = names_[name + protocol + service.name];
    whole.services.push_back({port.port, 0, service.name});
    Entry& each = names_[name + protocol + "tasks." + service.name];
    for (const Endpoint* backend : backends) {
      const auto weight =
          static_cast<std::uint16_t>(std::min<std::uint32_t>(backend->weight, 65535));
      each.services.push_back({port.port, weight, address_label(backend->address.address)});
    }
  }
}

void NetworkNames::add_workloads(const View& view, const Known& known) {
  // Of several workloads with one name (on several nodes), those that can be reached are meant.
  std::map<std::string, Entry> usable, all;
  for (const Endpoint* endpoint : known.endpoints) {
    const IpAddr& address = endpoint->address.address;
    std::set<std::string> names(endpoint->aliases.begin(), endpoint->aliases.end());
    names.insert(endpoint->workload_name);
    names.erase("");
    for (const std::string& name : names) {
      insert_sorted(all[name].addresses, address);
      if (!view.unreachable.contains(endpoint->node)) {
        insert_sorted(usable[name].addresses, address);
      }
    }
    names_.try_emplace(address_label(address), Entry{{address}, {}, false});
    if (endpoint->workload_name.empty()) continue;
    reverse_.try_emplace(address, endpoint->workload_name);
  }
  for (auto& [name, entry] : usable) names_.try_emplace(name, std::move(entry));
  for (auto& [name, entry] : all) names_.try_emplace(name, std::move(entry));
}

void NetworkNames::add_between() {
  std::set<std::string> parents;
  for (const auto& [name, entry] : names_) {
    for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
      parents.insert(name.substr(dot + 1));
    }
  }
  for (const std::string& parent : parents) names_.try_emplace(parent, Entry{{}, {}, true});
}

const Entry* NetworkNames::find(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &found->second;
}

const std::string* NetworkNames::reverse(const IpAddr& address) const {
  const auto found = reverse_.find(address);
  return found == reverse_.end() ? nullptr : &found->second;
}

const Prefix* NetworkNames::subnet_of(const IpAddr& address) const {
  for (const Prefix& subnet : subnets_) {
    if (subnet.contains(address)) return &subnet;
  }
  return nullptr;
}

Zone::Outcome Zone::find(const std::string& name, Found& found) const {
  static const Entry kEmpty{{}, {}, true};
  found = {nullptr, nullptr};
  if (name == kDomain) {
    found.entry = &kEmpty;
    return Outcome::found;
  }
  const std::string_view inside = without_suffix(name, kDomain);
  const std::string_view relative = inside.empty() ? std::string_view(name) : inside;
  if (inside.empty()) {
    for (const auto& network : networks_) {
      const Entry* entry = network->find(name);
      if (entry == nullptr || entry->between) continue;
      found = {network.get(), entry};
      return Outcome::found;
    }
  }
  for (const auto& network : networks_) {
    if (last_label(relative) != network->network()) continue;
    const std::string_view rest = without_suffix(relative, network->network());
    const Entry* entry = rest.empty() ? &kEmpty : network->find(std::string(rest));
    // Outside our domain a network's name alone, or a node between, is nobody's.
    if (entry == nullptr || (inside.empty() && entry->between)) continue;
    found = {network.get(), entry};
    return Outcome::found;
  }
  return inside.empty() ? Outcome::foreign : Outcome::absent;
}

Zone::Reverse Zone::find_reverse(const std::string& name) const {
  const auto address = parse_reverse(name);
  if (!address) return {Outcome::foreign, "", ""};
  for (const auto& network : networks_) {
    const Prefix* subnet = network->subnet_of(*address);
    if (subnet == nullptr) continue;
    const std::string* target = network->reverse(*address);
    if (target == nullptr) return {Outcome::absent, "", reverse_apex(*subnet)};
    return {Outcome::found, qualified(*target, network->network()), reverse_apex(*subnet)};
  }
  return {Outcome::foreign, "", ""};
}

std::string qualified(std::string_view name, std::string_view network) {
  std::string text(name);
  text.append(".").append(network).append(".").append(kDomain);
  return text;
}

std::optional<IpAddr> parse_reverse(std::string_view name) {
  if (name.ends_with(kReverseV4)) {
    const auto labels = reversed_labels(name.substr(0, name.size() - kReverseV4.size()));
    if (labels.size() != 4) return {};
    std::uint32_t value = 0;
    for (const std::string_view label : labels) {
      const auto byte = parse_number(label, 10, 255);
      if (!byte) return {};
      value = value << 8 | static_cast<std::uint32_t>(*byte);
    }
    return IpAddr::v4(value);
  }
  if (name.ends_with(kReverseV6)) {
    const auto labels = reversed_labels(name.substr(0, name.size() - kReverseV6.size()));
    if (labels.size() != 32) return {};
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto digit = labels[i].size() == 1 ? parse_number(labels[i], 16, 15) : std::nullopt;
      if (!digit) return {};
      bytes[i / 2] = static_cast<std::uint8_t>(bytes[i / 2] << 4 | *digit);
    }
    return IpAddr::v6(bytes);
  }
  return {};
}

namespace {

// The networks of each workload here, first attached first.
std::map<Id, std::vector<Id>> attached_networks(const View& view) {
  std::map<Id, Endpoints> endpoints;
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.state == model::EndpointState::gone) continue;
    if (!view.workloads.contains(endpoint.workload)) continue;
    if (view.networks.contains(endpoint.network)) endpoints[endpoint.workload].push_back(&endpoint);
  }
  std::map<Id, std::vector<Id>> networks;
  for (auto& [workload, own] : endpoints) {
    std::ranges::sort(own, [](const Endpoint* a, const Endpoint* b) {
      return std::tie(a->created, a->id) < std::tie(b->created, b->id);
    });
    std::vector<Id>& order = networks[workload];
    for (const Endpoint* endpoint : own) {
      if (std::ranges::find(order, endpoint->network) == order.end()) {
        order.push_back(endpoint->network);
      }
    }
  }
  return networks;
}

}  // namespace

std::map<Id, std::shared_ptr<const Zone>> build_zones(const View& view) {
  std::map<Id, std::shared_ptr<const NetworkNames>> names;
  std::map<Id, std::shared_ptr<const Zone>> zones;
  for (const auto& [workload, networks] : attached_networks(view)) {
    std::vector<std::shared_ptr<const NetworkNames>> own;
    for (const Id& network : networks) {
      auto& known = names[network];
      if (!known) known = std::make_shared<NetworkNames>(view, view.networks.at(network));
      own.push_back(known);
    }
    zones.emplace(workload, std::make_shared<const Zone>(std::move(own)));
  }
  return zones;
}

Zone build_zone(const View& view, const Id& workload) {
  std::vector<std::shared_ptr<const NetworkNames>> own;
  const auto networks = attached_networks(view);
  if (const auto found = networks.find(workload); found != networks.end()) {
    for (const Id& network : found->second) {
      own.push_back(std::make_shared<NetworkNames>(view, view.networks.at(network)));
    }
  }
  return Zone(std::move(own));
}

}  // namespace heddle::dns
