#include "dataplane/linux/firewall.h"

#include <set>

#include "dataplane/netlink/address.h"

namespace heddle::dataplane {

Result<std::unique_ptr<Firewall>> Firewall::open(std::string table, netlink::Socket& socket) {
  TRY(auto opened, nft::Table::open(std::move(table)));
  TRY(auto flows, conntrack::Flows::open());
  return std::unique_ptr<Firewall>(new Firewall(std::move(opened), std::move(flows), socket));
}

Result<> Firewall::set(const SetRules& op) {
  return table_->set({op.masquerades, op.rules});
}

Result<> Firewall::change(const ChangePublished& op) {
  for (const auto& [key, target] : op.put) {
    if (!conntrack::translates(key.protocol))
      return fail(Errc::unsupported, "this kernel cannot translate " +
                                         std::string(name(key.protocol)) +
                                         " (CONFIG_NF_CT_PROTO_SCTP): publish TCP or UDP ports");
  }
  TRY(const nft::Published removed, table_->change(op.put, op.removed));
  return forget(removed, op.put);
}

Result<> Firewall::forget(const nft::Published& removed, const nft::Published& added) {
  std::set<IpAddr> local;
  TRY(const auto addresses, netlink::addresses(socket_));
  for (const netlink::Address& address : addresses) local.insert(address.address.address);
  const conntrack::Stale stale(removed, added, [&](const IpAddr& address) {
    return address.is_loopback() || local.contains(address);
  });
  if (stale.empty()) return {};
  TRY(const std::size_t forgotten, flows_.forget(stale));
  static_cast<void>(forgotten);
  return {};
}

Result<> Firewall::observe(HostState& state) {
  TRY(nft::Table::Contents contents, table_->observe());
  state.masquerades = std::move(contents.networks.masquerades);
  state.rules = std::move(contents.networks.rules);
  state.published = std::move(contents.published);
  return {};
}

Result<> Firewall::remove() {
  TRY(nft::Table::Contents contents, table_->observe());
  TRY_DO(table_->remove());
  return forget(contents.published, {});
}

}  // namespace heddle::dataplane
