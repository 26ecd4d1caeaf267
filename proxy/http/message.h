#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/http/field.h"
#include "proxy/http/limits.h"
#include "proxy/http/refusal.h"

namespace heddle::http {

enum class Version : std::uint8_t { http10, http11 };
enum class BodyKind : std::uint8_t { none, length, chunked, until_close };

struct Framing {
  BodyKind kind = BodyKind::none;
  std::uint64_t length = 0;  // bytes, for `length`
  friend bool operator==(const Framing&, const Framing&) = default;
};

// The part that requests and responses share. Owns the bytes that all views point into, so it does
// not move; an object is used again for the next message, which then allocates nothing.
struct MessageHead {
  MessageHead() = default;
  MessageHead(const MessageHead&) = delete;
  MessageHead& operator=(const MessageHead&) = delete;

  std::vector<char> bytes;
  std::vector<HeaderField> fields;
  Version version = Version::http11;
  Framing body;
  bool keep_alive = false;   // the sender will keep its connection after this message
  std::string_view upgrade;  // protocols, when Connection names `upgrade`; never h2c

  const HeaderField* find(FieldId id) const;
  std::optional<std::string_view> value_of(std::string_view name) const;
};

struct RequestHead : MessageHead {
  std::string_view method;
  std::string_view target;  // origin-form or `*`, what goes upstream
  std::string_view path;    // the target before `?`
  std::string_view host;    // Host, or the authority of an absolute-form target; may be empty (1.0)
  bool expects_continue = false;
  bool takes_trailers = false;  // TE says so
  bool path_is_root = false;    // an absolute-form target without a path: `target` lacks its "/"

  bool is_head() const { return method == "HEAD"; }
  bool is_idempotent() const;  // RFC 9110, section 9.2.2
};

struct ResponseHead : MessageHead {
  int status = 0;
  std::string_view reason;
  bool reusable = false;  // framing leaves no doubt where the next response starts
};

// Parses a head that HeadScanner delimited; copies it into `out` first. RFC 9112 read strictly: one
// meaning or none. After a refusal `out` has no meaning.
std::optional<Refusal> parse_request(std::string_view bytes, const Limits& limits,
                                     RequestHead& out);

// `to_head`: the request was HEAD, so no body follows whatever the fields say.
struct ResponseContext {
  bool to_head = false;
};
std::optional<Refusal> parse_response(std::string_view bytes, const Limits& limits,
                                      ResponseContext context, ResponseHead& out);

enum class Guess { http1, other, more };
// Is this the beginning of an HTTP/1 request? Only a known method and a complete request line
// count, since other protocols (Redis: `GET key`) begin with the same words.
Guess guess_protocol(std::string_view first_bytes);

}  // namespace heddle::http
