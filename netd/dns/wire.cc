#include "netd/dns/wire.h"

namespace heddle::dns {

std::optional<std::size_t> skip_name(ByteView message, std::size_t at, Spelling spelling) {
  const std::size_t start = at;
  while (at < message.size()) {
    const std::uint8_t length = message[at];
    if (length == 0) return at + 1;
    if ((length & 0xc0) == 0xc0) {
      if (spelling == Spelling::plain || at + 2 > message.size()) return {};
      const std::size_t target = read_u16(message, at) & 0x3fff;
      if (target < kHeaderSize || target >= start) return {};
      return at + 2;
    }
    if (length > kMaxLabel) return {};
    at += length + 1u;
    if (at - start > kMaxName - 1) return {};
  }
  return {};
}

std::optional<RecordView> read_record(ByteView message, std::size_t at) {
  constexpr std::size_t kFixed = 10;  // type, class, TTL, the data's length
  const auto fixed = skip_name(message, at, Spelling::compressed);
  if (!fixed || *fixed + kFixed > message.size()) return {};
  RecordView record{};
  record.owner_size = *fixed - at;
  record.type = read_u16(message, *fixed);
  record.rclass = read_u16(message, *fixed + 2);
  record.ttl_at = *fixed + 4;
  record.ttl = read_u32(message, record.ttl_at);
  record.data_at = *fixed + kFixed;
  record.end = record.data_at + read_u16(message, *fixed + 8);
  if (record.end > message.size()) return {};
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
