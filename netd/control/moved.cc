// A node whose address changes keeps its identity: it notices, and tells the managers.
#include "common/observe/log.h"
#include "netd/control/control.h"
#include "netd/control/host_facts.h"

namespace heddle::control {
namespace {

constexpr std::chrono::milliseconds kAddressCheck{250};

}  // namespace

// Where this node is, when `address`, which the managers know it by, is gone. `home` is the device
// that it was last seen on.
std::optional<IpAddr> Control::moved_to(const IpAddr& address, std::string& home) {
  const bool here = settings_.has_address(address);
  if (here && !home.empty()) return std::nullopt;
  const auto addresses = settings_.host_addresses();
  if (!addresses) return std::nullopt;
  if (here) {
    for (const HostAddress& each : *addresses) {
      if (each.address.address == address) home = each.device;
    }
    address_trouble_.clear();
    return std::nullopt;
  }
  const auto found = choose_home(*addresses, home);
  if (found) {
    home = found->device;
    return found->address.address;
  }
  if (address_trouble_ != found.error().text()) {
    log_warn("address.lost", {{"address", address.format()}, {"error", found.error()}});
    address_trouble_ = found.error().text();
  }
  return std::nullopt;
}

void Control::follow_addresses() {
  executor_.after(kAddressCheck, [this] { follow_addresses(); });
  const auto current = view();
  const auto self = current->nodes.find(current->self);
  if (!started_ || !current->swarm || self == current->nodes.end()) return;
  const model::Node& node = self->second;
  cluster::NodeAddresses moved = moved_;
  if (const auto data = moved_to(node.data_address, data_home_)) moved.data = data;
  if (node.role == model::NodeRole::worker) {
    if (const auto own = moved_to(node.address, own_home_)) moved.own = own;
  } else if (!settings_.has_address(node.address) && address_trouble_ != node.address.format()) {
    address_trouble_ = node.address.format();
    log_error("manager.address_lost",
              {{"address", address_trouble_},
               {"do",
                "give it back to this host: other managers and nodes know a manager by its "
                "address; or demote the node on another manager"}});
  }
  if (moved == moved_) return;
  moved_ = moved;
  log_info("node.moved", {{"address", moved.own ? moved.own->format() : "as before"},
                          {"data_address", moved.data ? moved.data->format() : "as before"}});
  report_to_managers(*current);
}

}  // namespace heddle::control
