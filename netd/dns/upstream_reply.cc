#include "netd/dns/upstream_reply.h"

#include <algorithm>

#include "common/base/check.h"

namespace heddle::dns {
namespace {

constexpr std::uint16_t kSoaFixed = 22;  // two names of a byte and five numbers, at least
constexpr std::uint32_t kMaxTtl = 0x7fffffff;

// RFC 2181, section 8: with the highest bit set it is 0.
std::uint32_t sane(std::uint32_t ttl) {
  return ttl > kMaxTtl ? 0 : ttl;
}

// Walks the records of a reply into an UpstreamReply.
class Walk final {
 public:
  Walk(ByteView message, UpstreamReply& out)
      : message_(message), out_(out), at_(kHeaderSize + out.question_size) {}

  // False when the bytes are no message.
  bool run() {
    for (int section = 0; section < 3; ++section) {
      const std::size_t counter = 6 + 2 * static_cast<std::size_t>(section);
      const std::uint16_t count = read_u16(message_, counter);
      std::uint16_t kept = 0;
      for (; kept < count && !done_; ++kept) {
        if (!take_record(section)) return false;
        if (done_) break;
      }
      kept_[section] = kept;
    }
    out_.bytes.assign(message_.begin(), message_.begin() + static_cast<std::ptrdiff_t>(at_));
    for (std::size_t section = 0; section < 3; ++section) {
      write_u16(out_.bytes, 6 + 2 * section, kept_[section]);
    }
    return true;
  }

  std::uint32_t lifetime(Lifetimes longest) const {
    const bool denied = out_.is(Rcode::name_error) ||  // with a chain of aliases before it, perhaps
                        (out_.is(Rcode::no_error) && kept_[0] == 0);
    if (denied) return negative_ ? std::min({*negative_, least_, longest.negative}) : 0;
    if (!out_.is(Rcode::no_error)) return 0;
    // An alias without what was asked for comes with a SOA, and denies too.
    const std::uint32_t most =
        negative_ ? std::min(*negative_, longest.negative) : longest.positive;
    return std::min(least_, most);
  }

 private:
  bool take_record(int section) {
    const auto record = read_record(message_, at_);
    if (!record) return false;
    if (record->type == kOpt) {
      if (section != 2) return false;
      out_.rcode = static_cast<std::uint16_t>(out_.rcode | (record->ttl >> 24) << 4);
      done_ = true;
      return true;
    }
    const std::uint32_t ttl = sane(record->ttl);
    least_ = std::min(least_, ttl);
    const std::size_t size = record->end - record->data_at;
    if (section == 1 && record->type == static_cast<std::uint16_t>(Type::soa) &&
        size >= kSoaFixed) {
      negative_ = std::min(ttl, sane(read_u32(message_, record->end - 4)));
    }
    out_.ttls.push_back(static_cast<std::uint16_t>(record->ttl_at));
    at_ = record->end;
    return true;
  }

  ByteView message_;
  UpstreamReply& out_;
  std::size_t at_;
  bool done_ = false;  // the OPT record was met
  std::uint16_t kept_[3] = {};
  std::uint32_t least_ = kMaxTtl;
  std::optional<std::uint32_t> negative_;
};

}  // namespace

std::optional<UpstreamReply> parse_reply(ByteView sent, ByteView reply, Lifetimes longest) {
  if (reply.size() < kHeaderSize || reply.size() > kMaxMessage) return {};
  UpstreamReply out;
  out.rcode = reply[3] & 0x0f;
  out.truncated = (reply[2] & kTruncated) != 0;
  const auto name_end = skip_name(sent, kHeaderSize, Spelling::plain);
  if (!name_end || *name_end + 4 > sent.size()) return {};
  out.question_size = *name_end + 4 - kHeaderSize;
  const auto sent_end = sent.begin() + static_cast<std::ptrdiff_t>(*name_end + 4);
  const bool has_question = read_u16(reply, 4) == 1;
  if (has_question && reply.size() < *name_end + 4) return {};
  if (out.truncated || !has_question) {
    // Whatever it has of records is not all: none of them is passed on.
    out.bytes.assign(reply.begin(), reply.begin() + kHeaderSize);
    out.bytes.insert(out.bytes.end(), sent.begin() + kHeaderSize, sent_end);
    write_u16(out.bytes, 4, 1);
    std::fill(out.bytes.begin() + 6, out.bytes.begin() + kHeaderSize, 0);
    return out;
  }
  Walk walk(reply, out);
  if (!walk.run()) return {};
  out.lifetime = walk.lifetime(longest);
  return out;
}

Bytes render(const UpstreamReply& reply, ByteView message, const Query& query, std::uint32_t age,
             std::size_t limit) {
  CHECK(query.question_size == reply.question_size);
  const std::size_t head = kHeaderSize + reply.question_size;
  const std::size_t opt = query.edns ? kOptSize : 0;
  const bool whole = !reply.truncated && reply.bytes.size() + opt <= limit;
  Bytes bytes;
  bytes.reserve((whole ? reply.bytes.size() : head) + opt);
  bytes.assign(reply.bytes.begin(),
               whole ? reply.bytes.end() : reply.bytes.begin() + static_cast<std::ptrdiff_t>(head));
  // The asker's own spelling, which names in the records point to.
  std::copy_n(message.begin() + kHeaderSize, reply.question_size, bytes.begin() + kHeaderSize);
  if (!whole) std::fill(bytes.begin() + 6, bytes.begin() + kHeaderSize, 0);
  if (whole) {
    for (const std::uint16_t at : reply.ttls) {
      const std::uint32_t ttl = sane(read_u32(bytes, at));
      write_u32(bytes, at, ttl > age ? ttl - age : 0);
    }
  }
  std::uint16_t rcode = reply.rcode;
  if (!query.edns && rcode > 0x0f) rcode = static_cast<std::uint16_t>(Rcode::server_failure);
  const bool authentic = (reply.bytes[3] & kAuthenticData) != 0;
  set_id(bytes, query.id);
  bytes[2] = static_cast<std::uint8_t>(kResponse | (whole ? 0 : kTruncated) |
                                       (query.recursion_desired ? kRecursionDesired : 0));
  bytes[3] = static_cast<std::uint8_t>(
      kRecursionAvailable |
      (authentic && (query.authentic_data || query.dnssec_ok) ? kAuthenticData : 0) |
      (query.checking_disabled ? kCheckingDisabled : 0) | (rcode & 0x0f));
  if (query.edns) {
    append_opt(bytes, {kOurPayload, rcode, query.dnssec_ok});
    write_u16(bytes, 10, static_cast<std::uint16_t>(read_u16(bytes, 10) + 1));
  }
  return bytes;
}

}  // namespace heddle::dns
