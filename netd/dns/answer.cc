#include "netd/dns/answer.h"

#include <algorithm>

namespace heddle::dns {
namespace {

constexpr std::uint16_t kInternet = 1;      // class IN
constexpr std::size_t kMaxAdditional = 16;  // addresses of SRV targets

Record soa(std::string owner) {
  return {std::move(owner), kTtlSeconds,
          SoaData{"ns." + std::string(kDomain), "hostmaster." + std::string(kDomain), kTtlSeconds}};
}

bool in_domain(std::string_view name) {
  if (!name.ends_with(kDomain)) return false;
  name.remove_suffix(kDomain.size());
  return name.empty() || name.ends_with('.');
}

bool wants(const Query& query, const IpAddr& address) {
  return query.is(Type::any) || query.is(address.is_v4() ? Type::a : Type::aaaa);
}

// Starts at a place that the query's random id gives, so that askers which take the first address
// spread.
template <class T, class Add>
void each_rotated(const std::vector<T>& items, std::uint16_t id, Add add) {
  for (std::size_t i = 0; i < items.size(); ++i) add(items[(i + id) % items.size()]);
}

void add_entry(const Query& query, const Zone::Found& found, Reply& reply) {
  each_rotated(found.entry->addresses, query.id, [&](const IpAddr& address) {
    if (wants(query, address)) reply.answers.push_back({"", kTtlSeconds, address});
  });
  if (!query.is(Type::srv) && !query.is(Type::any)) return;
  each_rotated(found.entry->services, query.id, [&](const Srv& srv) {
    const std::string target = qualified(srv.target, found.network->network());
    reply.answers.push_back({"", kTtlSeconds, SrvData{0, srv.weight, srv.port, target}});
    const Entry* entry = found.network->find(srv.target);
    if (entry == nullptr) return;
    for (const IpAddr& address : entry->addresses) {
      if (reply.additional.size() < kMaxAdditional) {
        reply.additional.push_back({target, kTtlSeconds, address});
      }
    }
  });
}

// False: not ours to answer.
bool answer_reverse(const Query& query, const Zone& zone, Reply& reply) {
  const Zone::Reverse reverse = zone.find_reverse(query.name);
  if (reverse.outcome == Zone::Outcome::foreign) return false;
  if (reverse.outcome == Zone::Outcome::absent) {
    reply.rcode = Rcode::name_error;
  } else if (query.is(Type::ptr) || query.is(Type::any)) {
    reply.answers.push_back({"", kTtlSeconds, PtrData{reverse.target}});
  }
  if (reply.answers.empty()) reply.authority.push_back(soa(reverse.apex));
  return true;
}

bool answer_forward(const Query& query, const Zone& zone, Reply& reply) {
  Zone::Found found;
  const Zone::Outcome outcome = zone.find(query.name, found);
  if (outcome == Zone::Outcome::foreign) return false;
  if (outcome == Zone::Outcome::absent) {
    reply.rcode = Rcode::name_error;
  } else if (query.name == kDomain && query.is(Type::soa)) {
    reply.answers.push_back(soa(""));
  } else {
    add_entry(query, found, reply);
  }
  if (reply.answers.empty()) {
    // A bare name has no zone but itself (RFC 2308, section 3, asks for a SOA to cache by).
    const bool inside = in_domain(query.name);
    reply.authority.push_back(soa(inside ? std::string(kDomain) : ""));
  }
  return true;
}

}  // namespace

Answer answer(const Zone& zone, ByteView message, Transport transport) {
  Parsed parsed = parse_query(message);
  if (parsed.refusal) return {Answer::Kind::reply, encode_failure(message, *parsed.refusal)};
  if (!parsed.query) return {};
  Query& query = *parsed.query;
  const auto refuse = [&](Rcode rcode) {
    return Answer{Answer::Kind::reply, encode_failure(message, rcode)};
  };
  if (query.edns && query.edns_version != 0) return refuse(Rcode::bad_version);
  if (query.qclass != kInternet || query.is(Type::axfr) || query.is(Type::ixfr)) {
    return refuse(Rcode::refused);
  }
  Reply reply;
  reply.authoritative = true;
  const bool ours = !query.name.empty() &&
                    (answer_forward(query, zone, reply) || answer_reverse(query, zone, reply));
  if (!ours && zone.audience() == Audience::host) return refuse(Rcode::refused);
  if (!ours) return {Answer::Kind::forward, {}, std::move(query)};
  const std::size_t limit = transport == Transport::tcp ? kMaxMessage : udp_limit(query);
  return {Answer::Kind::reply, encode(message, query, reply, limit)};
}

}  // namespace heddle::dns
