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
using Endpoints = NetworkNames::Endpoints;

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

// Every address that names lead to; link-local ones mean something on one link only.
std::vector<IpAddr> addresses_of(const Endpoint& endpoint) {
  std::vector<IpAddr> all{endpoint.address.address};
  if (endpoint.address6) all.push_back(endpoint.address6->address);
  return all;
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

NetworkNames::NetworkNames(const View& view, const model::Network& network,
                           const Endpoints& endpoints)
    : network_(network.name) {
  names_.reserve(endpoints.size() * 2);
  for (const model::Subnet& subnet : network.subnets) subnets_.push_back(subnet.prefix);
  std::map<std::string, Endpoints> backends;  // usable, by service
  for (const Endpoint* endpoint : endpoints) {
    if (endpoint->service.empty()) continue;
    if (view.usable(*endpoint)) backends[endpoint->service].push_back(endpoint);
    names_[address_label(endpoint->address.address)] =
        Entry{Entry::Kind::service, addresses_of(*endpoint), {}};
  }
  for (const auto& [id, service] : view.services) {
    if (service.network == network.id) add_service(service, backends[service.name]);
  }
  // Of several workloads with one name (on several nodes), those that can be reached are meant.
  for (const Endpoint* endpoint : endpoints) {
    if (!view.unreachable.contains(endpoint->node)) {
      add_workload(*endpoint, Entry::Kind::reachable);
    }
  }
  for (const Endpoint* endpoint : endpoints) {
    if (view.unreachable.contains(endpoint->node)) {
      add_workload(*endpoint, Entry::Kind::unreachable);
    }
  }
}

void NetworkNames::add_service(const model::Service& service, const Endpoints& backends) {
  std::vector<IpAddr> tasks;
  for (const Endpoint* backend : backends) {
    for (const IpAddr& address : addresses_of(*backend)) insert_sorted(tasks, address);
  }
  const bool has_vip = !service.vip.is_unspecified();
  names_[service.name] =
      Entry{Entry::Kind::service, has_vip ? std::vector{service.vip} : tasks, {}};
  names_["tasks." + service.name] = Entry{Entry::Kind::service, std::move(tasks), {}};
  if (has_vip) reverse_[service.vip] = service.name;

  const auto is_tcp = [](const model::ServicePort& port) {
    return port.protocol == model::Protocol::tcp;
  };
  const bool one_tcp = std::ranges::count_if(service.ports, is_tcp) == 1;
  for (const model::ServicePort& port : service.ports) {
    add_ports(port, one_tcp && is_tcp(port), service, backends);
  }
}

// `_http._tcp.web` leads to the VIP, `_http._tcp.tasks.web` to each backend.
void NetworkNames::add_ports(const model::ServicePort& port, bool only_tcp_port,
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
  for (const std::string& label : names) {
    const std::string whole = label + protocol + service.name;
    names_[whole].services.push_back({port.port, 0, service.name});
    add_between(whole);
    const std::string each = label + protocol + "tasks." + service.name;
    std::vector<Srv>& services = names_[each].services;
    for (const Endpoint* backend : backends) {
      const auto weight =
          static_cast<std::uint16_t>(std::min<std::uint32_t>(backend->weight, 65535));
      services.push_back({port.port, weight, address_label(backend->address.address)});
    }
    add_between(each);
  }
}

void NetworkNames::add_workload(const Endpoint& endpoint, Entry::Kind kind) {
  const std::vector<IpAddr> addresses = addresses_of(endpoint);
  const auto add = [&](const std::string& name) {
    if (name.empty()) return;
    Entry& entry = names_.try_emplace(name, Entry{kind, {}, {}}).first->second;
    if (entry.kind != kind) return;
    for (const IpAddr& address : addresses) insert_sorted(entry.addresses, address);
  };
  add(endpoint.workload_name);
  for (const std::string& alias : endpoint.aliases) add(alias);
  if (endpoint.workload_name.empty()) return;
  for (const IpAddr& address : addresses) {
    reverse_.try_emplace(address, endpoint.workload_name);
  }
}

void NetworkNames::add_between(const std::string& name) {
  for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
    names_.try_emplace(name.substr(dot + 1), Entry{Entry::Kind::between, {}, {}});
  }
}

