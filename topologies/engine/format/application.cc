#include "topologies/engine/format/application.h"

#include <algorithm>
#include <set>

#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

constexpr std::int64_t kMaxReplicas = 1000;

bool is_map(const YamlNode& node, const std::string& path, Diagnostics& diagnostics) {
  if (node.kind == YamlNode::Kind::map) return true;
  diagnostics.error(node.mark, path, "must be a map of names");
  return false;
}

// A map, or a list of KEY=VALUE, as Compose takes both.
std::map<std::string, std::string> read_pairs(const MapReader& map, std::string_view key) {
  const YamlNode* node = map.find(key);
  if (!node || node->kind != YamlNode::Kind::list) return map.text_map(key);
  std::map<std::string, std::string> out;
  for (const std::string& pair : map.texts(key)) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      map.error(key, "\"" + pair.substr(0, 40) + "\" must be NAME=VALUE");
      continue;
    }
    out[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return out;
}

void read_ipam(const MapReader& overlay, Overlay& out, Diagnostics& diagnostics) {
  const YamlNode* node = overlay.find("ipam");
  if (!node) return;
  const MapReader ipam(*node, overlay.path_of("ipam"), keys::kIpam, diagnostics);
  const YamlNode* list = ipam.find("config");
  if (!list) return;
  if (list->kind != YamlNode::Kind::list) ipam.error("config", "must be a list of maps");
  for (const YamlNode& item : list->items) {
    const MapReader map(item, ipam.path_of("config"), keys::kIpamConfig, diagnostics);
    Overlay::Range range;
    const auto subnet = Prefix::parse(map.text("subnet").value_or(""));
    if (subnet) {
      range.subnet = *subnet;
    } else {
      map.error("subnet", "must be a subnet, such as 10.40.0.0/20");
    }
    if (const auto text = map.text("gateway")) {
      const auto gateway = IpAddr::parse(*text);
      if (gateway && (!subnet || subnet->contains(*gateway))) {
        range.gateway = *gateway;
      } else {
        map.error("gateway", "must be an address of the subnet");
      }
    }
    for (const Overlay::Range& other : out.ranges) {
      if (subnet && other.subnet.overlaps(*subnet))
        map.error("subnet", subnet->format() + " overlaps " + other.subnet.format());
    }
    out.ranges.push_back(range);
  }
}

Overlay read_overlay(const YamlNode::Entry& entry, Diagnostics& diagnostics) {
  const MapReader map(entry.value, "overlays." + entry.key, keys::kOverlay, diagnostics);
  Overlay out;
  out.name = entry.key;
  out.mark = entry.mark;
  out.driver = map.text("driver").value_or("overlay");
  constexpr std::string_view kDrivers[] = {"overlay", "bridge", "macvlan", "ipvlan"};
  if (std::ranges::find(kDrivers, out.driver) == std::end(kDrivers))
    map.error("driver", "\"" + out.driver.substr(0, 40) + "\" is no driver" +
                            suggestion(out.driver, kDrivers));
  out.internal = map.flag("internal").value_or(false);
  out.attachable = map.flag("attachable");
  out.options = map.text_map("driver_opts");
  out.labels = read_pairs(map, "labels");
  read_ipam(map, out, diagnostics);
  return out;
}

std::vector<ServiceNetwork> read_networks(const MapReader& service, Diagnostics& diagnostics) {
  std::vector<ServiceNetwork> out;
  const YamlNode* node = service.find("networks");
  if (!node) return out;
  if (node->kind != YamlNode::Kind::map) {
    for (const std::string& name : service.texts("networks")) out.push_back({.name = name});
    return out;
  }
  for (const YamlNode::Entry& entry : node->entries) {
    const MapReader map(entry.value, service.path_of("networks") + "." + entry.key,
                        keys::kServiceNetwork, diagnostics);
    ServiceNetwork network{.name = entry.key, .aliases = map.texts("aliases")};
    if (const auto text = map.text("ipv4_address")) {
      const auto address = IpAddr::parse(*text);
      if (address && address->is_v4()) {
        network.address = *address;
      } else {
        map.error("ipv4_address", "must be an IPv4 address");
      }
    }
    out.push_back(std::move(network));
  }
  return out;
}

