#include "netd/driver/macvlan/macvlan_driver.h"

#include <algorithm>
#include <array>

#include "netd/driver/endpoint_plan.h"

namespace heddle::macvlan {
namespace {

using dataplane::ParentMode;
using driver::OptionHelp;

constexpr std::array kOptions{
    OptionHelp{"mtu", "bytes, 576 to the parent's", "com.docker.network.driver.mtu",
               OptionHelp::Value::text, OptionHelp::Change::live},
    OptionHelp{"parent", "a device of the host, or DEVICE.VLAN"},
    OptionHelp{"vlan", "1 to 4094: endpoints lie on this VLAN of the parent"},
    OptionHelp{"mode", "bridge, vepa, private or passthru", "macvlan_mode"},
};

struct ModeName {
  std::string_view name;
  ParentMode mode;
};
constexpr std::array kModes{
    ModeName{"bridge", ParentMode::bridge},
    ModeName{"vepa", ParentMode::vepa},
    ModeName{"private", ParentMode::separate},
    ModeName{"passthru", ParentMode::passthru},
};

// `none` when the option is none of them.
ParentMode mode_of(const model::Network& network) {
  const std::string text = driver::text(network, "mode");
  if (text.empty()) return ParentMode::bridge;
  const auto found = std::ranges::find(kModes, text, &ModeName::name);
  return found == kModes.end() ? ParentMode::none : found->mode;
}

}  // namespace

std::span<const OptionHelp> MacvlanDriver::options() const {
  return kOptions;
}

bool MacvlanDriver::has_gateway(const model::Network& /*network*/,
                                driver::Family /*family*/) const {
  return true;
}

Result<> MacvlanDriver::validate(const model::Network& network,
                                 const driver::NodeFacts& facts) const {
  TRY_DO(driver::check_options(network, kOptions));
  if (!facts.has_macvlan) {
    return fail(Errc::unsupported,
                "driver macvlan: this kernel has no macvlan devices (module macvlan)");
  }
  TRY_DO(driver::check_subnets(network));
  if (mode_of(network) == ParentMode::none) {
    return fail(Errc::invalid, "option mode '" + driver::text(network, "mode").substr(0, 40) +
                                   "' must be bridge, vepa, private or passthru");
  }
  TRY_DO(driver::check_parent(network, facts));
  const std::uint32_t most = driver::parent_mtu(driver::parent_of(network, facts), facts);
  TRY_DO(driver::parse_mtu(network, {driver::kLeastMtu, most}));
  return {};
}

Result<> MacvlanDriver::check_endpoint(const model::Network& network,
                                       const model::Endpoint& endpoint,
                                       const model::View& view) const {
  if (!endpoint.published.empty()) {
    return fail(Errc::unsupported, "endpoints of macvlan network '" + network.name +
                                       "' are reached at their own addresses; ports of the host "
                                       "cannot lead to them: leave --publish out");
  }
  if (endpoint.rate_in != 0 || endpoint.rate_out != 0) {
    return fail(Errc::unsupported,
                "driver macvlan has no rates: its packets do not pass the host; "
                "leave --rate-in and --rate-out out");
  }
  if (mode_of(network) != ParentMode::passthru) return {};
  for (const auto& [id, other] : view.endpoints) {
    if (other.network != network.id || id == endpoint.id) continue;
    return fail(Errc::in_use, "mode passthru gives " + driver::parent_device(network) +
                                  " to one endpoint, and " + other.workload_name + " has it");
  }
  return {};
}

std::string MacvlanDriver::device(const model::Network& network) const {
  return driver::parent_device(network);
}

driver::Claim MacvlanDriver::claim(const model::Network& network) const {
  const bool alone = mode_of(network) == ParentMode::passthru;
  return {device(network), alone ? "macvlan passthru" : "macvlan",
          alone ? driver::Claim::Share::alone : driver::Claim::Share::together};
}

void MacvlanDriver::plan_node(const model::View& /*view*/, const driver::NodeFacts& /*facts*/,
                              dataplane::HostState& /*into*/) const {}

void MacvlanDriver::plan_network(const driver::Site& site, const driver::NodeFacts& facts,
                                 dataplane::HostState& into) const {
  driver::plan_parent(driver::parent_of(site.network, facts), into);
}

void MacvlanDriver::plan_endpoints(const driver::Site& site, const driver::NodeFacts& facts,
                                   dataplane::HostState& into) const {
  const driver::Parent parent = driver::parent_of(site.network, facts);
  for (const driver::LocalEndpoint& local : site.local) {
    dataplane::Attachment attachment =
        driver::plan_attachment(local, site.network, driver::WayOut::gateway);
    attachment.kind = dataplane::LinkKind::macvlan;
    attachment.parent = parent.device;
    attachment.mode = mode_of(site.network);
    attachment.mtu = driver::mtu_or(site.network, driver::parent_mtu(parent, facts));
    into.attachments.emplace(attachment.host_name, std::move(attachment));
  }
}

}  // namespace heddle::macvlan
