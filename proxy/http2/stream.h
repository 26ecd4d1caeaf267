#pragma once
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http2/field_block.h"
#include "proxy/io/read_buffer.h"

namespace heddle::http2 {

class Session;

// Codes of RST_STREAM and GOAWAY: RFC 9113, section 7.
enum class ErrorCode : std::uint32_t {
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  flow_control_error = 3,
  stream_closed = 5,
  refused_stream = 7,
  cancel = 8,
  compression_error = 9,
  enhance_your_calm = 11,
};

// One stream: what came on it and was not used yet, and what is to go out. It belongs to whoever
// serves or asks; the session refers to it until either ends. Threads: the session's.
class Stream : public boost::intrusive::list_base_hook<
                   boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Stream() = default;
  virtual ~Stream();  // resets it, if it is not over
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  bool is_over() const { return over_.has_value(); }
  // How it ended, once it has: no_error when both sides said all that they had to say.
  std::optional<ErrorCode> over() const { return over_; }
  // The peer did nothing with the request: REFUSED_STREAM, or above GOAWAY's last stream.
  bool untouched() const { return over_ == ErrorCode::refused_stream; }

  // Heads that came, oldest first, as HTTP/1 text.
  std::vector<std::string>& heads() { return heads_; }
  std::string_view body() const { return in_.view(); }
  bool body_ended() const { return in_ended_; }
  const std::string& trailers() const { return in_trailers_; }
  bool head_too_large() const { return head_too_large_; }
  std::size_t unsent() const { return out_.size(); }
  bool all_sent() const { return out_sent_; }  // the end of it, too
  std::int32_t id() const { return id_; }

 protected:
  // Something came, or the stream is over.
  virtual void on_came() = 0;
  // Half or all of what was to go out went out; or the stream is over.
  virtual void on_room() = 0;

 private:
  friend class Session;
  std::int32_t id_ = -1;
  Session* session_ = nullptr;  // while it knows the stream
  std::vector<std::string> heads_;
  io::ReadBuffer in_;
  std::string in_trailers_;
  io::ReadBuffer out_;
  FieldBlock out_trailers_;
  std::optional<ErrorCode> over_;
  bool in_ended_ = false;
  bool out_ended_ = false;
  bool out_sent_ = false;
  bool deferred_ = false;
  bool answered_ = false;  // server: the final head was handed over
  bool reset_by_us_ = false;
  bool head_too_large_ = false;
};

}  // namespace heddle::http2
