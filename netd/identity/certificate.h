#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace heddle::identity {

using Digest = std::array<std::uint8_t, 32>;  // SHA-256 of a certificate's DER

// What of a certificate is read here.
struct Certificate {
  std::string common_name;
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
  Digest digest{};
};
// The first certificate of a PEM text. Errors: `invalid`.
Result<Certificate> parse_certificate(std::string_view pem);

// Whether `root_pem` signed `leaf_pem` and the leaf is good at `now`, for TLS on both sides.
// Errors: `denied`, with OpenSSL's reason.
Result<> check_signed_by(std::string_view leaf_pem, std::string_view root_pem,
                         std::chrono::system_clock::time_point now);

// A fresh EC P-256 key (PKCS #8) and a request for it (PKCS #10, RFC 2986); PEM both.
struct KeyAndRequest {
  std::string key_pem;
  std::string request_pem;
};
Result<KeyAndRequest> make_request(const std::string& common_name);
// A request for a key that exists.
Result<KeyAndRequest> make_request(const std::string& common_name, const std::string& key_pem);

// SHA-256 of the public key (SubjectPublicKeyInfo, RFC 5280) that a request is for.
Result<Digest> key_digest(std::string_view request_pem);

// Errors: `invalid` when the key is not the certificate's.
Result<> check_key_fits(std::string_view certificate_pem, std::string_view key_pem);

}  // namespace heddle::identity
