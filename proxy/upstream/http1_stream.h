#pragma once
#include <string>

#include "proxy/http/body_decoder.h"
#include "proxy/upstream/connection.h"
#include "proxy/upstream/target_stream.h"

namespace heddle::upstream {

// A request on an HTTP/1 connection, which it has for itself. Threads: the core's.
class Http1Stream final : public TargetStream {
 public:
  // `connection` and `scratch` are the caller's for as long as this lives.
  Http1Stream(Connection& connection, const http::Limits& limits, std::string& scratch)
      : connection_(connection), limits_(limits), scratch_(scratch) {}

  Task<Result<bool>> send_request(Request request, Deadline deadline) override;
  Task<Result<>> send_body(std::string_view data, Deadline deadline) override;
  Task<Result<>> end_body(std::string_view trailers, Deadline deadline) override;
  Task<Result<>> read_head(http::ResponseHead& out, http::ResponseContext context,
                           Deadline deadline) override;
  Result<io::BodyPiece> peek_body() override;
  void take_body(std::size_t bytes) override;
  Task<Result<>> wait_body(Deadline deadline) override;
  std::string_view trailers() const override { return decoder_.trailers(); }
  void expect_answer_by(Deadline deadline) override { connection_.stream.expect_read_by(deadline); }
  bool answer_begun() const override { return begun_; }
  void abort() override { connection_.stream.abort(); }

  // Its framing left no doubt and nothing came after it: another request may use the connection.
  bool is_reusable() const;

 private:
  Connection& connection_;
  const http::Limits& limits_;
  std::string& scratch_;
  http::BodyKind to_target_ = http::BodyKind::none;
  http::BodyDecoder decoder_;
  std::size_t piece_consumed_ = 0;  // framing and data of the piece that is out
  std::size_t room_ = 0;            // for the next read of a body
  bool begun_ = false;
  bool reusable_ = false;
};

}  // namespace heddle::upstream
