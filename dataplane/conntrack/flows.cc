#include "dataplane/conntrack/flows.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/netlink/message.h"

namespace heddle::conntrack {
namespace {

using netlink::Attributes;
using netlink::Message;

int type_of(int message) {
  return NFNL_SUBSYS_CTNETLINK << 8 | message;
}

nfgenmsg header_of(std::uint8_t family) {
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  return header;
}

// One direction and its protocol; nothing for what has no addresses and ports.
std::optional<std::pair<Tuple, std::uint8_t>> read_tuple(nlattr* attribute) {
  if (!attribute) return std::nullopt;
  const Attributes<CTA_TUPLE_MAX> tuple(attribute);
  nlattr* ip = tuple.find(CTA_TUPLE_IP);
  nlattr* proto = tuple.find(CTA_TUPLE_PROTO);
  if (!ip || !proto) return std::nullopt;
  const Attributes<CTA_IP_MAX> addresses(ip);
  auto source = addresses.address(CTA_IP_V4_SRC);
  auto destination = addresses.address(CTA_IP_V4_DST);
  if (!source) source = addresses.address(CTA_IP_V6_SRC);
  if (!destination) destination = addresses.address(CTA_IP_V6_DST);
  if (!source || !destination) return std::nullopt;
  const Attributes<CTA_PROTO_MAX> ports(proto);
  if (!ports.find(CTA_PROTO_DST_PORT)) return std::nullopt;
  return std::pair(Tuple{{*source, ports.be16(CTA_PROTO_SRC_PORT)},
                         {*destination, ports.be16(CTA_PROTO_DST_PORT)}},
                   ports.u8(CTA_PROTO_NUM));
}

// What names one connection to the kernel, copied from its listing.
struct Name {
  std::uint8_t family = AF_INET;
  std::string tuple;
  std::string zone;  // empty: the default one
  std::string id;    // so that a new connection of the same addresses is not hit
};

std::string bytes_of(const nlattr* attribute) {
  if (!attribute) return {};
  return {static_cast<const char*>(nla_data(attribute)),
          static_cast<std::size_t>(nla_len(attribute))};
}

void put(Message& message, int attribute, const std::string& bytes) {
  if (!bytes.empty()) message.bytes(attribute, bytes.data(), static_cast<int>(bytes.size()));
}

Result<> list(netlink::Socket& socket, std::uint8_t family, const Stale& stale,
              std::vector<Name>& found) {
  Message query(type_of(IPCTNL_MSG_CT_GET), NLM_F_DUMP);
  query.header(header_of(family));
  return socket.query(query, "list tracked connections", [&](const nlmsghdr& answer) {
    const Attributes<CTA_MAX> attributes(answer, sizeof(nfgenmsg));
    const auto original = read_tuple(attributes.find(CTA_TUPLE_ORIG));
    const auto reply = read_tuple(attributes.find(CTA_TUPLE_REPLY));
    if (!original || !reply) return;
    if (!stale.contains({original->second, original->first, reply->first})) return;
    found.push_back({family, bytes_of(attributes.find(CTA_TUPLE_ORIG)),
                     bytes_of(attributes.find(CTA_ZONE)), bytes_of(attributes.find(CTA_ID))});
  });
}

}  // namespace

Result<Flows> Flows::open() {
  TRY(auto socket, netlink::Socket::open_netfilter());
  return Flows(std::move(socket));
}

Result<std::size_t> Flows::forget(const Stale& stale) {
  std::vector<Name> found;
  for (const int family : {AF_INET, AF_INET6}) {
    if (!stale.has_family(family == AF_INET)) continue;
    TRY_DO(list(socket_, static_cast<std::uint8_t>(family), stale, found));
  }
  std::size_t forgotten = 0;
  for (const Name& name : found) {
    Message message(type_of(IPCTNL_MSG_CT_DELETE), 0);
    message.header(header_of(name.family));
    put(message, CTA_TUPLE_ORIG | NLA_F_NESTED, name.tuple);
    put(message, CTA_ZONE, name.zone);
    put(message, CTA_ID, name.id);
    auto deleted = socket_.request(message, "forget a tracked connection");
    if (!deleted && deleted.error().sys_errno() != ENOENT)
      return std::unexpected(std::move(deleted).error());
    forgotten += deleted.has_value();
  }
  return forgotten;
}

bool translates(dataplane::Protocol protocol) {
  return protocol != dataplane::Protocol::sctp ||
         ::access("/proc/sys/net/netfilter/nf_conntrack_sctp_timeout_established", F_OK) == 0 ||
         ::access("/proc/sys/net/netfilter", F_OK) != 0;  // not loaded yet: nothing is known
}

}  // namespace heddle::conntrack
