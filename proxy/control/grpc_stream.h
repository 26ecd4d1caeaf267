#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle::control {

// One bidirectional gRPC call over one HTTP/2 connection, without I/O: bytes in, messages out, and
// the other way round. Source: gRPC over HTTP2 (PROTOCOL-HTTP2.md), RFC 9113.
// Errors: `unavailable` when the server ends the call (with its status), `invalid` for a message
//   that is compressed or above kMaxMessageBytes; after an error the object is of no more use.
class GrpcStream {
 public:
  static constexpr std::size_t kMaxMessageBytes = 16 << 20;

  // `path`: "/package.Service/Method".
  explicit GrpcStream(std::string path);
  ~GrpcStream();
  GrpcStream(const GrpcStream&) = delete;
  GrpcStream& operator=(const GrpcStream&) = delete;

  void send(std::string_view message);
  // Bytes that came from the server. `on_message` is called for each whole message.
  Result<> receive(std::string_view bytes, const std::function<void(std::string_view)>& on_message);
  // What has to go to the server now; empty when there is nothing.
  std::string take_output();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace heddle::control
