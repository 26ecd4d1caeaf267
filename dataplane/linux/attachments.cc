#include "dataplane/linux/attachments.h"

#include <net/if.h>

#include <algorithm>
#include <cerrno>

#include "dataplane/linux/inside.h"
#include "dataplane/linux/interface.h"
#include "dataplane/netlink/elsewhere.h"
#include "dataplane/netns/netns.h"

namespace heddle::dataplane {
namespace {

bpf::Programs::Port port_of(const Attachment& attachment, IfIndex host) {
  return {.index = host,
          .vni = *attachment.overlay,
          .address = attachment.addresses.front().address,
          .mac = attachment.mac};
}

// The other end as the sandbox shows it, when that sandbox is where the pair leads.
const netlink::Link* peer_in(const SandboxView& sandbox, const netlink::Link& host) {
  if (!host.peer_netns || host.peer_netns != sandbox.id) return nullptr;
  const auto peer = std::ranges::find(sandbox.links, host.peer, &netlink::Link::index);
  return peer == sandbox.links.end() ? nullptr : &*peer;
}

netlink::Rate rate_in(const Attachment& attachment) {
  return {.bits = attachment.rate_in, .mtu = attachment.mtu};
}

netlink::Switch isolation(bool on) {
  return on ? netlink::Switch::on : netlink::Switch::off;
}

void add_inside(const Attachment& wanted, const SandboxView& sandbox, const netlink::Link& host,
                Attachment& found) {
  if (const netlink::Link* peer = peer_in(sandbox, host)) see_inside(wanted, sandbox, *peer, found);
}

}  // namespace

Result<bpf::Programs*> need(const ProgramsOrError& programs) {
  if (!programs) return std::unexpected(programs.error());
  return programs->get();
}

Result<IfIndex> Attachments::index_of_bridge(const std::string& name) {
  if (name.empty()) return IfIndex{};
  // Each netlink request waits for the kernel's one lock of links; this does not.
  const IfIndex index{::if_nametoindex(name.c_str())};
  if (!index.value) return fail(Errc::not_found, "there is no bridge " + name);
  return index;
}

// Whether an existing link of ours is a pair that leads into the sandbox under the wanted name.
Result<bool> Attachments::fits(const netlink::Link& host, const Attachment& attachment,
                               int sandbox) {
  TRY(const auto id, netlink::netns_id(socket_, sandbox));
  if (!id || host.peer_netns != id) return false;
  bool same = false;
  TRY_DO(visitor_.run_in(sandbox, [&]() -> Result<> {
    TRY(auto inside, netlink::Socket::open());
    TRY(const auto peer, netlink::find_link(inside, host.peer));
    same = peer && peer->kind == "veth" && peer->name == attachment.name;
    return {};
  }));
  return same;
}

// What stands under the wanted host name but leads elsewhere goes, unless its successor could not
// be created anyway.
Result<> Attachments::make_way(const Attachment& attachment, int sandbox) {
  TRY_DO(visitor_.run_in(sandbox, [&]() -> Result<> {
    TRY(auto inside, netlink::Socket::open());
    TRY(const auto taken, netlink::find_link(inside, attachment.name));
    if (taken) return std::unexpected(name_taken_inside(attachment));
    return {};
  }));
  TRY_DO(remove(attachment.host_name));
  TRY(const bool waited [[maybe_unused]], reaper_.finish());
  return {};
}

Result<Attachments::Pair> Attachments::find_or_create(const Attachment& attachment, int sandbox,
                                                      IfIndex master, Undo& undo) {
  const netlink::Veth veth{.name = attachment.host_name,
                           .mac = attachment.host_mac,
                           .mtu = attachment.mtu,
                           .group = group_,
                           .master = master,
                           .peer_name = attachment.name,
                           .peer_mac = attachment.mac,
                           .peer_netns = sandbox};
  const auto taken = [](const Result<netlink::Link>& result) {
    return !result && result.error().code() == Errc::exists;
  };
  // Creating comes before looking: an attach that is not there yet is the common case.
  auto created = reaper_.make_despite_retired([&] { return netlink::create_veth(socket_, veth); });
  if (taken(created)) {
    TRY(const auto old, netlink::find_link(socket_, attachment.host_name));
    if (!old) return std::unexpected(name_taken_inside(attachment));
    if (old->kind != "veth" || old->group != group_)
      return fail(Errc::exists, "a link named " + attachment.host_name + " exists and is not ours");
    TRY(const bool same, fits(*old, attachment, sandbox));
    if (same) return Pair{*old, false};
    TRY_DO(make_way(attachment, sandbox));
    created = netlink::create_veth(socket_, veth);
  }
  if (!created && created.error().sys_errno() == EXFULL) {
    return fail(Errc::exhausted, "bridge " + attachment.bridge +
                                     " has as many ports as the kernel allows; make another "
                                     "network and connect it there");
  }
  TRY(netlink::Link host, std::move(created));
  undo.add([this, index = host.index] { return netlink::delete_link(socket_, index); });
  return Pair{std::move(host), true};
}

// The queue comes before the link is up: changing it later costs a grace period.
Result<> Attachments::set_up_host(const Attachment& attachment, IfIndex host) {
  if (attachment.isolated) TRY_DO(netlink::set_isolated(socket_, host, netlink::Switch::on));
  if (attachment.rate_in) TRY_DO(netlink::put_rate(socket_, host, rate_in(attachment)));
  return netlink::raise_without_ipv6(socket_, host);
}

Result<> Attachments::settle_host(const Attachment& attachment, const netlink::Link& host,
                                  IfIndex master, Undo& undo) {
  TRY_DO(settle_link(socket_, host,
                     {.mac = attachment.host_mac, .mtu = attachment.mtu, .master = master}, undo));
  // A port that just got its bridge is not isolated, whatever it was on another one.
  const bool isolated = host.isolated && host.master == master;
  if (isolated != attachment.isolated) {
    undo.add([this, index = host.index, isolated] {
      return netlink::set_isolated(socket_, index, isolation(isolated));
    });
    TRY_DO(netlink::set_isolated(socket_, host.index, isolation(attachment.isolated)));
  }
  TRY_DO(settle_rate(socket_, host.index, rate_in(attachment), undo));
  if (host.up) return {};
  TRY_DO(settle_ipv6(attachment.host_name, {}));
  return netlink::change_link(socket_, host.index, {.up = true});
}

Result<> Attachments::settle_port(const Attachment& attachment, const Pair& pair, Undo& undo) {
  if (!programs_) return {};  // ensure() refused an overlay already
  bpf::Programs& programs = **programs_;
  std::optional<bpf::Programs::Port> before;
  if (!pair.fresh) {
    TRY(const auto ports, programs.ports());
    const auto old = std::ranges::find(ports, pair.host.index, &bpf::Programs::Port::index);
    if (old != ports.end()) before = *old;
  }
  std::optional<bpf::Programs::Port> wanted;
  if (attachment.overlay) wanted = port_of(attachment, pair.host.index);
  if (before == wanted) return {};
  undo.add([&programs, index = pair.host.index, before] {
    return before ? programs.attach_port(*before) : programs.detach_port(index);
  });
  return wanted ? programs.attach_port(*wanted) : programs.detach_port(pair.host.index);
}

Result<> Attachments::ensure(const Attachment& attachment) {
  if (attachment.overlay && !programs_) return std::unexpected(programs_.error());
  TRY(const UniqueFd sandbox, netns::open(attachment.sandbox));
  TRY(const IfIndex master, index_of_bridge(attachment.bridge));
  Undo undo;
  TRY(const Pair pair, find_or_create(attachment, sandbox.get(), master, undo));
  TRY_DO(pair.fresh ? set_up_host(attachment, pair.host.index)
                    : settle_host(attachment, pair.host, master, undo));
  TRY_DO(settle_port(attachment, pair, undo));
  // Last, because what it began is undone inside the sandbox by itself.
  TRY_DO(settle_inside(visitor_, attachment,
                       {.sandbox = sandbox.get(),
                        .index = pair.host.peer,
                        .fresh = pair.fresh,
                        .proc = proc_.next()}));
  undo.keep();
  return {};
}

Result<> Attachments::remove(const std::string& host_name) {
  if (const auto gone = parse_gone(host_name))
    return programs_ ? (*programs_)->detach_port(*gone) : Result<>();
  TRY(const auto link, netlink::find_link(socket_, host_name));
  if (!link || link->group != group_ || link->kind != "veth") return {};
  // Down before the program goes: nothing may pass the host unchecked.
  TRY_DO(reaper_.retire(socket_, link->index));
  return programs_ ? (*programs_)->detach_port(link->index) : Result<>();
}

std::map<std::string, Attachment> Attachments::observe(
    const HostView& view, const HostState& wanted,
    const std::map<SandboxPath, SandboxView>& sandboxes,
    const std::vector<bpf::Programs::Port>& ports) const {
  std::map<std::string, Attachment> found;
  for (const netlink::Link& link : view.links) {
    if (link.group != group_ || link.kind != "veth") continue;
    Attachment attachment;
    attachment.host_name = link.name;
    attachment.host_mac = link.mac;
    attachment.mtu = link.up ? link.mtu : 0;
    if (link.master.value) attachment.bridge = view.name(link.master);
    attachment.isolated = link.isolated;
    const auto port = std::ranges::find(ports, link.index, &bpf::Programs::Port::index);
    if (port != ports.end()) attachment.overlay = port->vni;
    if (const auto intent = wanted.attachments.find(link.name);
        intent != wanted.attachments.end()) {
      const Attachment& as = intent->second;
      attachment.rate_in = rate_seen(view.rates, link.index, rate_in(as));
      const auto sandbox = sandboxes.find(as.sandbox);
      if (sandbox != sandboxes.end()) add_inside(as, sandbox->second, link, attachment);
      // An entry for another address or MAC is no entry: ensuring it again replaces it.
      if (as.overlay && port != ports.end() && *port != port_of(as, link.index))
        attachment.overlay.reset();
    }
    found[link.name] = std::move(attachment);
  }
  for (const bpf::Programs::Port& port : ports) {
    const netlink::Link* link = view.link(port.index);
    if (link && link->group == group_) continue;
    const std::string name = name_of_gone(port.index);
    Attachment& stale = found[name];
    stale.host_name = name;
    stale.overlay = port.vni;
  }
  return found;
}

}  // namespace heddle::dataplane
