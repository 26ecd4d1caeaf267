#include "netd/dns/message.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <memory>

#include "common/base/check.h"

namespace heddle::dns {
namespace {

struct Free {
  void operator()(ldns_rr* rr) const { ldns_rr_free(rr); }
  void operator()(ldns_rdf* rdf) const { ldns_rdf_deep_free(rdf); }
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
  void operator()(ldns_buffer* buffer) const { ldns_buffer_free(buffer); }
};
using Rr = std::unique_ptr<ldns_rr, Free>;
using Rdf = std::unique_ptr<ldns_rdf, Free>;
using Packet = std::unique_ptr<ldns_pkt, Free>;
using Buffer = std::unique_ptr<ldns_buffer, Free>;

constexpr std::uint16_t kOurPayload = 4096;  // told to askers; the loopback device carries it whole
constexpr std::uint16_t kMaxAskedAdditional = 2;  // OPT and TSIG

std::uint16_t read_u16(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

char lower(std::uint8_t c) {
  return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// The name in text, or empty; see Query::name. `owner` is uncompressed wire format, checked by
// ldns.
std::string text_of(const ldns_rdf* owner) {
  const std::uint8_t* data = ldns_rdf_data(owner);
  const std::size_t size = ldns_rdf_size(owner);
  std::string text;
  text.reserve(size);
  for (std::size_t at = 0; at < size && data[at] != 0; at += data[at] + 1u) {
    if (!text.empty()) text += '.';
    for (std::size_t i = 1; i <= data[at] && at + i < size; ++i) {
      const char c = lower(data[at + i]);
      if (!plain(c)) return {};
      text += c;
    }
  }
  return text;
}

// Reads one record at `at`, moving it on. Null when the bytes are none.
Rr read_record(ByteView message, std::size_t& at, ldns_pkt_section section) {
  ldns_rr* raw = nullptr;
  if (ldns_wire2rr(&raw, message.data(), message.size(), &at, section) != LDNS_STATUS_OK) {
    return nullptr;
  }
  return Rr(raw);
}

// The only question, read as the first thing after the header. Compression there can only point
// into the header or at itself: no resolver sends it.
Rr read_question(ByteView message, std::size_t& at) {
  at = kHeaderSize;
  if (message.size() <= kHeaderSize || (message[at] & 0xc0) != 0) return nullptr;
  Rr question = read_record(message, at, LDNS_SECTION_QUESTION);
  if (!question || at != kHeaderSize + ldns_rdf_size(ldns_rr_owner(question.get())) + 4) {
    return nullptr;
  }
  return question;
}

// False when the additional section is not what a query may have.
bool read_additional(ByteView message, std::size_t at, std::uint16_t count, Query& query) {
  for (; count > 0; --count) {
    const Rr record = read_record(message, at, LDNS_SECTION_ADDITIONAL);
    if (!record) return false;
    if (ldns_rr_get_type(record.get()) != LDNS_RR_TYPE_OPT) continue;
    // RFC 6891, section 6.1.1: one OPT, owned by the root.
    if (query.edns || ldns_rdf_size(ldns_rr_owner(record.get())) != 1) return false;
    query.edns = true;
    query.payload = std::max<std::uint16_t>(
        static_cast<std::uint16_t>(ldns_rr_get_class(record.get())), kMinPayload);
    query.edns_version = static_cast<std::uint8_t>(ldns_rr_ttl(record.get()) >> 16);
  }
  return true;
}

Rdf name_rdf(const std::string& name) {
  return Rdf(ldns_dname_new_frm_str(name.empty() ? "." : name.c_str()));
}

bool push(ldns_rr* record, Rdf data) {
  return data != nullptr && ldns_rr_push_rdf(record, data.release());
}
bool push_u16(ldns_rr* record, std::uint16_t value) {
  return push(record, Rdf(ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, value)));
}
bool push_u32(ldns_rr* record, std::uint32_t value) {
  return push(record, Rdf(ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, value)));
}

// Fills type and data. False when a name in it is not one (too long).
struct Filler {
  ldns_rr* record;

