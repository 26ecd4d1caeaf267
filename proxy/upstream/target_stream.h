#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "proxy/http/message.h"
#include "proxy/http/serialize.h"
#include "proxy/io/abortable.h"
#include "proxy/io/body_piece.h"

namespace heddle::upstream {

// One request on its way to a target and its response, whatever the connection speaks. What fails
// leaves the stream of no more use.
// Errors: `timeout`; `cancelled` after abort(); `invalid` for a malformed response; `unavailable`
//   when the target closed. Threads: the core's.
class TargetStream : public io::Abortable {
 public:
  virtual ~TargetStream() = default;

  struct Request {
    const http::RequestHead& head;
    const http::RequestEdit& edit;
    std::string_view whole_body;  // when all of it is there already
    bool more_body = false;       // it comes by send_body() and end_body()
  };
  // Value: false if the target cannot have seen a byte. `request` is the caller's until the end.
  virtual Task<Result<bool>> send_request(Request request, Deadline deadline) = 0;
  virtual Task<Result<>> send_body(std::string_view data, Deadline deadline) = 0;
  // `trailers`: validated `Name: value\r\n` lines.
  virtual Task<Result<>> end_body(std::string_view trailers, Deadline deadline) = 0;

  // The next head, 1xx ones too. `out` is the caller's until the end.
  virtual Task<Result<>> read_head(http::ResponseHead& out, http::ResponseContext context,
                                   Deadline deadline) = 0;
  // The body of the head that was read last, as far as it is here: an empty piece that is not the
  // last says that nothing is. A piece stays until take_body().
  virtual Result<io::BodyPiece> peek_body() = 0;
  virtual void take_body(std::size_t bytes) = 0;
  virtual Task<Result<>> wait_body(Deadline deadline) = 0;
  virtual std::string_view trailers() const = 0;

  // Moves the deadline of the read that is under way, if one is.
  virtual void expect_answer_by(Deadline deadline) = 0;
  // A byte of a response came.
  virtual bool answer_begun() const = 0;
  // The target says, or it is known, that it did nothing with the request.
  virtual bool untouched() const { return false; }
};

}  // namespace heddle::upstream