const Entry* NetworkNames::find(std::string_view name) const {
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

const Entry* Zone::find_in(const NetworkNames& network, std::string_view name) const {
  if (audience_ != Audience::workload) {
    if (const Entry* tasks = network.find("tasks." + std::string(name))) return tasks;
  }
  return network.find(name);
}

Zone::Outcome Zone::find(std::string_view name, Found& found) const {
  static const Entry kEmpty{Entry::Kind::between, {}, {}};
  found = {nullptr, nullptr};
  if (name == kDomain) {
    found.entry = &kEmpty;
    return Outcome::found;
  }
  const std::string_view inside = without_suffix(name, kDomain);
  if (inside.empty() && audience_ != Audience::workload) return Outcome::foreign;
  const std::string_view relative = inside.empty() ? name : inside;
  if (inside.empty()) {
    for (const auto& current : networks_) {
      const auto network = current->get();
      const Entry* entry = network->find(name);
      if (entry == nullptr || entry->kind == Entry::Kind::between) continue;
      found = {network, entry};
      return Outcome::found;
    }
  }
  const std::string_view network_name = last_label(relative);
  for (const auto& current : networks_) {
    if (current->network() != network_name) continue;
    const auto network = current->get();
    const std::string_view rest = without_suffix(relative, network_name);
    const Entry* entry = rest.empty() ? &kEmpty : find_in(*network, rest);
    // Outside our domain a network's name alone, or a node between, is nobody's.
    if (entry == nullptr || (inside.empty() && entry->kind == Entry::Kind::between)) continue;
    found = {network, entry};
    return Outcome::found;
  }
  return inside.empty() ? Outcome::foreign : Outcome::absent;
}

Zone::Reverse Zone::find_reverse(std::string_view name) const {
  const auto address = parse_reverse(name);
  if (!address) return {Outcome::foreign, "", ""};
  for (const auto& current : networks_) {
    const auto network = current->get();
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

std::string name_of(const View& view, const Id& network) {
  const auto found = view.networks.find(network);
  return found == view.networks.end() ? "" : found->second.name;
}

NetworkNames names_of(const View& view, const Id& network) {
  const auto found = view.networks.find(network);
  if (found == view.networks.end()) return NetworkNames();
  Endpoints endpoints;
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.network == network && endpoint.state != model::EndpointState::gone) {
      endpoints.push_back(&endpoint);
    }
  }
  return NetworkNames(view, found->second, endpoints);
}

}  // namespace

CurrentNames::CurrentNames(Id network, std::shared_ptr<const View> view)
    : network_(std::move(network)), name_(name_of(*view, network_)), next_(std::move(view)) {}

void CurrentNames::set(std::shared_ptr<const View> view) {
  const std::lock_guard lock(mutex_);
  next_ = std::move(view);
}

std::shared_ptr<const NetworkNames> CurrentNames::get() const {
  std::unique_lock lock(mutex_);
  if (!next_) return names_;
  const std::shared_ptr<const View> view = next_;
  lock.unlock();  // whoever changes the network does not wait for the sorting
  auto names = std::make_shared<const NetworkNames>(names_of(*view, network_));
  lock.lock();
  if (next_ == view) {
    names_ = names;
    next_.reset();
  }
  return names;
}

std::vector<Id> attached_networks(const View& view, const model::Index& index, const Id& workload) {
  std::vector<Id> networks;
  if (!view.workloads.contains(workload)) return networks;
  Endpoints own;
  index.endpoints_of(workload, [&](const Id& id) {
    const Endpoint& endpoint = view.endpoints.at(id);
    if (endpoint.state == model::EndpointState::gone) return;
    if (view.networks.contains(endpoint.network)) own.push_back(&endpoint);
  });
  std::ranges::sort(own, [](const Endpoint* a, const Endpoint* b) {
    return std::tie(a->created, a->id) < std::tie(b->created, b->id);
  });
  for (const Endpoint* endpoint : own) {
    if (std::ranges::find(networks, endpoint->network) == networks.end()) {
      networks.push_back(endpoint->network);
    }
  }
  return networks;
}

std::map<Id, std::shared_ptr<const Zone>> build_zones(const View& view) {
  const auto shared = std::make_shared<const View>(view);
  std::map<Id, std::shared_ptr<const CurrentNames>> names;
  std::map<Id, std::shared_ptr<const Zone>> zones;
  const model::Index index(view);
  for (const auto& [workload, described] : view.workloads) {
    std::vector<std::shared_ptr<const CurrentNames>> own;
    for (const Id& id : attached_networks(view, index, workload)) {
      auto& known = names[id];
      if (!known) known = std::make_shared<const CurrentNames>(id, shared);
      own.push_back(known);
    }
    if (own.empty()) continue;
    zones.emplace(workload, std::make_shared<const Zone>(std::move(own)));
  }
  return zones;
}

Zone build_zone(const View& view, const Id& workload) {
  const auto zones = build_zones(view);
  const auto found = zones.find(workload);
  return found == zones.end() ? Zone() : *found->second;
}

}  // namespace heddle::dns