  bool operator()(const IpAddr& address) const {
    const bool v4 = address.is_v4();
    ldns_rr_set_type(record, v4 ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA);
    return push(record, Rdf(ldns_rdf_new_frm_data(v4 ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA,
                                                  v4 ? 4 : 16, address.bytes().data())));
  }
  bool operator()(const SrvData& srv) const {
    ldns_rr_set_type(record, LDNS_RR_TYPE_SRV);
    return push_u16(record, srv.priority) && push_u16(record, srv.weight) &&
           push_u16(record, srv.port) && push(record, name_rdf(srv.target));
  }
  bool operator()(const PtrData& ptr) const {
    ldns_rr_set_type(record, LDNS_RR_TYPE_PTR);
    return push(record, name_rdf(ptr.target));
  }
  bool operator()(const SoaData& soa) const {
    ldns_rr_set_type(record, LDNS_RR_TYPE_SOA);
    // Serial, refresh, retry, expire: nobody transfers this zone.
    return push(record, name_rdf(soa.server)) && push(record, name_rdf(soa.mailbox)) &&
           push_u32(record, 1) && push_u32(record, 3600) && push_u32(record, 600) &&
           push_u32(record, 86400) && push_u32(record, soa.negative_ttl);
  }
};

void add_records(ldns_pkt* packet, ldns_pkt_section section, std::span<const Record> records,
                 const ldns_rdf* asked) {
  for (const Record& record : records) {
    Rr rr(ldns_rr_new());
    CHECK(rr != nullptr);
    Rdf owner = record.owner.empty() ? Rdf(ldns_rdf_clone(asked)) : name_rdf(record.owner);
    if (owner == nullptr) continue;
    ldns_rr_set_owner(rr.get(), owner.release());
    ldns_rr_set_class(rr.get(), LDNS_RR_CLASS_IN);
    ldns_rr_set_ttl(rr.get(), record.ttl);
    if (!std::visit(Filler{rr.get()}, record.data)) continue;
    if (ldns_pkt_push_rr(packet, section, rr.get())) (void)rr.release();
  }
}

Packet start_reply(const Query& query, Rcode rcode) {
  Packet packet(ldns_pkt_new());
  CHECK(packet != nullptr);
  ldns_pkt_set_id(packet.get(), query.id);
  ldns_pkt_set_qr(packet.get(), true);
  ldns_pkt_set_rd(packet.get(), query.recursion_desired);
  ldns_pkt_set_cd(packet.get(), query.checking_disabled);
  ldns_pkt_set_ra(packet.get(), true);
  ldns_pkt_set_rcode(packet.get(), static_cast<std::uint8_t>(rcode) & 0x0f);
  if (query.edns) {
    ldns_pkt_set_edns_udp_size(packet.get(), kOurPayload);
    ldns_pkt_set_edns_extended_rcode(packet.get(), static_cast<std::uint8_t>(rcode) >> 4);
  }
  return packet;
}

Bytes to_bytes(const ldns_pkt* packet) {
  Buffer buffer(ldns_buffer_new(kMinPayload));
  CHECK(buffer != nullptr);
  CHECK(ldns_pkt2buffer_wire(buffer.get(), packet) == LDNS_STATUS_OK);
  const std::uint8_t* begin = ldns_buffer_begin(buffer.get());
  return Bytes(begin, begin + ldns_buffer_position(buffer.get()));
}

struct Kept {
  std::size_t answers;
  std::size_t additional;
};

Bytes encode_part(const Rr& question, const Query& query, const Reply& reply, Kept kept) {
  const Packet packet = start_reply(query, reply.rcode);
  ldns_pkt_set_aa(packet.get(), reply.authoritative);
  ldns_pkt_set_tc(packet.get(), kept.answers < reply.answers.size());
  const ldns_rdf* asked = ldns_rr_owner(question.get());
  ldns_pkt_push_rr(packet.get(), LDNS_SECTION_QUESTION, ldns_rr_clone(question.get()));
  add_records(packet.get(), LDNS_SECTION_ANSWER, std::span(reply.answers).first(kept.answers),
              asked);
  add_records(packet.get(), LDNS_SECTION_AUTHORITY, reply.authority, asked);
  add_records(packet.get(), LDNS_SECTION_ADDITIONAL,
              std::span(reply.additional).first(kept.additional), asked);
  return to_bytes(packet.get());
}

}  // namespace

Parsed parse_query(ByteView message) {
  if (message.size() < kHeaderSize) return {};
  const std::uint8_t* wire = message.data();
  if (LDNS_QR_WIRE(wire)) return {};
  const auto refuse = [](Rcode rcode) { return Parsed{std::nullopt, rcode}; };
  if (LDNS_OPCODE_WIRE(wire) != LDNS_PACKET_QUERY) return refuse(Rcode::not_implemented);
  if (message.size() > kMaxQuery || LDNS_QDCOUNT(wire) != 1 || LDNS_ANCOUNT(wire) != 0 ||
      LDNS_NSCOUNT(wire) != 0 || LDNS_ARCOUNT(wire) > kMaxAskedAdditional) {
    return refuse(Rcode::format_error);
  }
  Query query;
  query.id = LDNS_ID_WIRE(wire);
  query.recursion_desired = LDNS_RD_WIRE(wire);
  query.checking_disabled = LDNS_CD_WIRE(wire);
  std::size_t at = 0;
  const Rr question = read_question(message, at);
  if (!question) return refuse(Rcode::format_error);
  query.question_size = at - kHeaderSize;
  query.name = text_of(ldns_rr_owner(question.get()));
  query.type = static_cast<std::uint16_t>(ldns_rr_get_type(question.get()));
  query.qclass = static_cast<std::uint16_t>(ldns_rr_get_class(question.get()));
  if (!read_additional(message, at, LDNS_ARCOUNT(wire), query)) return refuse(Rcode::format_error);
  return {std::move(query), std::nullopt};
}

Bytes encode(ByteView message, const Query& query, const Reply& reply, std::size_t limit) {
  std::size_t at = 0;
  const Rr question = read_question(message, at);
  CHECK(question != nullptr);
  limit = std::clamp(limit, kMinPayload, kMaxMessage);
  Kept kept{reply.answers.size(), reply.additional.size()};
  Bytes bytes = encode_part(question, query, reply, kept);
  if (bytes.size() > limit && kept.additional > 0) {
    kept.additional = 0;
    bytes = encode_part(question, query, reply, kept);
  }
  // The records of one answer are about equally large: the first guess is nearly right.
  while (bytes.size() > limit && kept.answers > 0) {
    kept.answers = std::min(kept.answers - 1, kept.answers * limit / bytes.size());
    bytes = encode_part(question, query, reply, kept);
  }
  return bytes;
}

Bytes encode_failure(ByteView message, Rcode rcode) {
  CHECK(message.size() >= kHeaderSize);
  const Parsed parsed = parse_query(message);
  if (parsed.query)
    return encode(message, *parsed.query, Reply{rcode, false, {}, {}, {}}, kMinPayload);
  Bytes bytes(kHeaderSize, 0);
  bytes[0] = message[0];
  bytes[1] = message[1];
  bytes[2] =
      static_cast<std::uint8_t>(0x80 | (message[2] & 0x79));  // QR, opcode and RD as they came
  bytes[3] = static_cast<std::uint8_t>(0x80 | (static_cast<std::uint8_t>(rcode) & 0x0f));  // RA
  return bytes;
}

bool answers(ByteView query, ByteView reply) {
  if (query.size() < kHeaderSize || reply.size() < kHeaderSize) return false;
  const std::uint8_t* wire = reply.data();
  if (!LDNS_QR_WIRE(wire) || id_of(query) != id_of(reply)) return false;
  // RFC 5452, section 9.1. A server that cannot read the question may leave it out of its refusal.
  if (LDNS_QDCOUNT(wire) == 0) return rcode_of(reply) != Rcode::no_error;
  if (LDNS_QDCOUNT(wire) != 1) return false;
  std::size_t asked_end = 0;
  std::size_t told_end = 0;
  const Rr asked = read_question(query, asked_end);
  const Rr told = read_question(reply, told_end);
  return asked && told && asked_end == told_end &&
         ldns_rr_get_type(asked.get()) == ldns_rr_get_type(told.get()) &&
         ldns_rr_get_class(asked.get()) == ldns_rr_get_class(told.get()) &&
         ldns_dname_compare(ldns_rr_owner(asked.get()), ldns_rr_owner(told.get())) == 0;
}

std::uint16_t id_of(ByteView message) {
  CHECK(message.size() >= kHeaderSize);
  return read_u16(message, 0);
}

void set_id(std::span<std::uint8_t> message, std::uint16_t id) {
  CHECK(message.size() >= kHeaderSize);
  message[0] = static_cast<std::uint8_t>(id >> 8);
  message[1] = static_cast<std::uint8_t>(id);
}

bool truncated(ByteView message) {
  return message.size() > 2 && (message[2] & 0x02) != 0;
}

Rcode rcode_of(ByteView message) {
  CHECK(message.size() >= kHeaderSize);
  return static_cast<Rcode>(message[3] & 0x0f);
}

}  // namespace heddle::dns
