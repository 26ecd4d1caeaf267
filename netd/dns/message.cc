#include "netd/dns/message.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/check.h"

namespace heddle::dns {
namespace {

constexpr std::uint16_t kInternet = 1;       // class IN
constexpr std::uint16_t kMaxAskedAdditional = 2;  // OPT and TSIG
constexpr std::uint16_t kToQuestion = 0xc000 | kHeaderSize;
constexpr std::size_t kMaxPointed = 0x4000;  // what a compression pointer reaches
constexpr std::size_t kMaxRemembered = 64;   // names that later ones may point to

char lower(std::uint8_t c) {
  return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

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
      const char c = lower(wire[at + i]);
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

// Writes one reply. Names that were written are pointed to when they come again (RFC 1035, section
// 4.1.4).
class Writer final {
 public:
  Writer(ByteView message, const Query& query, const Reply& reply, std::size_t limit)
      : limit_(limit - (query.edns ? kOptSize : 0)), query_(query), reply_(reply) {
    bytes_.reserve(kMinPayload);
    bytes_.assign(message.begin(), message.begin() + kHeaderSize);
    bytes_.insert(bytes_.end(), message.begin() + kHeaderSize,
                  message.begin() + static_cast<std::ptrdiff_t>(kHeaderSize + query.question_size));
    if (!query.name.empty()) remember(query.name, kHeaderSize);
  }

  Bytes write() && {
    const Written answers = write_all(reply_.answers);
    const Written authority = write_all(reply_.authority);
    const bool whole = answers.all && authority.all;
    const std::size_t before = bytes_.size();
    Written additional = whole ? write_all(reply_.additional) : Written{0, false};
    if (!additional.all) {  // all of them or none
      bytes_.resize(before);
      additional.count = 0;
    }
    const auto rcode = static_cast<std::uint16_t>(reply_.rcode);
    if (query_.edns) append_opt(bytes_, {kOurPayload, rcode, query_.dnssec_ok});
    bytes_[2] = static_cast<std::uint8_t>(kResponse | (reply_.authoritative ? kAuthoritative : 0) |
                                          (whole ? 0 : kTruncated) |
                                          (query_.recursion_desired ? kRecursionDesired : 0));
    bytes_[3] = static_cast<std::uint8_t>(
        kRecursionAvailable | (query_.checking_disabled ? kCheckingDisabled : 0) | (rcode & 0x0f));
    write_u16(bytes_, 6, answers.count);
    write_u16(bytes_, 8, authority.count);
    write_u16(bytes_, 10, static_cast<std::uint16_t>(additional.count + (query_.edns ? 1 : 0)));
    return std::move(bytes_);
  }

 private:
  enum class Pointing { yes, no };
  struct Written {
    std::uint16_t count = 0;
    bool all = true;
  };

  // From the first until one does not fit; one with a name that cannot be written is left out.
  Written write_all(const std::vector<Record>& records) {
    Written written;
    for (const Record& record : records) {
      const std::size_t before = bytes_.size();
      const bool possible = write_record(record);
      if (possible && bytes_.size() <= limit_) {
        ++written.count;
        continue;
      }
      bytes_.resize(before);
      std::erase_if(remembered_, [before](const auto& name) { return name.second >= before; });
      if (possible) return {written.count, false};
    }
    return written;
  }

  bool write_record(const Record& record) {
    if (record.owner.empty()) {
      append_u16(bytes_, kToQuestion);
    } else if (!write_name(record.owner, Pointing::yes)) {
      return false;
    }
    append_u16(bytes_, type_of(record));
    append_u16(bytes_, kInternet);
    append_u32(bytes_, record.ttl);
    const std::size_t length_at = bytes_.size();
    append_u16(bytes_, 0);
    if (!std::visit([this](const auto& data) { return write_data(data); }, record.data)) {
      return false;
    }
    write_u16(bytes_, length_at, static_cast<std::uint16_t>(bytes_.size() - length_at - 2));
    return true;
  }

  static std::uint16_t type_of(const Record& record) {
    constexpr Type kTypes[] = {Type::a, Type::srv, Type::ptr, Type::soa};
    const auto* address = std::get_if<IpAddr>(&record.data);
    if (address != nullptr && !address->is_v4()) return static_cast<std::uint16_t>(Type::aaaa);
    return static_cast<std::uint16_t>(kTypes[record.data.index()]);
  }

  bool write_data(const IpAddr& address) {
    const auto& from = address.bytes();
    bytes_.insert(bytes_.end(), from.begin(), from.begin() + (address.is_v4() ? 4 : 16));
    return true;
  }
  bool write_data(const SrvData& srv) {
    append_u16(bytes_, srv.priority);
    append_u16(bytes_, srv.weight);
    append_u16(bytes_, srv.port);
    return write_name(srv.target, Pointing::no);  // RFC 2782: spelled out
  }
  bool write_data(const PtrData& ptr) { return write_name(ptr.target, Pointing::yes); }
  bool write_data(const SoaData& soa) {
    if (!write_name(soa.server, Pointing::yes) || !write_name(soa.mailbox, Pointing::yes)) {
      return false;
    }
    // Serial, refresh, retry, expire: nobody transfers this zone.
    for (const std::uint32_t number : {1u, 3600u, 600u, 86400u, soa.negative_ttl}) {
      append_u32(bytes_, number);
    }
    return true;
  }

  void remember(std::string_view name, std::size_t at) {
    if (remembered_.size() < kMaxRemembered && at < kMaxPointed) remembered_.emplace_back(name, at);
  }

  // Where in what was written a name ends like `name`, or 0. The n-th byte of the text is also the
  // n-th on the wire: a dot here is the length of the next label there.
  std::size_t find_written(std::string_view name) const {
    for (const auto& [known, at] : remembered_) {
      if (!known.ends_with(name)) continue;
      const std::size_t before = known.size() - name.size();
      if (before > 0 && known[before - 1] != '.') continue;
      if (at + before < kMaxPointed) return at + before;
    }
    return 0;
  }

  // False for what is no name: a label or the whole too long, an empty label.
  bool write_name(std::string_view name, Pointing pointing) {
    const std::size_t start = bytes_.size();
    if (name.size() > kMaxName - 2) return false;
    // Without pointers inside, so that others may point into any part of it.
    bool spelled_out = true;
    for (std::string_view rest = name; !rest.empty();) {
      const std::size_t target = pointing == Pointing::yes ? find_written(rest) : 0;
      if (target != 0) {
        append_u16(bytes_, static_cast<std::uint16_t>(0xc000 | target));
        spelled_out = false;
        break;
      }
      const std::string_view label = rest.substr(0, rest.find('.'));
      if (label.empty() || label.size() > kMaxLabel) return false;
      bytes_.push_back(static_cast<std::uint8_t>(label.size()));
      bytes_.insert(bytes_.end(), label.begin(), label.end());
      rest.remove_prefix(std::min(label.size() + 1, rest.size()));
    }
    if (spelled_out) {
      bytes_.push_back(0);
      if (!name.empty()) remember(name, start);
    }
    return true;
  }

  const std::size_t limit_;
  const Query& query_;
  const Reply& reply_;
  Bytes bytes_;
  std::vector<std::pair<std::string_view, std::size_t>> remembered_;
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
