#pragma once
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "netd/identity/certificate.h"

namespace heddle::identity {

// What `heddle swarm join` is given: which authority to trust, and the secret that lets a node in.
// Text: HDLTKN-1-<64 hexadecimal digits>-<32 of a-z, 2-7>.
struct JoinToken {
  Digest root{};       // of the swarm's root certificate
  std::string secret;  // 160 random bits in base32 (RFC 4648, lower case)
  friend bool operator==(const JoinToken&, const JoinToken&) = default;
};

// Errors: `invalid`, saying which part is wrong and how; never repeating the secret.
Result<JoinToken> parse_token(std::string_view text);
std::string format(const JoinToken& token);

// From the kernel's generator.
std::string make_secret();
// Takes equally long wherever they differ.
bool secrets_match(std::string_view a, std::string_view b);

std::string format(const Digest& digest);  // hexadecimal

}  // namespace heddle::identity
