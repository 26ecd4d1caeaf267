#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "proxy/http/message.h"
#include "proxy/http/serialize.h"
#include "proxy/io/abortable.h"
#include "proxy/io/body_piece.h"
#include "proxy/listener/relay.h"

namespace heddle::listener {

// One request of a client and the way back to it, whatever its connection speaks. Functions that
// give a bool give false when the client is gone. Threads: the core's.
class ClientStream {
 public:
  virtual ~ClientStream() = default;

  virtual http::RequestHead& request() = 0;
  virtual std::string_view address() const = 0;  // of the client, without port
  virtual std::uint16_t local_port() const = 0;
  virtual std::string_view scheme() const = 0;  // that the client used
  virtual bool gone() const = 0;                // or told to end

  // The whole body, when it came with the head; it may be read again, for another target.
  virtual std::string_view whole_body() const = 0;
  // There is a body that has to be copied piece by piece, as peek_body() of a TargetStream says.
  // Errors: `timeout`; `invalid` when it is malformed; else the client is gone.
  virtual bool streams_body() const = 0;
  virtual Result<io::BodyPiece> peek_body() = 0;
  virtual void take_body(std::size_t bytes) = 0;
  virtual Task<Result<>> wait_body(Deadline deadline) = 0;
  virtual std::string_view trailers() const = 0;
  virtual std::optional<http::Refusal> body_refusal() const = 0;
  // Nobody will read the rest of the body: whoever waits for it is resumed.
  virtual void stop_body() = 0;

  virtual Task<bool> send_interim(const http::ResponseHead& head) = 0;
  // The final response. What is small is gathered until flush() or finish().
  virtual void begin(const http::ResponseHead& head) = 0;
  virtual Task<bool> send(std::string_view data) = 0;
  virtual Task<bool> flush() = 0;
  virtual Task<bool> finish(std::string_view trailers) = 0;
  // A response of the proxy's own.
  virtual Task<> answer(http::LocalResponse& response) = 0;
  // Ends a response that has begun so that nobody takes a part for the whole.
  virtual void cut() = 0;
  // Nobody is there any more.
  virtual void abandon() = 0;
  virtual bool answer_begun() const = 0;  // a byte of the final response went out
  virtual std::uint64_t bytes_out() const = 0;

  // After 101: both ends carry raw bytes. nullopt where upgrades do not exist.
  virtual std::optional<RelayEnd> raw() = 0;

  // What ends when this client is made to: see PeerScope.
  virtual void set_peer(io::Abortable* peer) = 0;
};

// While it exists, aborting the client ends what waits on `peer` too.
class PeerScope {
 public:
  PeerScope(ClientStream& client, io::Abortable& peer) : client_(client) { client.set_peer(&peer); }
  ~PeerScope() { client_.set_peer(nullptr); }
  PeerScope(const PeerScope&) = delete;
  PeerScope& operator=(const PeerScope&) = delete;

 private:
  ClientStream& client_;
};

}  // namespace heddle::listener
