// link: heddle_proxy_http2 heddle_proxy_http heddle_proxy_io heddle_common_base PkgConfig::NGHTTP2
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.h"
#include "proxy/http/message.h"
#include "proxy/http2/session.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

// A peer's bytes mean the same in whatever steps they come (the first byte chooses one, and which
// end of a connection is tried), cost a bounded amount, and what becomes HTTP/1 has no more lines
// than it had fields.
namespace {

using namespace heddle;
using namespace heddle::http2;

struct SessionOutcome {
  std::vector<std::string> streams;  // all that came on each
  std::vector<Flood> floods;
  std::string broken;
  bool goaway = false;
  bool operator==(const SessionOutcome&) const = default;
};

class OneStream final : public Stream {
 public:
  std::string describe() {
    std::string out;
    for (const std::string& head : heads()) out += head;
    // How much of a body came before its fault depends on the steps.
    if (over() && *over() != ErrorCode::no_error) {
      return out + "|over " + std::to_string(static_cast<int>(*over()));
    }
    out += std::string(body()) + "|" + trailers();
    out += body_ended() ? "|ended" : "|open";
    if (over()) out += "|over";
    if (head_too_large()) out += "|too large";
    return out;
  }

 private:
  void on_came() override {}
  void on_room() override {}
};

struct SessionOwner final : Session::Handler {
  std::unique_ptr<Stream> make_stream() override {
    return streams.size() < 100 ? std::make_unique<OneStream>() : nullptr;
  }
  void on_request(std::unique_ptr<Stream> stream) override {
    streams.emplace_back(static_cast<OneStream*>(stream.release()));
  }
  void on_goaway() override { out.goaway = true; }
  void on_shutdown_read() override {}
  void on_flood(Flood flood) override { out.floods.push_back(flood); }
  void on_output() override {}

  SessionOutcome out;
  std::vector<std::unique_ptr<OneStream>> streams;
};

void check_session_head(const std::string& text, Session::Role role, const http2::Limits& limits) {
  CHECK(text.ends_with("\r\n\r\n"));
  CHECK(text.find("\r\n\r\n") == text.size() - 4);
  CHECK(text.find('\0') == std::string::npos);
  CHECK(text.size() <= 2 * limits.message.head_bytes);
  if (role == Session::Role::server) {
    http::RequestHead head;
    const auto refused = http::parse_request(text, limits.message, head);
    CHECK(refused || !head.method.empty());
  } else {
    http::ResponseHead head;
    const auto refused = http::parse_response(text, limits.message, {}, head);
    CHECK(refused || head.status >= 100);
  }
}

SessionOutcome run_session(std::string_view bytes, std::size_t step, Session::Role role) {
  const http2::Limits limits;
  SessionOwner owner;
  Session session(role, limits, owner);
  const Deadline now{std::chrono::hours(1)};
  for (int i = 0; role == Session::Role::client && i < 3; ++i) {
    owner.streams.push_back(std::make_unique<OneStream>());
    FieldBlock head;
    for (const auto& [name, value] : {std::pair(":method", "GET"), std::pair(":scheme", "http"),
                                      std::pair(":path", "/"), std::pair(":authority", "a")}) {
      head.add(name, value);
    }
    CHECK(session.open(*owner.streams.back(), head, Session::Body::none));
  }
  std::string sent;
  session.take_output(sent, std::string::npos);
  while (!bytes.empty() && owner.out.broken.empty()) {
    std::string_view part = bytes.substr(0, step);
    bytes.remove_prefix(part.size());
    HEDDLE_DEFECT("a read that ends within a frame's head loses its last byte",
                  if (!bytes.empty()) part.remove_suffix(1));
    const auto received = session.receive(part, now);
    if (!received) owner.out.broken = received.error().text();
  }
  sent.clear();
  session.take_output(sent, 1 << 20);
  CHECK(sent.size() < (1 << 20));
  for (const auto& stream : owner.streams) {
    for (const std::string& head : stream->heads()) check_session_head(head, role, limits);
    CHECK(stream->body().size() <= limits.stream_window);
    owner.out.streams.push_back(stream->describe());
  }
  SessionOutcome out = owner.out;
  owner.streams.clear();
  return out;
}

}  // namespace

HEDDLE_FUZZ_TARGET(http2_session, data, size) {
  if (size == 0 || size > (256 << 10)) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto role = data[0] & 1 ? Session::Role::client : Session::Role::server;
  const SessionOutcome whole = run_session(bytes, bytes.size() + 1, role);
  const SessionOutcome steps = run_session(bytes, 1 + (data[0] >> 1) % 11, role);
  CHECK(whole == steps);
  return 0;
}
