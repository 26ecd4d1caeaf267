#include "netd/dns/message.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "netd/dns/ldns.h"

namespace heddle::dns {
namespace {

constexpr std::uint16_t kMaxAskedAdditional = 2;  // OPT and TSIG

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// The name in text, or empty; see Query::name. `wire` is a whole uncompressed name.
std::string text_of(ByteView wire) {
  std::string text;
  text.reserve(wire.size());
  for (std::size_t at = 0; wire[at] != 0; at += wire[at] + 1u) {
    if (at > 0) text += '.';
    for (std::size_t i = 1; i <= wire[at]; ++i) {
      const char c = static_cast<char>(lower(wire[at + i]));
      if (!plain(c)) return {};
      text += c;
    }
  }
  return text;
}

// Where the only question ends, or nothing. It is the first thing after the header, so that
// compression could only point into the header or at itself: no resolver sends it.
std::optional<std::size_t> question_end(ByteView message) {
  const auto name_end = skip_name(message, kHeaderSize, Spelling::plain);
  if (!name_end || *name_end + 4 > message.size()) return {};
  return *name_end + 4;
}

// False when the additional section is not what a query may have.
bool read_additional(ByteView message, std::size_t at, std::uint16_t count, Query& query) {
  for (; count > 0; --count) {
    const auto record = read_record(message, at);
    if (!record) return false;
    at = record->end;
    if (record->type != kOpt) continue;
    // RFC 6891, section 6.1.1: one OPT, owned by the root.
    if (query.edns || record->owner_size != 1) return false;
    if (!well_formed_options(message.subspan(record->data_at, record->end - record->data_at))) {
      return false;
    }
    query.edns = true;
    query.payload =
        std::max<std::uint16_t>(record->rclass, static_cast<std::uint16_t>(kMinPayload));
    query.edns_version = static_cast<std::uint8_t>(record->ttl >> 16);
    query.dnssec_ok = (record->ttl & kDnssecOk) != 0;
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

// Null when a name in it is not one. `asked`: the owner of those that name none.
Rr make_rr(const Record& record, const ldns_rdf* asked) {
  Rr rr(ldns_rr_new());
  CHECK(rr != nullptr);
  Rdf owner = record.owner.empty() ? Rdf(ldns_rdf_clone(asked)) : name_rdf(record.owner);
  if (owner == nullptr) return nullptr;
  ldns_rr_set_owner(rr.get(), owner.release());
  ldns_rr_set_class(rr.get(), LDNS_RR_CLASS_IN);
  ldns_rr_set_ttl(rr.get(), record.ttl);
  return std::visit(Filler{rr.get()}, record.data) ? std::move(rr) : nullptr;
}

// Writes one reply, record by record until one does not fit. Names that were written are pointed to
// when they come again (RFC 1035, section 4.1.4).
class Writer final {
 public:
  Writer(ByteView message, const Query& query, const Reply& reply, std::size_t limit)
      : limit_(limit - (query.edns ? kOptSize : 0)),
        query_(query),
        reply_(reply),
        asked_(read_name(message, kHeaderSize)),
        buffer_(ldns_buffer_new(kMinPayload)),
        names_(ldns_rbtree_create(ldns_dname_compare_v)) {
    CHECK(asked_ != nullptr && buffer_ != nullptr && names_ != nullptr);
    const ByteView type_and_class = message.subspan(kHeaderSize + query.question_size - 4, 4);
    ldns_buffer_write(buffer_.get(), message.data(), kHeaderSize);
    CHECK(ldns_dname2buffer_wire_compress(buffer_.get(), asked_.get(), names_.get()) ==
          LDNS_STATUS_OK);
    ldns_buffer_write(buffer_.get(), type_and_class.data(), type_and_class.size());
  }

  Bytes write() && {
    const Written answers = write_all(reply_.answers);
    // After one that did not fit no other is written: it could point into that one.
    const Written authority = answers.all ? write_all(reply_.authority) : Written{0, false};
    const bool whole = answers.all && authority.all;
    const std::size_t before = size();
    Written additional = whole ? write_all(reply_.additional) : Written{0, false};
    if (!additional.all) {  // all of them or none
      ldns_buffer_set_position(buffer_.get(), before);
      additional.count = 0;
    }
    const std::uint8_t* begin = ldns_buffer_begin(buffer_.get());
    Bytes bytes(begin, begin + size());
    const auto rcode = static_cast<std::uint16_t>(reply_.rcode);
    if (query_.edns) append_opt(bytes, {kOurPayload, rcode, query_.dnssec_ok});
    bytes[2] = static_cast<std::uint8_t>(kResponse | (reply_.authoritative ? kAuthoritative : 0) |
                                         (whole ? 0 : kTruncated) |
                                         (query_.recursion_desired ? kRecursionDesired : 0));
    bytes[3] = static_cast<std::uint8_t>(
        kRecursionAvailable | (query_.checking_disabled ? kCheckingDisabled : 0) | (rcode & 0x0f));
    write_u16(bytes, 6, answers.count);
    write_u16(bytes, 8, authority.count);
    write_u16(bytes, 10, static_cast<std::uint16_t>(additional.count + (query_.edns ? 1 : 0)));
    return bytes;
  }

 private:
  struct Written {
    std::uint16_t count = 0;
    bool all = true;
  };

  std::size_t size() const { return ldns_buffer_position(buffer_.get()); }

  // From the first until one does not fit; one with a name that cannot be written is left out.
  Written write_all(const std::vector<Record>& records) {
    Written written;
    for (const Record& record : records) {
      const Rr rr = make_rr(record, asked_.get());
      if (rr == nullptr) continue;
      const std::size_t before = size();
      // ldns 1.8 writes lengths that lie beyond 65535 over the start of the message.
      if (before + ldns_rr_uncompressed_size(rr.get()) > kMaxMessage) return {written.count, false};
      CHECK(ldns_rr2buffer_wire_compress(buffer_.get(), rr.get(), LDNS_SECTION_ANSWER,
                                         names_.get()) == LDNS_STATUS_OK);
      if (size() > limit_) {
        ldns_buffer_set_position(buffer_.get(), before);
        return {written.count, false};
      }
      ++written.count;
    }
    return written;
  }

  const std::size_t limit_;
  const Query& query_;
  const Reply& reply_;
  const Rdf asked_;
  const Buffer buffer_;
  const Names names_;  // where they were written
};

}  // namespace

Parsed parse_query(ByteView message) {
  if (message.size() < kHeaderSize || (message[2] & kResponse) != 0) return {};
  const auto refuse = [](Rcode rcode) { return Parsed{std::nullopt, rcode}; };
  if ((message[2] & 0x78) != 0) return refuse(Rcode::not_implemented);  // opcode
  const std::uint16_t additional = read_u16(message, 10);
  if (message.size() > kMaxQuery || read_u16(message, 4) != 1 || read_u16(message, 6) != 0 ||
      read_u16(message, 8) != 0 || additional > kMaxAskedAdditional) {
    return refuse(Rcode::format_error);
  }
  const auto end = question_end(message);
  if (!end) return refuse(Rcode::format_error);
  Query query;
  query.id = id_of(message);
  query.recursion_desired = (message[2] & kRecursionDesired) != 0;
  query.checking_disabled = (message[3] & kCheckingDisabled) != 0;
  query.authentic_data = (message[3] & kAuthenticData) != 0;
  query.question_size = *end - kHeaderSize;
  query.name = text_of(message.subspan(kHeaderSize, query.question_size - 4));
  query.type = read_u16(message, *end - 4);
  query.qclass = read_u16(message, *end - 2);
  if (!read_additional(message, *end, additional, query)) return refuse(Rcode::format_error);
  return {std::move(query), std::nullopt};
}

Bytes encode(ByteView message, const Query& query, const Reply& reply, std::size_t limit) {
  CHECK(message.size() >= kHeaderSize + query.question_size);
  return Writer(message, query, reply, std::clamp(limit, kMinPayload, kMaxMessage)).write();
}

Bytes encode_failure(ByteView message, Rcode rcode) {
  CHECK(message.size() >= kHeaderSize);
  const Parsed parsed = parse_query(message);
  if (parsed.query)
    return encode(message, *parsed.query, Reply{rcode, false, {}, {}, {}}, kMinPayload);
  Bytes bytes(kHeaderSize, 0);
  bytes[0] = message[0];
  bytes[1] = message[1];
  // Opcode and RD as they came.
  bytes[2] = static_cast<std::uint8_t>(kResponse | (message[2] & (0x78 | kRecursionDesired)));
  bytes[3] = static_cast<std::uint8_t>(kRecursionAvailable | (static_cast<unsigned>(rcode) & 0x0f));
  return bytes;
}

std::size_t udp_limit(const Query& query) {
  return std::min(query.payload, kOurPayload);
}

std::uint16_t id_of(ByteView message) {
  CHECK(message.size() >= kHeaderSize);
  return read_u16(message, 0);
}

void set_id(std::span<std::uint8_t> message, std::uint16_t id) {
  CHECK(message.size() >= kHeaderSize);
  write_u16(message, 0, id);
}

Rcode rcode_of(ByteView message) {
  CHECK(message.size() >= kHeaderSize);
  return static_cast<Rcode>(message[3] & 0x0f);
}

}  // namespace heddle::dns
