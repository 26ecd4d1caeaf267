#pragma once
#include <chrono>
#include <string>

#include "common/async/task.h"
#include "proxy/http2/session.h"
#include "proxy/io/read_buffer.h"
#include "proxy/io/signal.h"
#include "proxy/io/stream.h"

namespace heddle::http2 {

// Moves a session's bytes over a connection: the owner reads in a loop, write_loop() runs beside
// it. What several streams have to say at one moment leaves in one write. Threads: the core's.
class Transport {
 public:
  // All are the caller's for as long as this lives.
  Transport(Session& session, io::Stream& stream, io::ReadBuffer& in,
            asio::any_io_executor executor, io::DeadlineQueue& deadlines)
      : session_(session), stream_(stream), in_(in), output_(std::move(executor), deadlines) {}

  // Reads once and feeds the session. Errors: those of Stream; `unavailable` at the end of the
  // stream; `invalid` when the peer breaks the protocol: then the farewell is still to be written.
  Task<Result<>> read(Deadline deadline);
  // Feeds what was received before.
  Result<> feed();

  // Ends when the session is finished or finish() was called, once everything was sent; then
  // reading stops. Ends the whole stream when a write fails or the peer takes nothing for `stall`.
  Task<> write_loop(std::chrono::milliseconds stall);
  void wake() { output_.notify(); }
  void finish() {
    finishing_ = true;
    wake();
  }
  bool sent_anything() const { return sent_anything_; }

 private:
  Session& session_;
  io::Stream& stream_;
  io::ReadBuffer& in_;
  io::Signal output_;
  std::string out_;
  bool finishing_ = false;
  bool sent_anything_ = false;
};

}  // namespace heddle::http2
