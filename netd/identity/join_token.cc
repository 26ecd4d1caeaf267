#include "netd/identity/join_token.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <array>

#include "common/base/check.h"

namespace heddle::identity {
namespace {

constexpr std::string_view kPrefix = "HDLTKN";
constexpr std::string_view kVersion = "1";
constexpr std::size_t kDigestText = 64;
constexpr std::size_t kSecretText = 32;
constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view kHex = "0123456789abcdef";

std::unexpected<Error> bad(std::string_view why) {
  return fail(Errc::invalid, "the join token " + std::string(why) +
                                 "; copy it whole from `heddle swarm join-token worker`");
}

// Cuts the part before the next '-' off `rest`.
std::string_view next_part(std::string_view& rest) {
  const std::size_t dash = rest.find('-');
  const std::string_view part = rest.substr(0, dash);
  rest = dash == std::string_view::npos ? std::string_view() : rest.substr(dash + 1);
  return part;
}

std::string sizes(std::size_t have, std::size_t want) {
  return std::to_string(have) + " of " + std::to_string(want) + " characters";
}

}  // namespace

Result<JoinToken> parse_token(std::string_view text) {
  std::string_view rest = text;
  if (text.empty()) return bad("is empty");
  if (next_part(rest) != kPrefix) return bad("does not start with HDLTKN-");
  const std::string_view version = next_part(rest);
  if (version.empty()) return bad("is cut off after its prefix");
  if (version != kVersion) {
    return bad("has version '" + std::string(version.substr(0, 16)) +
               "', and this heddle knows version 1 only");
  }
  const std::string_view digest = next_part(rest);
  if (digest.size() < kDigestText) {
    return bad("is cut off: its digest has " + sizes(digest.size(), kDigestText));
  }
  if (digest.size() > kDigestText) return bad("is malformed: its digest is too long");
  JoinToken token;
  for (std::size_t i = 0; i < kDigestText; ++i) {
    const std::size_t value = kHex.find(digest[i]);
    if (value == std::string_view::npos) {
      return bad("is malformed: its digest may have only 0-9 and a-f");
    }
    auto& byte = token.root[i / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | value);
  }
  if (rest.size() < kSecretText) {
    return bad("is cut off: its secret has " + sizes(rest.size(), kSecretText));
  }
  if (rest.size() > kSecretText) return bad("is malformed: something follows its secret");
  if (rest.find_first_not_of(kBase32) != std::string_view::npos) {
    return bad("is malformed: its secret may have only a-z and 2-7");
  }
  token.secret = rest;
  return token;
}

std::string format(const JoinToken& token) {
  return std::string(kPrefix) + "-" + std::string(kVersion) + "-" + format(token.root) + "-" +
         token.secret;
}

std::string make_secret() {
  std::array<unsigned char, kSecretText> random{};
  CHECK(RAND_bytes(random.data(), random.size()) == 1);
  std::string secret;
  for (const unsigned char byte : random) secret += kBase32[byte % kBase32.size()];
  return secret;
}

bool secrets_match(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string format(const Digest& digest) {
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

}  // namespace heddle::identity
