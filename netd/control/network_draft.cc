#include "netd/control/network_draft.h"

#include <algorithm>

#include "netd/ipam/layout.h"

namespace heddle::control {
namespace {

constexpr std::size_t kNamed = 5;
constexpr std::size_t kMaxSubnets = 64;  // of one network: all are in each endpoint's routes

Result<const model::Network*> find_configuration(const NetworkSpec& spec, const model::View& view) {
  for (const auto& [id, network] : view.networks) {
    if (network.name != spec.config_from) continue;
    if (network.config_only) return &network;
    return fail(Errc::invalid, "network '" + spec.config_from +
                                   "' is no configuration; those are made with --config-only");
  }
  return fail(Errc::not_found, "there is no network configuration '" + spec.config_from + "'");
}

// What a configuration says, nobody says beside it.
Result<> check_left_to_configuration(const NetworkSpec& spec, const model::Network& from) {
  std::string given;
  const auto add = [&](bool there, const char* flag) {
    if (there) given += (given.empty() ? "" : ", ") + std::string(flag);
  };
  add(!spec.subnets.empty(), "--subnet");
  add(!spec.gateways.empty(), "--gateway");
  add(!spec.ranges.empty(), "--ip-range");
  add(!spec.reserved.empty(), "--aux-address");
  add(!spec.options.empty(), "--opt");
  add(spec.internal, "--internal");
  add(spec.config_only, "--config-only");
  if (!given.empty()) {
    return fail(Errc::invalid, given + " cannot be given beside --config-from, which says it all");
  }
  if (spec.driver.empty() || spec.driver == from.driver) return {};
  return fail(Errc::invalid, "configuration '" + from.name + "' is one for driver " + from.driver +
                                 ", not " + spec.driver);
}

Result<> check_families(const NetworkSpec& spec, const model::Network& draft,
                        const driver::Driver& driver) {
  using driver::Family;
  if (!driver.has_subnets()) {
    if (!spec.ipv6) return {};
    return fail(Errc::invalid, "driver " + draft.driver + " has no addresses; leave --ipv6 out");
  }
  if (!spec.ipv4 && driver::has_family(draft, Family::v4)) {
    return fail(Errc::invalid, "--ipv4=false and an IPv4 subnet contradict each other");
  }
  if (spec.ipv4 || spec.ipv6 || driver::has_family(draft, Family::v6)) return {};
  return fail(Errc::invalid,
              "a network needs addresses: --ipv4=false goes with --ipv6 or an IPv6 "
              "subnet");
}

Result<> check_name_free(const model::View& view, const std::string& name) {
  for (const auto& [id, network] : view.networks) {
    if (network.name == name) {
      return fail(Errc::exists, "a network '" + name + "' exists already");
    }
  }
  return {};
}

Result<> take_configuration(const NetworkSpec& spec, const model::View& view,
                            model::Network& draft) {
  TRY(const model::Network* from, find_configuration(spec, view));
  TRY_DO(check_left_to_configuration(spec, *from));
  draft.driver = from->driver;
  draft.subnets = from->subnets;
  draft.options = from->options;
  draft.internal = from->internal;
  draft.config_from = from->name;
  for (const auto& [key, value] : from->labels) draft.labels.emplace(key, value);
  return {};
}

Result<> take_own(const NetworkSpec& spec, const driver::Driver& driver, model::Network& draft) {
  TRY(draft.options, driver::normalise_options(draft.driver, driver.options(), spec.options));
  for (const auto& [name, value] : draft.options) {
    if (value.empty()) return fail(Errc::invalid, "option " + name + " has no value");
  }
  if (spec.subnets.size() > kMaxSubnets) {
    return fail(Errc::invalid, "a network has at most " + std::to_string(kMaxSubnets) +
                                   " subnets; " + std::to_string(spec.subnets.size()) +
                                   " were given");
  }
  TRY(draft.subnets, ipam::lay_out({spec.subnets, spec.gateways, spec.ranges, spec.reserved}));
  return {};
}

}  // namespace

Result<model::Network> draft_network(const NetworkSpec& spec, const driver::DriverSet& drivers,
                                     const model::View& view) {
  model::Network draft;
  draft.name = spec.name;
  draft.driver = spec.driver.empty() ? "bridge" : spec.driver;
  draft.internal = spec.internal;
  draft.attachable = spec.attachable;
  draft.config_only = spec.config_only;
  draft.labels = spec.labels;
  TRY_DO(model::check_name("network name", draft.name));
  TRY_DO(check_name_free(view, draft.name));
  if (!spec.config_from.empty()) TRY_DO(take_configuration(spec, view, draft));
  TRY(const driver::Driver* driver, drivers.get(draft.driver));
  if (spec.config_from.empty()) TRY_DO(take_own(spec, *driver, draft));
  // A configuration is this node's, whatever is made from it.
  draft.scope = draft.config_only ? model::Scope::local : driver->scope();
  if (spec.scope && *spec.scope != draft.scope) {
    return fail(Errc::invalid, "driver " + draft.driver + " makes networks of scope " +
                                   std::string(model::format(driver->scope())) + ", not " +
                                   std::string(model::format(*spec.scope)));
  }
  TRY_DO(check_families(spec, draft, *driver));
  return draft;
}

bool wants_subnet(const NetworkSpec& spec, const model::Network& draft,
                  const driver::DriverSet& drivers, driver::Family family) {
  const driver::Driver* driver = drivers.find(draft.driver);
  const bool asked = family == driver::Family::v4 ? spec.ipv4 : spec.ipv6;
  return asked && !draft.config_only && driver != nullptr && driver->has_subnets() &&
         !driver::has_family(draft, family);
}

void fill_gateways(model::Network& network, const driver::DriverSet& drivers) {
  const driver::Driver* driver = drivers.find(network.driver);
  if (driver == nullptr) return;
  for (model::Subnet& subnet : network.subnets) {
    if (!subnet.gateway.is_unspecified()) continue;
    if (!driver->has_gateway(network, driver::family_of(subnet.prefix))) continue;
    subnet.gateway = ipam::default_gateway(subnet);
  }
}

std::vector<std::string> networks_from(const model::View& view, const std::string& configuration) {
  std::vector<std::string> names;
  for (const auto& [id, network] : view.networks) {
    if (network.config_from == configuration) names.push_back(network.name);
  }
  return names;
}

std::string join_names(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kNamed); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > kNamed) text += " and " + std::to_string(names.size() - kNamed) + " more";
  return text;
}

std::vector<std::string> users_of(const model::View& view, const model::Network& network) {
  std::vector<std::string> users;
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.network == network.id) users.push_back(endpoint.workload_name);
  }
  for (const auto& [id, balancer] : view.load_balancers) {
    if (balancer.network == network.id) users.push_back(balancer.name);
  }
  if (network.config_only) {
    for (const std::string& name : networks_from(view, network.name)) {
      users.push_back("network " + name);
    }
  }
  return users;
}

}  // namespace heddle::control
