#include "netd/dns/wire.h"

#include "netd/dns/ldns.h"

namespace heddle::dns {

Rdf read_name(ByteView message, std::size_t at, std::size_t* end) {
  ldns_rdf* name = nullptr;
  if (ldns_wire2dname(&name, message.data(), message.size(), &at) != LDNS_STATUS_OK) return nullptr;
  if (end != nullptr) *end = at;
  return Rdf(name);
}

std::optional<std::size_t> skip_name(ByteView message, std::size_t at, Spelling spelling) {
  std::size_t end = at;
  const Rdf name = read_name(message, at, &end);
  if (name == nullptr) return {};
  if (spelling == Spelling::plain && end - at != ldns_rdf_size(name.get())) return {};
  return end;
}

std::optional<RecordView> read_record(ByteView message, std::size_t at) {
  constexpr std::size_t kFixed = 10;  // type, class, TTL, the data's length
  const auto fixed = skip_name(message, at, Spelling::compressed);
  if (!fixed) return {};
  ldns_rr* raw = nullptr;
  std::size_t end = at;
  // The section matters for questions alone.
  if (ldns_wire2rr(&raw, message.data(), message.size(), &end, LDNS_SECTION_ADDITIONAL) !=
      LDNS_STATUS_OK) {
    return {};
  }
  const Rr rr(raw);
  RecordView record{};
  record.owner_size = *fixed - at;
  record.type = static_cast<std::uint16_t>(ldns_rr_get_type(rr.get()));
  record.rclass = static_cast<std::uint16_t>(ldns_rr_get_class(rr.get()));
  record.ttl_at = *fixed + 4;
  record.ttl = ldns_rr_ttl(rr.get());
  record.data_at = *fixed + kFixed;
  record.end = end;
  return record;
}

bool well_formed_options(ByteView data) {
  while (!data.empty()) {
    if (data.size() < 4) return false;
    const std::size_t size = 4u + read_u16(data, 2);
    if (size > data.size()) return false;
    data = data.subspan(size);
  }
  return true;
}

void append_opt(Bytes& bytes, const OptFields& fields) {
  bytes.push_back(0);
  append_u16(bytes, kOpt);
  append_u16(bytes, fields.payload);
  append_u32(bytes, static_cast<std::uint32_t>(fields.rcode >> 4) << 24 |
                        (fields.dnssec_ok ? kDnssecOk : 0));
  append_u16(bytes, 0);
}

}  // namespace heddle::dns
