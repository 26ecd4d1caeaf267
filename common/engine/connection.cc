#include "common/engine/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/unique_fd.h"

namespace heddle::engine {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t kMaxHead = 16 << 10;
constexpr std::size_t kReadSize = 16 << 10;

enum class Ready { yes, late, interrupted };

// Until the socket is ready for `events`; `interrupt` may be -1.
Result<Ready> wait_for(int fd, short events, int interrupt, Deadline deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const auto most = std::chrono::milliseconds(std::chrono::hours(1));
    const int timeout =
        static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), most).count());
    std::array<pollfd, 2> fds{{{fd, events, 0}, {interrupt, POLLIN, 0}}};
    const int n = ::poll(fds.data(), fds.size(), timeout);
    if (n < 0 && errno != EINTR) return fail_errno(errno, "wait for the engine");
    if (n > 0 && fds[1].revents != 0) return Ready::interrupted;
    if (n > 0 && fds[0].revents != 0) return Ready::yes;
    if (std::chrono::steady_clock::now() >= deadline) return Ready::late;
  }
}

// The same, where anything but readiness is an error.
Result<> need_ready(int fd, short events, int interrupt, Deadline deadline) {
  TRY(const Ready ready, wait_for(fd, events, interrupt, deadline));
  if (ready == Ready::interrupted) return fail(Errc::cancelled, "this program is ending");
  if (ready == Ready::late) return fail(Errc::timeout, "the engine does not answer in time");
  return {};
}

std::unexpected<Error> broken(int number) {
  return fail(Errc::unavailable, std::string("the connection broke: ") + std::strerror(number));
}

std::unexpected<Error> not_http(const error_code& ec) {
  return fail(Errc::internal, "the answer is no HTTP: " + ec.message());
}

Result<UniqueFd> dial(const Request& request, Deadline deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (request.socket.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, "its path is longer than unix(7) allows");
  }
  std::memcpy(address.sun_path, request.socket.data(), request.socket.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "open a socket");
  // EAGAIN: its backlog is full (unix(7)); there is nothing to wait on.
  while (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      return fail(errno == EACCES || errno == EPERM ? Errc::denied : Errc::unavailable,
                  std::strerror(errno));
    }
    const Deadline again = std::min(deadline, after(std::chrono::milliseconds(20)));
    TRY(const Ready ready, wait_for(-1, 0, request.interrupt, again));
    if (ready == Ready::interrupted) return fail(Errc::cancelled, "this program is ending");
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Errc::timeout, "the engine does not accept connections");
    }
  }
  return fd;
}

Result<> send_request(int fd, const Request& request, std::string_view connection,
                      Deadline deadline) {
  std::string text = request.method + " " + request.target +
                     " HTTP/1.1\r\nHost: heddle\r\nUser-Agent: heddle\r\n"
                     "Accept: application/json\r\nConnection: " +
                     std::string(connection) + "\r\n";
  // A POST without a body says so: engines wait for one otherwise (RFC 9112, section 6.3).
  if (!request.body.empty()) text += "Content-Type: application/json\r\n";
  if (request.method != "GET")
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  text += "\r\n" + request.body;
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t n = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n >= 0) {
      sent += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      TRY_DO(need_ready(fd, POLLOUT, request.interrupt, deadline));
    } else if (errno != EINTR) {
      return broken(errno);
    }
  }
  return {};
}

// Bytes that have come and are not parsed yet. Their number is bounded by what a parser leaves:
// less than a head, and one read.
class Inbox {
 public:
  std::string_view bytes() const { return std::string_view(bytes_).substr(begin_); }
  void consume(std::size_t n) {
    begin_ += n;
    if (begin_ == bytes_.size()) bytes_.clear(), begin_ = 0;
  }
  // False at the end of the stream. EAGAIN is an error of kind `unavailable` with its errno.
  Result<bool> read(int fd) {
    bytes_.erase(0, std::exchange(begin_, 0));
    const std::size_t had = bytes_.size();
    bytes_.resize(had + kReadSize);
    ssize_t n;
    do {
      n = ::recv(fd, bytes_.data() + had, kReadSize, 0);
    } while (n < 0 && errno == EINTR);
    const int number = errno;
    bytes_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0) return broken(number);
    return n > 0;
  }

 private:
  std::string bytes_;
  std::size_t begin_ = 0;
};

boost::asio::const_buffer buffer_of(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}

