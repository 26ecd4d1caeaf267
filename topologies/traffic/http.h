#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle::traffic {

struct HttpUrl {
  std::string host;
  std::uint16_t port = 80;
  std::string path = "/";
  std::string authority;  // for the Host header
};
Result<HttpUrl> parse_http_url(const std::string& url);

// Reads one HTTP/1.1 response (RFC 9112): enough for a load that judges servers, with bounds.
// Bodies by Content-Length, chunked, or up to the close; 1xx responses are skipped.
class ResponseParser final {
 public:
  static constexpr std::size_t kKept = 80;
  explicit ResponseParser(std::size_t kept = kKept) : kept_(kept) {}

  bool feed(std::string_view bytes);  // false: not HTTP, see problem()
  bool finish_at_close();             // true when the close completes the body
  bool done() const { return state_ == State::done; }
  bool empty() const { return state_ == State::head && head_.empty(); }
  int status() const { return status_; }
  bool closes() const { return closes_; }
  const std::string& problem() const { return problem_; }
  const std::string& body() const { return body_start_; }  // its first `kept` bytes
  std::string first_line() const;                          // of those

 private:
  enum class State { head, body, until_close, chunk_size, chunk, chunk_end, trailer, done, failed };
  bool fail_with(std::string problem);
  bool take_head();
  bool take_fields(std::string_view fields);
  bool take_line();
  void keep(std::string_view bytes);

  static constexpr std::size_t kMaxHead = 64 * 1024;
  std::size_t kept_;
  State state_ = State::head;
  std::string head_;  // head, or the current line of the chunked coding
  std::string body_start_;
  std::string problem_;
  std::uint64_t left_ = 0;  // of the body or chunk
  int status_ = 0;
  bool closes_ = false;
  bool chunked_ = false;
  bool has_length_ = false;
};

}  // namespace heddle::traffic