std::optional<ServiceCheck> read_check(const MapReader& service, Diagnostics& diagnostics) {
  const YamlNode* node = service.find("healthcheck");
  if (!node) return std::nullopt;
  const MapReader map(*node, service.path_of("healthcheck"), keys::kServiceCheck, diagnostics);
  ServiceCheck check;
  const std::vector<std::string> test = map.texts("test");
  if (test.size() == 1 && test.front() == "NONE") return std::nullopt;
  if (test.size() > 1 && test.front() == "CMD") {
    check.test.assign(test.begin() + 1, test.end());
  } else if (!test.empty() && test.size() <= 2 && (test.size() == 1 || test[0] == "CMD-SHELL")) {
    check.test = {"/bin/sh", "-c", test.back()};
  } else {
    map.error("test", "must be [CMD, PROGRAM, ...] or [CMD-SHELL, LINE]");
  }
  check.interval = map.duration("interval").value_or(check.interval);
  check.timeout = map.duration("timeout").value_or(check.timeout);
  check.start_period = map.duration("start_period").value_or(check.start_period);
  check.retries = map.integer("retries", {1, 10'000}).value_or(check.retries);
  return check;
}

Service read_service(const YamlNode::Entry& entry, Diagnostics& diagnostics) {
  const MapReader map(entry.value, "services." + entry.key, keys::kService, diagnostics);
  Service out;
  out.name = entry.key;
  out.mark = entry.mark;
  out.hosts = map.texts("hosts");
  if (const YamlNode* node = map.find("deploy")) {
    const MapReader deploy(*node, map.path_of("deploy"), keys::kDeploy, diagnostics);
    out.replicas = deploy.integer("replicas", {0, kMaxReplicas}).value_or(1);
    if (!out.hosts.empty())
      map.error("deploy", "`hosts` already says where one each runs; take one of the two");
  }
  const YamlNode* command = map.find("command");
  if (command && command->kind == YamlNode::Kind::scalar) {
    out.command = {"/bin/sh", "-c", "exec " + command->scalar};
  } else {
    out.command = map.texts("command");
  }
  if (out.command.empty())
    diagnostics.error(map.mark(), map.path_of("command"), "missing: what runs");
  out.networks = read_networks(map, diagnostics);
  out.ports = map.texts("ports");
  out.expose = map.texts("expose");
  out.environment = read_pairs(map, "environment");
  out.labels = read_pairs(map, "labels");
  out.directory = map.text("working_dir").value_or("");
  out.restart = map.text("restart").value_or("no");
  constexpr std::string_view kPolicies[] = {"no", "always", "on-failure", "unless-stopped"};
  if (std::ranges::find(kPolicies, out.restart) == std::end(kPolicies))
    map.error("restart", "\"" + out.restart.substr(0, 40) + "\" is no policy" +
                             suggestion(out.restart, kPolicies));
  if (out.restart == "unless-stopped") out.restart = "always";
  out.check = read_check(map, diagnostics);
  return out;
}

void check_service(Service& service, const Lab& lab, const std::vector<std::string_view>& running,
                   Diagnostics& diagnostics) {
  const std::string path = "services." + service.name;
  std::vector<std::string_view> networks;
  for (const Overlay& overlay : lab.overlays) networks.push_back(overlay.name);
  for (const ServiceNetwork& network : service.networks) {
    if (std::ranges::find(networks, network.name) == networks.end())
      diagnostics.error(
          service.mark, path + ".networks",
          "no overlay \"" + network.name.substr(0, 80) + "\"" + suggestion(network.name, networks));
  }
  if (service.networks.empty() && !service.ports.empty())
    diagnostics.error(service.mark, path + ".ports", "needs a network: `networks: [NAME]`");
  for (const std::string& host : service.hosts) {
    if (std::ranges::find(running, host) == running.end())
      diagnostics.error(
          service.mark, path + ".hosts",
          "no host \"" + host.substr(0, 80) + "\" that runs heddled" + suggestion(host, running));
  }
  if (running.empty()) {
    diagnostics.error(service.mark, path, "no host of the lab runs heddled");
    return;
  }
  if (!service.hosts.empty()) return;
  for (std::int64_t i = 0; i < service.replicas; ++i)
    service.hosts.emplace_back(running[static_cast<std::size_t>(i) % running.size()]);
}

}  // namespace

void read_overlays(const YamlNode& overlays, Lab& lab, Diagnostics& diagnostics) {
  if (!is_map(overlays, "overlays", diagnostics)) return;
  for (const YamlNode::Entry& entry : overlays.entries) {
    if (!is_name(entry.key)) diagnostics.error(entry.mark, "overlays", "no network name");
    lab.overlays.push_back(read_overlay(entry, diagnostics));
  }
}

void read_services(const YamlNode& services, Lab& lab, Diagnostics& diagnostics) {
  if (!is_map(services, "services", diagnostics)) return;
  for (const YamlNode::Entry& entry : services.entries) {
    if (!is_name(entry.key)) diagnostics.error(entry.mark, "services", "no service name");
    lab.services.push_back(read_service(entry, diagnostics));
  }
}

void check_application(Lab& lab, Diagnostics& diagnostics) {
  std::vector<std::string_view> running;
  for (const Host& host : lab.hosts) {
    if (host.daemon) running.push_back(host.name);
  }
  if (!lab.overlays.empty() && running.empty())
    diagnostics.error(lab.overlays.front().mark, "overlays", "no host of the lab runs heddled");
  for (Service& service : lab.services) check_service(service, lab, running, diagnostics);
}

}  // namespace heddle::format
