#include "dataplane/linux/parented.h"

#include <algorithm>
#include <cerrno>

#include "dataplane/linux/inside.h"
#include "dataplane/netlink/elsewhere.h"
#include "dataplane/netlink/parent.h"
#include "dataplane/netns/netns.h"

namespace heddle::dataplane {
namespace {

const char* word(LinkKind kind) {
  return kind == LinkKind::ipvlan ? "ipvlan" : "macvlan";
}

std::string host_name_of(const netlink::Link& link) {
  return link.alias.empty() ? link.name : link.alias;
}

bool fits(const netlink::Link& link, const Attachment& attachment, const netlink::Link& parent) {
  return link.kind == word(attachment.kind) && link.name == attachment.name &&
         link.alias == attachment.host_name && link.peer == parent.index &&
         link.mode == attachment.mode;
}

// What the kernel means by EBUSY and EINVAL of a new link.
Error refused(const Error& why, const Attachment& attachment, const netlink::Link& parent) {
  const std::string kind = word(attachment.kind);
  if (parent.master.value)
    return Error(Errc::in_use, "device " + parent.name + " is a port of a bridge or bond: no " +
                                   kind + " can lie on it; use the bridge or bond itself");
  if (why.sys_errno() == EBUSY)
    return Error(Errc::in_use, "device " + parent.name + " serves interfaces of another kind, " +
                                   "which excludes " + kind + ": " + why.text());
  return Error(Errc::in_use, "device " + parent.name + " takes no " + kind + " in this mode: " +
                                 "passthru shares a parent with no other, and only Ethernet " +
                                 "devices are parents: " + why.text());
}

Attachment from_outside(const HostView& view, const netlink::Link& link) {
  Attachment found;
  found.host_name = host_name_of(link);
  found.kind = link.kind == "ipvlan" ? LinkKind::ipvlan : LinkKind::macvlan;
  found.mtu = link.up ? link.mtu : 0;
  found.parent = view.name(link.peer);
  found.mode = link.mode;
  return found;
}

}  // namespace

bool Parented::ours(const netlink::Link& link) const {
  return link.group == group_ && (link.kind == "macvlan" || link.kind == "ipvlan");
}

Result<> Parented::learn_places() {
  TRY(const std::vector<int> numbers, netlink::netns_ids(socket_));
  TRY(const auto own, netlink::netns_id(socket_, own_netns_));
  std::map<std::string, Numbers> places;
  for (const int number : numbers) {
    if (own == number) continue;
    TRY(const auto links, netlink::links_of(socket_, number));
    for (const netlink::Link& link : links) {
      if (ours(link)) places[host_name_of(link)].insert(number);
    }
  }
  places_ = std::move(places);
  return {};
}

Result<std::vector<Parented::Place>> Parented::find(const std::string& host_name) {
  if (!places_) TRY_DO(learn_places());
  std::vector<Place> found;
  const auto known = places_->find(host_name);
  if (known == places_->end()) return found;
  for (const int number : known->second) {
    TRY(auto links, netlink::links_of(socket_, number));
    for (netlink::Link& link : links) {
      if (ours(link) && host_name_of(link) == host_name) found.push_back({number, std::move(link)});
    }
  }
  return found;
}

// Made under the host name, which no other link in the sandbox has, and down; only then does it
// get its alias and final name, in one step.
Result<netlink::Link> Parented::create(const Attachment& attachment, int sandbox,
                                       const netlink::Link& parent) {
  netlink::OnParent link{.kind = attachment.kind,
                         .mode = attachment.mode,
                         .parent = parent.index,
                         .name = attachment.host_name,
                         .mtu = attachment.mtu,
                         .group = group_,
                         .mac = {},
                         .netns = sandbox};
  if (has_own_mac(attachment)) link.mac = attachment.mac;
  // Some kernels, as 6.1, want the name to be free on the host too, where a pair's end may have it
  // that is on its way out.
  auto created =
      reaper_.make_despite_retired([&] { return netlink::create_on_parent(socket_, link); });
  if (!created && (created.error().sys_errno() == EBUSY || created.error().sys_errno() == EINVAL))
    return std::unexpected(refused(created.error(), attachment, parent));
  TRY_DO(std::move(created));
  std::optional<netlink::Link> made;
  TRY_DO(visitor_.run_in(sandbox, [&]() -> Result<> {
    TRY(auto inside, netlink::Socket::open());
    TRY(made, netlink::find_link(inside, attachment.host_name));
    return {};
  }));
  if (!made) return fail(Errc::conflict, attachment.host_name + " vanished from the sandbox");
  return *std::move(made);
}

Result<> Parented::name_inside(const Attachment& attachment, int sandbox, IfIndex index) {
  return visitor_.run_in(sandbox, [&]() -> Result<> {
    TRY(auto inside, netlink::Socket::open());
    const netlink::LinkChange names{.name = attachment.name, .alias = attachment.host_name};
    auto named =
        reaper_.make_despite_retired([&] { return netlink::change_link(inside, index, names); });
    if (!named && named.error().code() == Errc::exists)
      return std::unexpected(name_taken_inside(attachment));
    return named;
  });
}

Result<> Parented::ensure(const Attachment& attachment) {
  TRY(const UniqueFd sandbox, netns::open(attachment.sandbox));
  TRY(const auto parent, netlink::find_link(socket_, attachment.parent));
  if (!parent) return fail(Errc::not_found, "there is no network device " + attachment.parent);
  if (attachment.mtu > parent->mtu)
    return fail(Errc::invalid, "an MTU of " + std::to_string(attachment.mtu) +
                                   " is more than the " + std::to_string(parent->mtu) + " of " +
                                   parent->name);
  TRY(const int number, netlink::ensure_netns_id(socket_, sandbox.get()));
  TRY(const auto old, find(attachment.host_name));
  std::optional<netlink::Link> link;
  for (const Place& place : old) {
    if (place.netns == number && fits(place.link, attachment, *parent)) {
      link = place.link;
    } else {
      TRY_DO(netlink::delete_link_of(socket_, place.netns, place.link.index));
    }
  }
  Undo undo;
  const bool fresh = !link;
  if (fresh) {
    TRY(link, create(attachment, sandbox.get(), *parent));
    (*places_)[attachment.host_name].insert(number);
    undo.add([this, number, index = link->index] {
      return netlink::delete_link_of(socket_, number, index);
    });
    TRY_DO(name_inside(attachment, sandbox.get(), link->index));
  }
  auto settled = settle_inside(
      visitor_, attachment,
      {.sandbox = sandbox.get(), .index = link->index, .fresh = fresh, .proc = proc_.next()});
  if (!settled && settled.error().sys_errno() == EADDRINUSE)
    return fail(Errc::exists, "MAC " + attachment.mac.format() + " is in use on " + parent->name +
                                  " by another interface");
  TRY_DO(std::move(settled));
  undo.keep();
  return {};
}

Result<> Parented::remove(const std::string& host_name) {
  TRY(const auto places, find(host_name));
  for (const Place& place : places) {
    TRY_DO(netlink::delete_link_of(socket_, place.netns, place.link.index));
  }
  places_->erase(host_name);
  return {};
}

Result<> Parented::remove_everything() {
  TRY_DO(learn_places());
  Result<> first;
  const auto places = *places_;
  for (const auto& [host_name, numbers] : places) {
    auto removed = remove(host_name);
    if (first) first = std::move(removed);
  }
  return first;
}

Result<> Parented::observe(const HostView& view, const HostState& wanted,
                           const std::map<SandboxPath, SandboxView>& sandboxes,
                           std::map<std::string, Attachment>& found) {
  TRY(const std::vector<int> numbers, netlink::netns_ids(socket_));
  TRY(const auto own, netlink::netns_id(socket_, own_netns_));
  Numbers others(numbers.begin(), numbers.end());
  if (own) others.erase(*own);
  std::map<std::string, Numbers> places;
  std::map<std::string, Attachment> in_place;
  for (const auto& [path, sandbox] : sandboxes) {
    if (sandbox.links.empty() || !sandbox.id) continue;
    others.erase(*sandbox.id);
    for (const netlink::Link& link : sandbox.links) {
      if (!ours(link)) continue;
      Attachment seen = from_outside(view, link);
      places[seen.host_name].insert(*sandbox.id);
      const auto intent = wanted.attachments.find(seen.host_name);
      if (intent == wanted.attachments.end() || intent->second.sandbox != path) {
        found.try_emplace(seen.host_name, std::move(seen));
        continue;
      }
      // One that has no alias yet is not done.
      if (link.alias.empty()) seen.mtu = 0;
      seen.host_mac = intent->second.host_mac;
      see_inside(intent->second, sandbox, link, seen);
      in_place[seen.host_name] = std::move(seen);
    }
  }
  for (const int number : others) {
    TRY(const auto links, netlink::links_of(socket_, number));
    for (const netlink::Link& link : links) {
      if (!ours(link) || (own && link.peer_netns && link.peer_netns != own)) continue;
      places[host_name_of(link)].insert(number);
      found.try_emplace(host_name_of(link), from_outside(view, link));
    }
  }
  // One that lies in two sandboxes shows where it should not be: ensuring it takes that away.
  for (auto& [name, attachment] : in_place) found.try_emplace(name, std::move(attachment));
  places_ = std::move(places);
  return {};
}

}  // namespace heddle::dataplane