bool wants_more(const error_code& ec) {
  return ec == http::error::need_more || ec == http::error::need_buffer;
}

std::string header_of(const auto& message, std::string_view name) {
  const auto value = message[boost::beast::string_view(name.data(), name.size())];
  return std::string(value.data(), std::min<std::size_t>(value.size(), 64));
}

}  // namespace

Result<Answer> exchange(const Request& request, Deadline deadline) {
  TRY(const UniqueFd fd, dial(request, deadline));
  TRY_DO(send_request(fd.get(), request, "close", deadline));
  http::response_parser<http::string_body> parser;
  parser.eager(true);
  parser.header_limit(kMaxHead);
  parser.body_limit(kMaxBody);
  Inbox inbox;
  while (!parser.is_done()) {
    TRY_DO(need_ready(fd.get(), POLLIN, request.interrupt, deadline));
    TRY(const bool more, inbox.read(fd.get()));
    error_code ec;
    if (!more) {
      if (!parser.got_some()) return fail(Errc::unavailable, "it hung up without an answer");
      parser.put_eof(ec);
      if (ec) return fail(Errc::unavailable, "the answer was cut off: " + ec.message());
      break;
    }
    inbox.consume(parser.put(buffer_of(inbox.bytes()), ec));
    if (ec && !wants_more(ec)) return not_http(ec);
  }
  const auto& message = parser.get();
  return Answer{static_cast<int>(message.result_int()), header_of(message, "Api-Version"),
                message.body()};
}

struct LineStream::Impl {
  UniqueFd fd;
  Inbox inbox;
  http::response_parser<http::buffer_body> parser;
  std::string lines;         // of the body; at most one line that is not whole, and one read
  std::size_t searched = 0;  // of it, without a line's end
  bool over = false;

  // Parses what has come.
  Result<> digest();
  bool take_line(std::string& line);
};

LineStream::LineStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LineStream::~LineStream() = default;

Result<> LineStream::Impl::digest() {
  std::array<char, kReadSize> room;
  while (!parser.is_done() && !inbox.bytes().empty()) {
    parser.get().body().data = room.data();
    parser.get().body().size = room.size();
    parser.get().body().more = true;
    error_code ec;
    const std::size_t used = parser.put(buffer_of(inbox.bytes()), ec);
    inbox.consume(used);
    const std::size_t got = room.size() - parser.get().body().size;
    lines.append(room.data(), got);
    if (ec && !wants_more(ec)) return not_http(ec);
    if (used == 0 && got == 0) break;
  }
  over = parser.is_done();
  if (parser.is_header_done() && parser.get().result_int() != 200) {
    return fail(Errc::unavailable,
                "it does not tell of events: status " + std::to_string(parser.get().result_int()));
  }
  return {};
}

bool LineStream::Impl::take_line(std::string& line) {
  const auto end = lines.find('\n', searched);
  if (end == std::string::npos) {
    searched = lines.size();
    return false;
  }
  line.assign(lines, 0, end);
  lines.erase(0, end + 1);
  searched = 0;
  return true;
}

Result<std::unique_ptr<LineStream>> LineStream::open(const Request& request, Deadline deadline) {
  auto impl = std::make_unique<Impl>();
  TRY(impl->fd, dial(request, deadline));
  TRY_DO(send_request(impl->fd.get(), request, "keep-alive", deadline));
  impl->parser.eager(true);
  impl->parser.header_limit(kMaxHead);
  impl->parser.body_limit(boost::none);
  return std::unique_ptr<LineStream>(new LineStream(std::move(impl)));
}

Result<LineStream::Got> LineStream::next(std::string& line, Deadline deadline, int wake) {
  for (;;) {
    if (impl_->take_line(line)) return Got::line;
    if (impl_->lines.size() > kMaxLine) {
      return fail(Errc::internal, "an event is longer than " + std::to_string(kMaxLine) + " bytes");
    }
    if (impl_->over) return fail(Errc::unavailable, "it ended the stream of events");
    TRY(const Ready ready, wait_for(impl_->fd.get(), POLLIN, wake, deadline));
    if (ready != Ready::yes) return Got::nothing;
    TRY(const bool more, impl_->inbox.read(impl_->fd.get()));
    if (!more) return fail(Errc::unavailable, "it ended the stream of events");
    TRY_DO(impl_->digest());
  }
}

}  // namespace heddle::engine
