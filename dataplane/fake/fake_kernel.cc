#include "dataplane/fake/fake_kernel.h"

#include <algorithm>

#include "dataplane/intent/validate.h"

namespace heddle::dataplane {
namespace {

template <class T>
void rename_key(std::map<SandboxPath, T>& map, const SandboxPath& from, const SandboxPath& to) {
  auto node = map.extract(from);
  if (node.empty()) return;
  node.key() = to;
  node.mapped().sandbox = to;
  map.insert(std::move(node));
}

Error not_found(const std::string& what) {
  return Error(Errc::not_found, what);
}

// What a link that is not wanted, or whose sandbox is not, shows of itself.
Attachment from_outside(const Attachment& attachment) {
  Attachment seen = attachment;
  seen.sandbox.clear();
  seen.name.clear();
  seen.mac = {};
  seen.addresses.clear();
  seen.routes.clear();
  seen.rate_out = 0;
  seen.sysctls.clear();
  if (attachment.kind != LinkKind::veth) seen.host_mac = {};
  return seen;
}

}  // namespace

Result<> FakeKernel::apply(const Operation& operation) {
  if (!failures_.empty()) {
    auto failure = std::move(failures_.front());
    failures_.pop_front();
    if (failure) return std::unexpected(std::move(*failure).during(describe(operation)));
  }
  TRY_DO(validate(operation).during(describe(operation)));
  TRY_DO(carry_out(operation).during(describe(operation)));
  applied_.push_back(operation);
  return {};
}

Result<> FakeKernel::carry_out(const Operation& operation) {
  return std::visit(
      [this](const auto& op) -> Result<> {
        if constexpr (requires { op.object; }) {
          return put(op.object);
        } else {
          return take(op);
        }
      },
      operation);
}

Result<HostState> FakeKernel::observe(const HostState& wanted) {
  if (auto failure = std::exchange(observe_failure_, std::nullopt))
    return std::unexpected(*std::move(failure));
  HostState seen = state_;
  for (auto& [name, attachment] : seen.attachments) {
    const auto intent = wanted.attachments.find(name);
    if (intent == wanted.attachments.end() || intent->second.sandbox != attachment.sandbox)
      attachment = from_outside(attachment);
  }
  std::erase_if(seen.sysctls,
                [&](const auto& setting) { return !wanted.sysctls.contains(setting.first); });
  for (const StaleFlow& flow : flows_) {
    if (is_stale(flow)) seen.stale_flows.insert(flow);
  }
  return seen;
}

bool FakeKernel::sandbox_exists(const SandboxPath& sandbox) {
  return sandboxes_.contains(sandbox);
}

Result<> FakeKernel::remove_everything() {
  const auto sysctls = std::move(state_.sysctls);
  state_ = {};
  state_.sysctls = sysctls;
  indexes_.clear();
  flows_.clear();
  return {};
}

void FakeKernel::add_sandbox(const SandboxPath& sandbox) {
  if (!sandboxes_.try_emplace(sandbox).second) return;
  const SandboxPath old = "cookie:" + std::to_string(next_cookie_++);
  rename_key(state_.members, sandbox, old);
  rename_key(state_.interceptions, sandbox, old);
}

void FakeKernel::remove_sandbox(const SandboxPath& sandbox) {
  sandboxes_.erase(sandbox);
  std::vector<std::string> inside;
  for (const auto& [name, attachment] : state_.attachments) {
    if (attachment.sandbox == sandbox) inside.push_back(name);
  }
  for (const std::string& name : inside) delete_link(name);
}

void FakeKernel::add_device(const std::string& name) {
  devices_.insert(name);
}

void FakeKernel::add_interface(const SandboxPath& sandbox, const std::string& name) {
  sandboxes_[sandbox].insert(name);
}

Result<SocketAddr> FakeKernel::connect(const SandboxPath& sandbox,
                                       const HostState::ServiceKey& key) {
  const auto service = state_.services.find(key);
  if (!state_.members.contains(sandbox) || service == state_.services.end())
    return fail(Errc::unavailable, sandbox + " has no such service");
  const auto& backends = service->second.backends;
  const auto ready = std::ranges::find(backends, BackendUse::ready, &BackendAddress::use);
  if (ready == backends.end()) return fail(Errc::unavailable, "no backend is ready");
  const auto& [vip, port, protocol] = key;
  const SocketAddr client{IpAddr::v4(0x0a4d0005), next_port_++};
  flows_.insert({sandbox, protocol, client, {vip, port}, {ready->address, ready->port}});
  return client;
}

bool FakeKernel::is_connected(const SocketAddr& client) const {
  return std::ranges::find(flows_, client, &StaleFlow::client) != flows_.end();
}

bool FakeKernel::is_stale(const StaleFlow& flow) const {
  if (!state_.members.contains(flow.sandbox)) return false;
  const auto service =
      state_.services.find({flow.service.address, flow.service.port, flow.protocol});
  if (service == state_.services.end()) return true;
  return std::ranges::none_of(service->second.backends, [&](const BackendAddress& backend) {
    return SocketAddr{backend.address, backend.port} == flow.backend;
  });
}

void FakeKernel::add_cgroup(const std::string& path) {
  cgroups_.insert(path);
}

void FakeKernel::add_listener(const SandboxPath& sandbox, std::uint16_t port) {
  listeners_.emplace(sandbox, port);
}

void FakeKernel::fail_apply(std::size_t n, Error error) {
  if (failures_.size() < n) failures_.resize(n);
  failures_[n - 1] = std::move(error);
}

void FakeKernel::delete_link(std::string name) {
  const auto index = indexes_.find(name);
  const std::string gone =
      "if#" + (index == indexes_.end() ? std::string("0") : std::to_string(index->second));
  if (const auto found = state_.attachments.find(name); found != state_.attachments.end()) {
    // Its port entry stays behind in the programs' map.
    if (found->second.overlay) {
      Attachment& stale = state_.attachments[gone];
      stale.host_name = gone;
      stale.overlay = found->second.overlay;
    }
    state_.attachments.erase(name);
  }
  if (state_.bridges.erase(name)) {
    for (auto& [port, attachment] : state_.attachments) {
      if (attachment.bridge != name) continue;
      attachment.bridge.clear();
      attachment.isolated = false;
    }
  }
  // A parent takes along what lies on it.
  if (state_.vlans.erase(name))
    std::erase_if(state_.attachments, [&](const auto& a) { return a.second.parent == name; });
  if (state_.underlay && state_.underlay->vxlan_name == name) {
    state_.underlay->vxlan_name.clear();
    state_.underlay->device.clear();
  }
  std::erase_if(state_.host_routes, [&](const auto& r) { return r.second.device == name; });
  for (auto& [key, address] : state_.overlay_addresses) {
    if (address.local_device == name) address.local_device = gone;
  }
  indexes_.erase(name);
}

std::uint32_t FakeKernel::index_of(const std::string& name) const {
  const auto found = indexes_.find(name);
  return found == indexes_.end() ? 0 : found->second;
}

bool FakeKernel::is_ours(const std::string& name) const {
  return indexes_.contains(name);
}

bool FakeKernel::has_link(const std::string& name) const {
  return is_ours(name) || devices_.contains(name);
}

Result<> FakeKernel::need_programs() const {
  if (no_programs_) return std::unexpected(*no_programs_);
  return {};
}

Result<> FakeKernel::need_sandbox(const SandboxPath& sandbox) const {
  if (sandboxes_.contains(sandbox)) return {};
  return std::unexpected(not_found("no network namespace at " + sandbox));
}

}  // namespace heddle::dataplane
