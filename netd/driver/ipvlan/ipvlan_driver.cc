#include "netd/driver/ipvlan/ipvlan_driver.h"

#include <algorithm>
#include <array>

#include "netd/driver/endpoint_plan.h"

namespace heddle::ipvlan {
namespace {

using dataplane::ParentMode;
using driver::OptionHelp;

constexpr std::array kOptions{
    OptionHelp{"mtu", "bytes, 576 to the parent's", "com.docker.network.driver.mtu",
               OptionHelp::Value::text, OptionHelp::Change::live},
    OptionHelp{"parent", "a device of the host, or DEVICE.VLAN"},
    OptionHelp{"vlan", "1 to 4094: endpoints lie on this VLAN of the parent"},
    OptionHelp{"mode", "l2, l3 or l3s", "ipvlan_mode"},
};

// `none` when the option is none of them.
ParentMode mode_of(const model::Network& network) {
  const std::string text = driver::text(network, "mode");
  if (text.empty() || text == "l2") return ParentMode::l2;
  if (text == "l3") return ParentMode::l3;
  return text == "l3s" ? ParentMode::l3s : ParentMode::none;
}

std::string_view name_of(ParentMode mode) {
  if (mode == ParentMode::l3) return "ipvlan l3";
  return mode == ParentMode::l3s ? "ipvlan l3s" : "ipvlan l2";
}

Result<> check_gateways(const model::Network& network, bool wanted) {
  for (const model::Subnet& subnet : network.subnets) {
    if (wanted || subnet.gateway.is_unspecified()) continue;
    return fail(Errc::invalid, "gateway " + subnet.gateway.format() +
                                   ": in modes l3 and l3s the host routes, and subnets have no "
                                   "gateway; leave it out");
  }
  return {};
}

}  // namespace

std::span<const OptionHelp> IpvlanDriver::options() const {
  return kOptions;
}

bool IpvlanDriver::has_gateway(const model::Network& network, driver::Family /*family*/) const {
  return mode_of(network) == ParentMode::l2;
}

Result<> IpvlanDriver::validate(const model::Network& network,
                                const driver::NodeFacts& facts) const {
  TRY_DO(driver::check_options(network, kOptions));
  if (!facts.has_ipvlan) {
    return fail(Errc::unsupported,
                "driver ipvlan: this kernel has no ipvlan devices (module ipvlan)");
  }
  TRY_DO(driver::check_subnets(network));
  if (mode_of(network) == ParentMode::none) {
    return fail(Errc::invalid, "option mode '" + driver::text(network, "mode").substr(0, 40) +
                                   "' must be l2, l3 or l3s");
  }
  TRY_DO(check_gateways(network, has_gateway(network, driver::Family::v4)));
  TRY_DO(driver::check_parent(network, facts));
  const std::uint32_t most = driver::parent_mtu(driver::parent_of(network, facts), facts);
  TRY_DO(driver::parse_mtu(network, {driver::kLeastMtu, most}));
  return {};
}

Result<> IpvlanDriver::check_endpoint(const model::Network& network,
                                      const model::Endpoint& endpoint,
                                      const model::View& /*view*/) const {
  if (!endpoint.published.empty()) {
    return fail(Errc::unsupported, "endpoints of ipvlan network '" + network.name +
                                       "' are reached at their own addresses; ports of the host "
                                       "cannot lead to them: leave --publish out");
  }
  if (endpoint.rate_in != 0 || endpoint.rate_out != 0) {
    return fail(Errc::unsupported,
                "driver ipvlan has no rates: its packets do not pass the host; "
                "leave --rate-in and --rate-out out");
  }
  return {};
}

std::string IpvlanDriver::device(const model::Network& network) const {
  return driver::parent_device(network);
}

// One parent has one mode: the kernel changes it for all interfaces that lie on it.
driver::Claim IpvlanDriver::claim(const model::Network& network) const {
  return {device(network), std::string(name_of(mode_of(network))), driver::Claim::Share::together};
}

void IpvlanDriver::plan_node(const model::View& /*view*/, const driver::NodeFacts& /*facts*/,
                             dataplane::HostState& /*into*/) const {}

void IpvlanDriver::plan_network(const driver::Site& site, const driver::NodeFacts& facts,
                                dataplane::HostState& into) const {
  driver::plan_parent(driver::parent_of(site.network, facts), into);
}

void IpvlanDriver::plan_endpoints(const driver::Site& site, const driver::NodeFacts& facts,
                                  dataplane::HostState& into) const {
  const driver::Parent parent = driver::parent_of(site.network, facts);
  const ParentMode mode = mode_of(site.network);
  const auto way_out = mode == ParentMode::l2 ? driver::WayOut::gateway : driver::WayOut::link;
  for (const driver::LocalEndpoint& local : site.local) {
    dataplane::Attachment attachment = driver::plan_attachment(local, site.network, way_out);
    attachment.kind = dataplane::LinkKind::ipvlan;
    attachment.mac = Mac();  // the parent's
    attachment.parent = parent.device;
    attachment.mode = mode;
    attachment.mtu = driver::mtu_or(site.network, driver::parent_mtu(parent, facts));
    into.attachments.emplace(attachment.host_name, std::move(attachment));
  }
}

}  // namespace heddle::ipvlan
