#include "netd/control/control.h"

namespace heddle::control {

Result<std::map<model::Id, std::string>> Control::endpoint_devices(model::Id network) {
  using Devices = std::map<model::Id, std::string>;
  return executor_.call([&]() -> Result<Devices> {
    std::map<std::pair<std::string, std::string>, std::string> host_ends;  // by sandbox, interface
    for (const auto& [name, attachment] : applied_.attachments) {
      if (attachment.kind != dataplane::LinkKind::veth) continue;  // others have no end here
      host_ends.emplace(std::pair(attachment.sandbox, attachment.name), attachment.host_name);
    }
    const auto current = view();
    Devices devices;
    for (const auto& [id, endpoint] : current->endpoints) {
      if (endpoint.network != network || !current->is_local(endpoint)) continue;
      const auto workload = current->workloads.find(endpoint.workload);
      if (workload == current->workloads.end()) continue;
      const auto end = host_ends.find({workload->second.sandbox, endpoint.interface});
      if (end != host_ends.end()) devices.emplace(id, end->second);
    }
    return devices;
  });
}

}  // namespace heddle::control
