#include "netd/dns/question.h"

#include <algorithm>

#include "common/base/check.h"

namespace heddle::dns {
namespace {

enum Flag : std::uint8_t { kRd = 1, kCd = 2, kAd = 4, kDo = 8 };

bool is_lower(std::uint8_t c) {
  return c >= 'a' && c <= 'z';
}

// The letters of a name in lower case. Lengths are at most 63 and thus no letters.
void to_lower(std::span<std::uint8_t> name) {
  for (std::uint8_t& c : name) c = lower(c);
}

// Never without a capital where there is a letter: nobody who asks in lower case, as nearly all do,
// spells a name as we did.
void mix_case(std::span<std::uint8_t> name, const Secrets& secrets) {
  std::uint8_t* first = nullptr;
  bool capital = false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!is_lower(name[i])) continue;
    if (first == nullptr) first = &name[i];
    if ((secrets.spelling[i / 8] >> (i % 8) & 1) == 0) continue;
    name[i] = static_cast<std::uint8_t>(name[i] - 'a' + 'A');
    capital = true;
  }
  if (!capital && first != nullptr) *first = static_cast<std::uint8_t>(*first - 'a' + 'A');
}

}  // namespace

Question::Question(ByteView message, const Query& query) {
  CHECK(message.size() >= kHeaderSize + query.question_size && query.question_size > 4);
  const ByteView asked = message.subspan(kHeaderSize, query.question_size);
  wire_.assign(asked.begin(), asked.end());
  to_lower(std::span(wire_).first(wire_.size() - 4));
  if (query.recursion_desired) flags_ |= kRd;
  if (query.checking_disabled) flags_ |= kCd;
  if (query.authentic_data) flags_ |= kAd;
  if (query.dnssec_ok) flags_ |= kDo;
  key_.assign(wire_.begin(), wire_.end());
  key_ += static_cast<char>(flags_);
}

Bytes Question::encode(const Secrets& secrets, Form form) const {
  Bytes bytes(kHeaderSize, 0);
  bytes.reserve(kHeaderSize + wire_.size() + kOptSize);
  write_u16(bytes, 0, secrets.id);
  if ((flags_ & kRd) != 0) bytes[2] |= kRecursionDesired;
  if ((flags_ & kCd) != 0) bytes[3] |= kCheckingDisabled;
  if ((flags_ & kAd) != 0) bytes[3] |= kAuthenticData;
  write_u16(bytes, 4, 1);
  bytes.insert(bytes.end(), wire_.begin(), wire_.end());
  if (form.mixed_case) mix_case(std::span(bytes).subspan(kHeaderSize, wire_.size() - 4), secrets);
  if (form.edns) {
    append_opt(bytes, {kOurPayload, 0, (flags_ & kDo) != 0});
    write_u16(bytes, 10, 1);
  }
  return bytes;
}

Match match(ByteView sent, ByteView reply) {
  if (sent.size() < kHeaderSize || reply.size() < kHeaderSize) return Match::no;
  if ((reply[2] & kResponse) == 0 || (reply[2] & 0x78) != 0) return Match::no;
  if (id_of(sent) != id_of(reply)) return Match::no;
  // A server that cannot read the question may leave it out of its refusal.
  if (read_u16(reply, 4) == 0) return (reply[3] & 0x0f) != 0 ? Match::yes : Match::no;
  const auto name_end = skip_name(sent, kHeaderSize, Spelling::plain);
  if (read_u16(reply, 4) != 1 || !name_end || reply.size() < *name_end + 4) return Match::no;
  const ByteView asked = sent.subspan(kHeaderSize, *name_end + 4 - kHeaderSize);
  const ByteView told = reply.subspan(kHeaderSize, asked.size());
  if (std::ranges::equal(asked, told)) return Match::yes;
  const auto same = [](std::uint8_t a, std::uint8_t b) { return lower(a) == lower(b); };
  const std::size_t name = asked.size() - 4;
  if (!std::ranges::equal(asked.first(name), told.first(name), same)) return Match::no;
  return std::ranges::equal(asked.subspan(name), told.subspan(name)) ? Match::other_spelling
                                                                     : Match::no;
}

std::string spelled_question(ByteView message, const Query& query) {
  const ByteView asked = message.subspan(kHeaderSize, query.question_size);
  return std::string(asked.begin(), asked.end());
}

}  // namespace heddle::dns
