#include "dataplane/linux/kernel.h"

#include "dataplane/intent/validate.h"
#include "dataplane/linux/attachments.h"
#include "dataplane/linux/bridges.h"
#include "dataplane/linux/firewall.h"
#include "dataplane/linux/mesh.h"
#include "dataplane/linux/overlay.h"
#include "dataplane/linux/parented.h"
#include "dataplane/linux/reaper.h"
#include "dataplane/linux/sysctl.h"
#include "dataplane/linux/vlans.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netns/netns.h"
#include "dataplane/netns/visitor.h"

namespace heddle::dataplane {

struct LinuxKernel::Impl {
  Impl(Settings settings, ListenerSource& listeners, ProgramsOrError loaded, netlink::Socket opened,
       UniqueFd netns, netns::Visitor visits, std::unique_ptr<Reaper> started)
      : group(settings.link_group),
        own_netns(std::move(netns)),
        programs(std::move(loaded)),
        socket(std::move(opened)),
        visitor(std::move(visits)),
        reaper(std::move(started)),
        proc(*reaper),
        bridges(socket, group),
        attachments(socket, visitor, proc, group, *reaper, programs),
        parented(socket, visitor, proc, group, own_netns.get(), *reaper),
        vlans(socket, group),
        overlay(socket, group, programs),
        mesh(settings.cgroup, visitor, listeners, programs) {}

  Result<> operator()(const Ensure<Bridge>& op) { return bridges.ensure(op.object); }
  // An endpoint whose kind changed leaves nothing of the other kind.
  Result<> operator()(const Ensure<Attachment>& op) {
    const Attachment& attachment = op.object;
    if (attachment.kind == LinkKind::veth) {
      TRY_DO(parented.remove(attachment.host_name));
      return attachments.ensure(attachment);
    }
    TRY_DO(attachments.remove(attachment.host_name));
    return parented.ensure(attachment);
  }
  Result<> operator()(const Ensure<Underlay>& op) { return overlay.ensure(op.object); }
  Result<> operator()(const Ensure<HostRoute>& op) { return overlay.ensure(op.object); }
  Result<> operator()(const Ensure<OverlayNetwork>& op) {
    TRY(bpf::Programs* const loaded, need(programs));
    return loaded->put_network(op.object);
  }
  Result<> operator()(const Ensure<OverlayAddress>& op) { return overlay.ensure(op.object); }
  Result<> operator()(const Ensure<OverlayBlock>& op) {
    TRY(bpf::Programs* const loaded, need(programs));
    return loaded->put_block(op.object);
  }
  Result<> operator()(const Ensure<ServiceEntry>& op) {
    TRY(bpf::Programs* const loaded, need(programs));
    return loaded->put_service(op.object);
  }
  Result<> operator()(const Ensure<Member>& op) { return mesh.ensure(op.object); }
  Result<> operator()(const Ensure<Interception>& op) { return mesh.ensure(op.object); }
  Result<> operator()(const RemoveBridge& op) { return bridges.remove(op.name); }
  Result<> operator()(const RemoveAttachment& op) {
    TRY_DO(attachments.remove(op.host_name));
    return parented.remove(op.host_name);
  }
  Result<> operator()(const RemoveUnderlay&) { return overlay.remove_underlay(); }
  Result<> operator()(const RemoveHostRoute& op) { return overlay.remove_route(op.address); }
  Result<> operator()(const RemoveOverlayNetwork& op) {
    TRY(bpf::Programs* const loaded, need(programs));
    return loaded->remove_network(op.vni);
  }
  Result<> operator()(const RemoveOverlayAddress& op) {
    TRY(bpf::Programs* const loaded, need(programs));
    return loaded->remove_address(op.vni, op.address);
  }
  Result<> operator()(const RemoveOverlayBlock& op) {
    TRY(bpf::Programs* const loaded, need(programs));
    return loaded->remove_block(op.vni, op.prefix);
  }
  Result<> operator()(const RemoveService& op) {
    TRY(bpf::Programs* const loaded, need(programs));
    return loaded->remove_service(op.key);
  }
  Result<> operator()(const RemoveMember& op) { return mesh.remove_member(op.sandbox); }
  Result<> operator()(const RemoveInterception& op) { return mesh.remove_interception(op.sandbox); }
  Result<> operator()(const SetRules& op) { return firewall->set(op); }
  Result<> operator()(const ChangePublished& op) { return firewall->change(op); }
  Result<> operator()(const Ensure<VlanDevice>& op) { return vlans.ensure(op.object); }
  Result<> operator()(const RemoveVlan& op) { return vlans.remove(op.name); }
  Result<> operator()(const RestorePins&) {
    TRY(bpf::Programs* const loaded, need(programs));
    return loaded->restore_pins();
  }
  Result<> operator()(const EndStaleFlows&) { return mesh.end_stale_flows(); }
  Result<> operator()(const SetSysctl& op) { return write_sysctl(op.name, op.value); }

