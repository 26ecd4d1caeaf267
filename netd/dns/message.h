#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/net/ip.h"
#include "netd/dns/wire.h"

// DNS messages to and from bytes. No I/O, no names of ours. Untrusted bytes come in here.
// Source: RFC 1035, RFC 6891 (EDNS), RFC 2782 (SRV), RFC 2308 (negative answers).
namespace heddle::dns {

enum class Type : std::uint16_t {
  a = 1,
  soa = 6,
  ptr = 12,
  aaaa = 28,
  srv = 33,
  ixfr = 251,
  axfr = 252,
  any = 255,
};

enum class Rcode : std::uint8_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  name_error = 3,  // NXDOMAIN
  not_implemented = 4,
  refused = 5,
  bad_version = 16,  // extended; only with EDNS
};

inline constexpr std::size_t kMinPayload = 512;    // RFC 1035, section 4.2.1
inline constexpr std::size_t kMaxMessage = 65535;  // the length field over TCP
// What we take over UDP, and at most send: larger datagrams would be fragmented somewhere, and
// fragments get lost and can be forged (RFC 9715). Told to askers and to upstreams.
inline constexpr std::uint16_t kOurPayload = 1232;
// A query has one name, an OPT and perhaps a TSIG; what is larger is not one.
inline constexpr std::size_t kMaxQuery = 4096;

struct Query {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  bool checking_disabled = false;
  bool authentic_data = false;  // it wants to know whether the answer was validated (RFC 6840, 5.7)
  // Lower case, labels with dots between. Empty for the root, and for a name that none of ours can
  // be: with bytes other than letters, digits, '-' and '_' in a label.
  std::string name;
  std::uint16_t type = 0;
  std::uint16_t qclass = 0;
  std::size_t question_size = 0;  // bytes after the header
  bool edns = false;
  std::uint8_t edns_version = 0;
  bool dnssec_ok = false;               // the DO bit, which goes to the upstream and comes back
  std::uint16_t payload = kMinPayload;  // what the asker takes over UDP, at least kMinPayload

  bool is(Type wanted) const { return type == static_cast<std::uint16_t>(wanted); }
};

// A query, or the code to refuse it with; neither: no answer at all (a response, or less than a
// header), so that two servers cannot keep each other busy.
struct Parsed {
  std::optional<Query> query;
  std::optional<Rcode> refusal;
};
Parsed parse_query(ByteView message);

struct SrvData {
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  std::string target;
};
struct PtrData {
  std::string target;
};
struct SoaData {
  std::string server;
  std::string mailbox;
  std::uint32_t negative_ttl = 0;
};

struct Record {
  std::string owner;  // empty: the name that was asked for, in its own spelling
  std::uint32_t ttl = 0;
  std::variant<IpAddr, SrvData, PtrData, SoaData> data;
};

struct Reply {
  Rcode rcode = Rcode::no_error;
  bool authoritative = false;
  std::vector<Record> answers;
  std::vector<Record> authority;
  std::vector<Record> additional;
};

// The reply to `query`, which was parsed from `message`. What does not fit into `limit` bytes is
// left out: additional records first, then answers, and then the message says that it is truncated.
Bytes encode(ByteView message, const Query& query, const Reply& reply, std::size_t limit);

// A reply without records to a message that has at least a header: its id, opcode and question
// (when there is exactly one that can be read) and the code.
Bytes encode_failure(ByteView message, Rcode rcode);

// How much of an asker's datagram may be used for the reply.
std::size_t udp_limit(const Query& query);

std::uint16_t id_of(ByteView message);  // CHECKs the header
void set_id(std::span<std::uint8_t> message, std::uint16_t id);
Rcode rcode_of(ByteView message);

}  // namespace heddle::dns
