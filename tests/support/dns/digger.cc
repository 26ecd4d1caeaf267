#include "tests/support/dns/digger.h"

#include <ldns/ldns.h>

#include <algorithm>

#include "common/base/check.h"
#include "tests/support/views.h"

namespace heddle::tests {
namespace {

std::string text_and_free(char* raw) {
  std::string text(raw);
  free(raw);  // NOLINT(cppcoreguidelines-no-malloc): ldns allocates so
  return text;
}

std::vector<std::string> records(const ldns_rr_list* list, bool with_owner) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
    const ldns_rr* rr = ldns_rr_list_rr(list, i);
    std::string text = with_owner ? text_and_free(ldns_rdf2str(ldns_rr_owner(rr))) + " " : "";
    text += text_and_free(ldns_rr_type2str(ldns_rr_get_type(rr)));
    for (std::size_t f = 0; f < ldns_rr_rd_count(rr); ++f) {
      text += " " + text_and_free(ldns_rdf2str(ldns_rr_rdf(rr, f)));
    }
    result.push_back(text);
  }
  return result;
}

}  // namespace

dns::Bytes make_query(const Ask& ask) {
  ldns_pkt* packet = nullptr;
  CHECK(ldns_pkt_query_new_frm_str(&packet, ask.name.c_str(),
                                   ldns_get_rr_type_by_name(ask.type.c_str()), LDNS_RR_CLASS_IN,
                                   LDNS_RD) == LDNS_STATUS_OK);
  ldns_pkt_set_id(packet, ask.id);
  if (ask.edns_payload > 0) {
    ldns_pkt_set_edns_udp_size(packet, static_cast<std::uint16_t>(ask.edns_payload));
  }
  if (ask.dnssec == Ask::Dnssec::yes) ldns_pkt_set_edns_do(packet, true);
  std::uint8_t* wire = nullptr;
  std::size_t size = 0;
  CHECK(ldns_pkt2wire(&wire, packet, &size) == LDNS_STATUS_OK);
  dns::Bytes bytes(wire, wire + size);
  free(wire);  // NOLINT(cppcoreguidelines-no-malloc): ldns allocates so
  ldns_pkt_free(packet);
  return bytes;
}

Told read_reply(dns::ByteView reply) {
  Told told;
  ldns_pkt* packet = nullptr;
  if (ldns_wire2pkt(&packet, reply.data(), reply.size()) != LDNS_STATUS_OK) return told;
  told.rcode = ldns_pkt_get_rcode(packet) | ldns_pkt_edns_extended_rcode(packet) << 4;
  told.authoritative = ldns_pkt_aa(packet);
  told.truncated = ldns_pkt_tc(packet);
  told.recursion_available = ldns_pkt_ra(packet);
  told.edns = ldns_pkt_edns(packet);
  told.dnssec_ok = ldns_pkt_edns_do(packet);
  told.authentic = ldns_pkt_ad(packet);
  told.payload = ldns_pkt_edns_udp_size(packet);
  const ldns_rr_list* answers = ldns_pkt_answer(packet);
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(answers); ++i) {
    told.ttls.push_back(ldns_rr_ttl(ldns_rr_list_rr(answers, i)));
  }
  if (ldns_pkt_qdcount(packet) == 1) {
    told.question =
        text_and_free(ldns_rdf2str(ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_question(packet), 0))));
  }
  told.answers = records(ldns_pkt_answer(packet), false);
  told.authority = records(ldns_pkt_authority(packet), true);
  told.additional = records(ldns_pkt_additional(packet), true);
  ldns_pkt_free(packet);
  return told;
}

dns::Bytes make_reply(dns::ByteView query, const std::string& address, int answers) {
  const auto parsed = dns::parse_query(query);
  CHECK(parsed.query.has_value());
  dns::Reply reply;
  for (int i = 0; i < answers; ++i) reply.answers.push_back({"", 60, ip(address)});
  return dns::encode(query, *parsed.query, reply, dns::kMaxMessage);
}

dns::Bytes make_denial(dns::ByteView query, dns::Rcode rcode, std::uint32_t negative_ttl) {
  const auto parsed = dns::parse_query(query);
  CHECK(parsed.query.has_value());
  dns::Reply reply;
  reply.rcode = rcode;
  reply.authority.push_back(
      {"example.com", 3600,
       dns::SoaData{"ns.example.com", "hostmaster.example.com", negative_ttl}});
  return dns::encode(query, *parsed.query, reply, dns::kMaxMessage);
}

}  // namespace heddle::tests