  Result<std::map<SandboxPath, SandboxView>> look_into_wanted(const HostState& wanted);
  Result<> observe_programs(HostState& state);

  const std::uint32_t group;
  const UniqueFd own_netns;
  const ProgramsOrError programs;
  netlink::Socket socket;
  const netns::Visitor visitor;
  const std::unique_ptr<Reaper> reaper;
  OwnProc proc;
  std::unique_ptr<Firewall> firewall;  // borrows the socket
  Bridges bridges;
  Attachments attachments;
  Parented parented;
  Vlans vlans;
  Overlay overlay;
  Mesh mesh;
};

LinuxKernel::LinuxKernel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LinuxKernel::~LinuxKernel() = default;

Result<std::unique_ptr<LinuxKernel>> LinuxKernel::open(
    Settings settings, ListenerSource& listeners, Result<std::unique_ptr<bpf::Programs>> programs) {
  TRY(auto socket, netlink::Socket::open());
  TRY(auto own_netns, netns::open("/proc/thread-self/ns/net"));
  TRY(auto visitor, netns::Visitor::open());
  TRY(auto reaper, Reaper::start(settings.link_group));
  const std::string table = settings.nft_table;
  auto impl =
      std::make_unique<Impl>(std::move(settings), listeners, std::move(programs), std::move(socket),
                             std::move(own_netns), std::move(visitor), std::move(reaper));
  TRY(impl->firewall, Firewall::open(table, impl->socket));
  return std::unique_ptr<LinuxKernel>(new LinuxKernel(std::move(impl)));
}

Result<> LinuxKernel::apply(const Operation& operation) {
  TRY_DO(validate(operation).during(describe(operation)));
  return std::visit(*impl_, operation).during(describe(operation));
}

Result<std::map<SandboxPath, SandboxView>> LinuxKernel::Impl::look_into_wanted(
    const HostState& wanted) {
  std::map<SandboxPath, Look> all;
  for (const auto& [name, attachment] : wanted.attachments) {
    Look& look = all[attachment.sandbox];
    look.links = true;
    for (const auto& [setting, value] : attachment.sysctls) look.sysctls.insert(setting);
  }
  for (const auto& [sandbox, member] : wanted.members) all[sandbox];
  for (const auto& [sandbox, interception] : wanted.interceptions) all[sandbox];
  return look_into(socket, visitor, all);
}

Result<> LinuxKernel::Impl::observe_programs(HostState& state) {
  if (!programs) return {};
  TRY(auto networks, (*programs)->networks());
  for (OverlayNetwork& network : networks) {
    const Vni vni = network.vni;
    state.overlay_networks[vni] = std::move(network);
  }
  TRY(const auto blocks, (*programs)->blocks());
  for (const OverlayBlock& block : blocks) state.overlay_blocks[{block.vni, block.prefix}] = block;
  TRY(auto services, (*programs)->services());
  for (ServiceEntry& service : services) {
    const HostState::ServiceKey key{service.vip, service.port, service.protocol};
    state.services[key] = std::move(service);
  }
  TRY(state.missing_pins, (*programs)->missing_pins());
  return {};
}

Result<HostState> LinuxKernel::observe(const HostState& wanted) {
  HostState state;
  TRY(const HostView view, HostView::read(impl_->socket));
  TRY(const auto sandboxes, impl_->look_into_wanted(wanted));
  std::vector<bpf::Programs::Port> ports;
  if (impl_->programs) {
    TRY(ports, (*impl_->programs)->ports());
  }
  state.bridges = impl_->bridges.observe(view, wanted);
  state.attachments = impl_->attachments.observe(view, wanted, sandboxes, ports);
  TRY_DO(impl_->parented.observe(view, wanted, sandboxes, state.attachments));
  state.vlans = impl_->vlans.observe(view);
  TRY_DO(impl_->overlay.observe(view, state));
  TRY_DO(impl_->mesh.observe(wanted, sandboxes, state));
  TRY_DO(impl_->observe_programs(state));
  TRY_DO(impl_->firewall->observe(state));
  for (const auto& [name, value] : wanted.sysctls) {
    if (auto now = read_sysctl(name)) state.sysctls[name] = *std::move(now);
  }
  return state;
}

bool LinuxKernel::sandbox_exists(const SandboxPath& sandbox) {
  return netns::open(sandbox).has_value();
}

Result<> LinuxKernel::remove_everything() {
  Result<> first;
  const auto note = [&](Result<> result) {
    if (first) first = std::move(result);
  };
  if (impl_->programs) note((*impl_->programs)->remove_everything());
  note(impl_->firewall->remove());
  note(impl_->parented.remove_everything());
  // Addresses, routes and neighbours go with their links.
  note(netlink::delete_group(impl_->socket, impl_->group));
  if (auto finished = impl_->reaper->finish(); !finished)
    note(std::unexpected(std::move(finished).error()));
  return std::move(first).during("remove everything");
}

bpf::Programs* LinuxKernel::programs() {
  return impl_->programs ? impl_->programs->get() : nullptr;
}

}  // namespace heddle::dataplane
