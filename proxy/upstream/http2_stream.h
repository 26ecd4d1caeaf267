#pragma once
#include <memory>

#include "proxy/http2/session.h"
#include "proxy/io/signal.h"
#include "proxy/upstream/http2_connection.h"
#include "proxy/upstream/target_stream.h"

namespace heddle::upstream {

// A request on a connection that it shares. Threads: the core's.
class Http2Stream final : public TargetStream, private http2::Stream {
 public:
  Http2Stream(std::shared_ptr<Http2Connection> connection, asio::any_io_executor executor,
              io::DeadlineQueue& deadlines);
  ~Http2Stream() override;

  // Errors: those of Stream::connect.
  Task<Result<>> wait_open(Deadline deadline);
  // Its body may be large: see Lease::Patience.
  void be_patient() { connection_->set_patience(true); }

  Task<Result<bool>> send_request(Request request, Deadline deadline) override;
  Task<Result<>> send_body(std::string_view data, Deadline deadline) override;
  Task<Result<>> end_body(std::string_view trailers, Deadline deadline) override;
  Task<Result<>> read_head(http::ResponseHead& out, http::ResponseContext context,
                           Deadline deadline) override;
  Result<io::BodyPiece> peek_body() override;
  void take_body(std::size_t bytes) override { connection_->session_.consume(*this, bytes); }
  Task<Result<>> wait_body(Deadline deadline) override;
  std::string_view trailers() const override { return http2::Stream::trailers(); }
  void expect_answer_by(Deadline deadline) override { came_.expect_by(deadline); }
  bool answer_begun() const override { return begun_; }
  bool untouched() const override { return !begun_ && http2::Stream::untouched(); }
  void abort() override;

 private:
  friend class Http2Connection;
  void connection_settled() { came_.notify(); }
  void on_came() override;
  void on_room() override { room_.notify(); }
  Task<Result<>> wait_came(Deadline deadline);
  Error lost() const;

  const std::shared_ptr<Http2Connection> connection_;
  io::Signal came_;
  io::Signal room_;
  bool begun_ = false;
  bool aborted_ = false;
};

}  // namespace heddle::upstream
