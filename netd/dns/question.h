#pragma once
#include <array>
#include <string>

#include "netd/dns/message.h"

namespace heddle::dns {

// What an attacker who cannot see our queries would have to guess (RFC 5452), beside the port.
struct Secrets {
  std::uint16_t id = 0;
  std::array<std::uint8_t, 32> spelling{};  // a bit for each byte of a name
};

// A query on its way to an upstream: without what is between the asker and us alone, its id, its
// spelling of the name, the options of its EDNS. A value.
class Question final {
 public:
  // `query` was parsed from `message`.
  Question(ByteView message, const Query& query);

  // Questions with equal keys have equal answers.
  const std::string& key() const { return key_; }

  struct Form {
    bool edns = true;
    bool mixed_case = true;  // draft-vixie-dnsext-dns0x20: the answer repeats the spelling
  };
  // The message that asks it.
  Bytes encode(const Secrets& secrets, Form form) const;

 private:
  Bytes wire_;  // name in lower case, type, class
  std::uint8_t flags_ = 0;
  std::string key_;
};

// Whether `reply` answers `sent`: a response with its id and its question, byte for byte. Another
// spelling is either a server that does not keep it, or a guess.
enum class Match { yes, other_spelling, no };
Match match(ByteView sent, ByteView reply);

// The question in `message` as it is spelled; `query` was parsed from it.
std::string spelled_question(ByteView message, const Query& query);

}  // namespace heddle::dns
