#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace heddle::http {

// Why a message is not accepted: name (metric label and log value), status for a request, sentence
// for people. A malformed response is always answered with 502.
#define HEDDLE_HTTP_REFUSALS(X)                                                          \
  X(request_line, 400, "the request line is not 'METHOD SP TARGET SP HTTP/1.x'")         \
  X(method, 400, "the method is not a token")                                            \
  X(target, 400, "the request target is malformed")                                      \
  X(version, 400, "the HTTP version is malformed")                                       \
  X(unsupported_version, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here")              \
  X(connect, 501, "CONNECT is not served here")                                          \
  X(line_end, 400, "a line does not end with CRLF")                                      \
  X(field_name, 400, "a header line has no valid name before its colon")                 \
  X(field_value, 400, "a header value has a control character")                          \
  X(obs_fold, 400, "a header line starts with white space")                              \
  X(missing_host, 400, "the Host header is missing")                                     \
  X(duplicate_host, 400, "the Host header stands more than once")                        \
  X(host, 400, "the Host header is malformed")                                           \
  X(host_mismatch, 400, "the Host header differs from the request target")               \
  X(content_length, 400, "Content-Length is not one decimal number")                     \
  X(length_and_encoding, 400, "Content-Length and Transfer-Encoding exclude each other") \
  X(transfer_encoding, 400, "Transfer-Encoding is not a single final 'chunked'")         \
  X(unknown_coding, 501, "the transfer coding is not known")                             \
  X(expectation, 417, "only 'Expect: 100-continue' is understood")                       \
  X(chunk_size, 400, "a chunk size is malformed")                                        \
  X(chunk_extension, 400, "a chunk extension is malformed or too long")                  \
  X(chunk_end, 400, "a chunk does not end with CRLF")                                    \
  X(trailer, 400, "a trailer field is malformed, too long or not allowed")               \
  X(target_too_long, 414, "the request target is too long")                              \
  X(head_too_large, 431, "the header section is too large")                              \
  X(too_many_fields, 431, "there are too many header fields")                            \
  X(header_timeout, 408, "the header section did not arrive in time")                    \
  X(body_timeout, 408, "the request body did not arrive in time")                        \
  X(status_line, 400, "the status line is malformed")

enum class Refusal : std::uint8_t {
#define X(name, status, text) name,
  HEDDLE_HTTP_REFUSALS(X)
#undef X
};

inline constexpr std::size_t kRefusalCount = 0
#define X(name, status, text) +1
    HEDDLE_HTTP_REFUSALS(X)
#undef X
    ;

int status_of(Refusal refusal);
std::string_view name_of(Refusal refusal);
std::string_view text_of(Refusal refusal);

}  // namespace heddle::http
