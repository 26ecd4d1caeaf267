#pragma once
#include <string>
#include <vector>

#include "netd/dns/message.h"

// What a resolver library does, for tests: builds queries and reads replies (with ldns).
namespace heddle::tests {

struct Ask {
  std::string name;
  std::string type = "A";
  std::uint16_t id = 0x1234;
  int edns_payload = 0;                               // 0: no EDNS
  enum class Dnssec { no, yes } dnssec = Dnssec::no;  // the DO bit
};
dns::Bytes make_query(const Ask& ask);

struct Told {
  int rcode = -1;  // -1: not a message
  bool authoritative = false;
  bool truncated = false;
  bool recursion_available = false;
  bool edns = false;
  bool dnssec_ok = false;
  bool authentic = false;
  std::uint16_t payload = 0;
  std::vector<std::uint32_t> ttls;   // of the answers
  std::string question;              // as spelled
  std::vector<std::string> answers;  // "A 10.40.0.5", "SRV 0 1 8080 web.app.heddle.internal."
  std::vector<std::string> authority;
  std::vector<std::string> additional;  // "ip-10-40-0-5.app.heddle.internal. A 10.40.0.5"
};
Told read_reply(dns::ByteView reply);

// A reply with one A record to whatever was asked.
dns::Bytes make_reply(dns::ByteView query, const std::string& address, int answers = 1);

// That the name, or what was asked of it, does not exist; for how long a SOA says.
dns::Bytes make_denial(dns::ByteView query, dns::Rcode rcode, std::uint32_t negative_ttl);

}  // namespace heddle::tests
