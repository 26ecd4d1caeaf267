#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// Where the parts of a DNS message lie, as libldns reads it: bounds are checked here, and nowhere
// taken for granted. What is changed in place (id, flags, counts, TTLs) is written by the bytes.
// Source: RFC 1035, section 4.1.
namespace heddle::dns {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline constexpr std::size_t kHeaderSize = 12;
inline constexpr std::uint16_t kOpt = 41;  // the record of EDNS

// In the second pair of the header's bytes.
inline constexpr std::uint8_t kResponse = 0x80;
inline constexpr std::uint8_t kAuthoritative = 0x04;
inline constexpr std::uint8_t kTruncated = 0x02;
inline constexpr std::uint8_t kRecursionDesired = 0x01;
inline constexpr std::uint8_t kRecursionAvailable = 0x80;
inline constexpr std::uint8_t kAuthenticData = 0x20;
inline constexpr std::uint8_t kCheckingDisabled = 0x10;
inline constexpr std::uint32_t kDnssecOk = 0x8000;  // in the TTL of the OPT record

// Of names, which are compared without regard to case (RFC 4343).
inline std::uint8_t lower(std::uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c - 'A' + 'a') : c;
}

inline std::uint16_t read_u16(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
inline std::uint32_t read_u32(ByteView bytes, std::size_t at) {
  return static_cast<std::uint32_t>(read_u16(bytes, at)) << 16 | read_u16(bytes, at + 2);
}
inline void write_u16(std::span<std::uint8_t> bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}
inline void write_u32(std::span<std::uint8_t> bytes, std::size_t at, std::uint32_t value) {
  write_u16(bytes, at, static_cast<std::uint16_t>(value >> 16));
  write_u16(bytes, at + 2, static_cast<std::uint16_t>(value));
}
inline void append_u16(Bytes& bytes, std::uint16_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}
inline void append_u32(Bytes& bytes, std::uint32_t value) {
  append_u16(bytes, static_cast<std::uint16_t>(value >> 16));
  append_u16(bytes, static_cast<std::uint16_t>(value));
}

// Where the name at `at` ends; nothing when it is none. `compressed`: it may end in a pointer.
enum class Spelling { plain, compressed };
std::optional<std::size_t> skip_name(ByteView message, std::size_t at, Spelling spelling);

// A record after its name, and where it lies.
struct RecordView {
  std::uint16_t type;
  std::uint16_t rclass;
  std::uint32_t ttl;
  std::size_t owner_size;
  std::size_t ttl_at;
  std::size_t data_at;
  std::size_t end;
};
// Nothing when the bytes at `at` are no record.
std::optional<RecordView> read_record(ByteView message, std::size_t at);

// RFC 6891, section 6.1.2: codes, lengths and data up to the end.
bool well_formed_options(ByteView data);

// Appends an OPT record without options. `rcode`: the whole, of which it carries the upper bits.
struct OptFields {
  std::uint16_t payload;
  std::uint16_t rcode;
  bool dnssec_ok;
};
inline constexpr std::size_t kOptSize = 11;
void append_opt(Bytes& bytes, const OptFields& fields);

}  // namespace heddle::dns
