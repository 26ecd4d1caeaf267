#include "topologies/engine/fabric/links.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

#include "dataplane/netlink/address.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netns/netns.h"
#include "dataplane/netns/visitor.h"
#include "topologies/engine/process/parallel.h"

namespace heddle::fabric {
namespace {

using netlink::Socket;
using plan::End;
using plan::Veth;

constexpr std::uint8_t kBootProtocol = 3;  // RTPROT_BOOT: set by no routing daemon, nor by heddled
constexpr std::size_t kChunk = 64;         // links of one send, and so namespaces open at once

// The machine's own namespace is the one this program runs in.
std::string path_of(const End& end) {
  return end.machine ? "/proc/self/ns/net" : end.netns;
}

Result<Socket> open_socket(const netns::Visitor& visitor, int netns_fd) {
  std::optional<Socket> opened;
  TRY_DO(visitor.run_in(netns_fd, [&]() -> Result<> {
    TRY(auto socket, Socket::open());
    opened.emplace(std::move(socket));
    return {};
  }));
  return std::move(*opened);
}

// An empty namespace, which goes with its descriptor. No link there has the name of one that a
// socket in it creates elsewhere.
Result<UniqueFd> open_aside() {
  Result<UniqueFd> opened;
  try {
    std::thread([&] {
      if (::unshare(CLONE_NEWNET) < 0) {
        opened = fail_errno(errno, "make a namespace");
      } else {
        opened = netns::open("/proc/thread-self/ns/net");
      }
    }).join();
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start a helper thread");
  }
  return opened;
}

Result<IfIndex> need_link(Socket& socket, const std::string& name) {
  TRY(auto link, netlink::find_link(socket, name));
  if (!link) return fail(Errc::not_found, "link " + name + " is not there");
  return link->index;
}

netlink::RouteEntry default_route(const IpAddr& gateway, IfIndex link) {
  return {.destination = gateway.is_v4() ? Prefix{} : *Prefix::parse("::/0"),
          .via = gateway,
          .link = link,
          .protocol = kBootProtocol};
}

// The bridges that links become ports of, looked up once.
class Bridges {
 public:
  static Result<Bridges> find(const std::vector<const Veth*>& links,
                              const netns::Visitor& visitor) {
    Bridges out;
    for (const Veth* link : links) {
      for (const End* end : {&link->a, &link->b}) {
        const std::string key = key_of(*end);
        if (end->master.empty() || out.indexes_.contains(key)) continue;
        TRY(const UniqueFd netns, netns::open(path_of(*end)));
        TRY(Socket socket, open_socket(visitor, netns.get()));
        TRY(out.indexes_[key], need_link(socket, end->master));
      }
    }
    return out;
  }
  IfIndex of(const End& end) const {
    const auto found = indexes_.find(key_of(end));
    return found == indexes_.end() ? IfIndex{} : found->second;
  }

 private:
  static std::string key_of(const End& end) { return path_of(end) + " " + end.master; }
  std::map<std::string, IfIndex> indexes_;
};

// The end that is created first-hand: up and in its bridge by one message. The other one is its
// peer, which the kernel creates down and in no bridge.
bool leads_with_b(const Veth& link) {
  return link.a.master.empty() && !link.b.master.empty();
}

class Creator {
 public:
  Creator(const std::vector<const Veth*>& links, const netns::Visitor& visitor, Bridges bridges,
          UniqueFd aside)
      : links_(links), visitor_(visitor), bridges_(std::move(bridges)), aside_(std::move(aside)) {}

  Result<> run() {
    TRY_DO(process::in_parallel((links_.size() + kChunk - 1) / kChunk,
                                [&](std::size_t chunk) { return create_chunk(chunk * kChunk); }));
    for (const Veth* link : links_) {
      const bool b_leads = leads_with_b(*link);
      need_finish(link->a, b_leads);
      need_finish(link->b, !b_leads);
    }
    std::vector<const Place*> places;
    for (const auto& [path, place] : unfinished_) places.push_back(&place);
    return process::in_parallel(places.size(), [&](std::size_t i) { return finish(*places[i]); });
  }

 private:
  struct Unfinished {
    const End* end;
    bool needs_master;
  };
  using Place = std::vector<Unfinished>;  // ends in one namespace

  Result<> create_chunk(std::size_t from) {
    TRY(Socket socket, open_socket(visitor_, aside_.get()));
    std::map<std::string, UniqueFd> open;
    const auto netns_of = [&](const End& end) -> Result<int> {
      UniqueFd& fd = open[path_of(end)];
      if (!fd) {
        TRY(fd, netns::open(path_of(end)));
      }
      return fd.get();
    };
    std::vector<netlink::Veth> veths;
    for (std::size_t i = from; i < std::min(from + kChunk, links_.size()); ++i) {
      const bool b_leads = leads_with_b(*links_[i]);
      const End& end = b_leads ? links_[i]->b : links_[i]->a;
      const End& peer = b_leads ? links_[i]->a : links_[i]->b;
      TRY(const int netns, netns_of(end));
      TRY(const int peer_netns, netns_of(peer));
      veths.push_back({.name = end.interface,
                       .mac = end.mac,
                       .mtu = links_[i]->mtu,
                       .group = 0,
                       .master = bridges_.of(end),
                       .peer_name = peer.interface,
                       .peer_mac = peer.mac,
                       .peer_netns = peer_netns,
                       .netns = netns,
                       .up = true});
    }
    return netlink::create_veths(socket, veths);
  }

  void need_finish(const End& end, bool is_peer) {
    if (is_peer || !end.addresses.empty() || !end.gateways.empty())
      unfinished_[path_of(end)].push_back({&end, is_peer && !end.master.empty()});
  }

  Result<> finish(const Place& place) {
    const End& first = *place.front().end;
    TRY(const UniqueFd netns, netns::open(path_of(first)));
    TRY(Socket socket, open_socket(visitor_, netns.get()));
    std::map<std::string, IfIndex> indexes;
    if (!first.machine) {  // the machine may have any number of links
      TRY(const auto all, netlink::links(socket));
      for (const netlink::Link& link : all) indexes[link.name] = link.index;
    }
    for (const Unfinished& unfinished : place) {
      const End& end = *unfinished.end;
      IfIndex& index = indexes[end.interface];
      if (!index.value) {
        TRY(index, need_link(socket, end.interface));
      }
      TRY_DO(finish_end(socket, index, unfinished).during(end.member + ":" + end.interface));
    }
    return {};
  }

  Result<> finish_end(Socket& socket, IfIndex index, const Unfinished& unfinished) {
    const End& end = *unfinished.end;
    if (end.quiet) return netlink::keep_without_ipv6(socket, index);
    if (unfinished.needs_master)
      TRY_DO(netlink::change_link(socket, index, {.master = bridges_.of(end)}));
    netlink::FreshLink fresh{
        .link = index, .addresses = end.addresses, .routes = {}, .protocol = 0};
    for (const IpAddr& gateway : end.gateways)
      fresh.routes.push_back(default_route(gateway, index));
    return netlink::set_up_fresh(socket, fresh);
  }

  const std::vector<const Veth*>& links_;
  const netns::Visitor& visitor_;
  const Bridges bridges_;
  const UniqueFd aside_;
  std::map<std::string, Place> unfinished_;
};

// Does something to an end that may have gone.
Result<> at_end(const End& end, const std::function<Result<>(Socket&, IfIndex)>& work) {
  auto netns = netns::open(path_of(end));
  if (!netns && netns.error().code() == Errc::not_found) return {};
  if (!netns) return std::unexpected(std::move(netns).error());
  TRY(Socket socket, Socket::open_in(netns->get()));
  TRY(const auto link, netlink::find_link(socket, end.interface));
  return link ? work(socket, link->index) : Result<>{};
}

}  // namespace

Result<> create_links(const std::vector<const Veth*>& links) {
  if (links.empty()) return {};
  TRY(const auto visitor, netns::Visitor::open());
  TRY(Bridges bridges, Bridges::find(links, visitor));
  TRY(UniqueFd aside, open_aside());
  return Creator(links, visitor, std::move(bridges), std::move(aside)).run();
}

Result<> delete_links(const std::vector<const Veth*>& links) {
  return process::in_parallel(links.size(), [&](std::size_t i) -> Result<> {
    // Either end takes the other one along; the first may have gone with its namespace.
    for (const End* end : {&links[i]->a, &links[i]->b}) {
      TRY_DO(at_end(
          *end, [](Socket& socket, IfIndex index) { return netlink::delete_link(socket, index); }));
    }
    return {};
  });
}

Result<> set_end(const End& end, Carrier to) {
  return at_end(end, [&](Socket& socket, IfIndex index) {
    return netlink::change_link(socket, index, {.up = to == Carrier::on});
  });
}

}  // namespace heddle::fabric
