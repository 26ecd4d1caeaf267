#include "proxy/admin/admin.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/this_coro.hpp>

#include "proxy/http/head_scanner.h"
#include "proxy/http/message.h"
#include "proxy/http/serialize.h"

namespace heddle::admin {
namespace {

constexpr http::Limits kLimits{.head_bytes = 16 << 10, .field_count = 64};
constexpr std::chrono::seconds kPatience{10};

}  // namespace

Result<std::unique_ptr<Admin>> Admin::open(asio::any_io_executor executor, UniqueFd socket,
                                           Access access, Pages pages) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return fail_errno(errno, "the metrics socket");
  }
  std::unique_ptr<Admin> admin(new Admin(executor, access, std::move(pages)));
  boost::system::error_code ec;
  // A unix socket goes as IPv4: the protocol matters for sockets that Asio opens, not for these.
  admin->acceptor_.assign(address.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(),
                          socket.get(), ec);
  if (ec) return fail_errno(ec.value(), "the metrics socket");
  (void)socket.release();
  return admin;
}

Admin::Admin(asio::any_io_executor executor, Access access, Pages pages)
    : deadlines_(executor),
      acceptor_(executor),
      access_(access),
      pages_(std::move(pages)),
      connections_(executor) {}

void Admin::stop() {
  stopping_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  for (io::Stream* stream : streams_) stream->abort();
}

Task<> Admin::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!stopping_) {
    auto [ec, socket] = co_await acceptor_.async_accept(nothrow);
    if (stopping_ || ec == asio::error::bad_descriptor) break;
    if (ec || connections_.size() >= kMaxConnections) continue;
    connections_.spawn(serve(std::move(socket)));
  }
  co_await connections_.join();
}

Task<std::string> Admin::answer(std::string_view head) const {
  http::RequestHead request;
  Page page;
  if (const auto refusal = http::parse_request(head, kLimits, request)) {
    page.status = http::status_of(*refusal);
    page.body = std::string(http::text_of(*refusal)) + "\n";
  } else if (request.method == "POST" ? access_ != Access::change
                                      : request.method != "GET" && !request.is_head()) {
    page.status = 405;
    page.body = access_ == Access::change ? "only GET, HEAD and POST are served here\n"
                                          : "only GET and HEAD are served here\n";
  } else {
    const auto mark = request.target.find('?');
    Ask ask{request.method, request.path, {}};
    if (request.is_head()) ask.method = "GET";
    if (mark != std::string_view::npos) ask.query = request.target.substr(mark + 1);
    page = co_await pages_(ask);
  }
  http::LocalResponse response;
  response.status = page.status;
  response.content_type = page.type;
  response.body = page.body;
  response.to_head = request.is_head();
  std::string out;
  http::append_local(out, response);
  co_return out;
}

// One request per connection: scrapes are seconds apart.
Task<> Admin::serve(io::Stream::Socket socket) {
  co_await asio::this_coro::throw_if_cancelled(false);
  io::Stream stream(std::move(socket), deadlines_);
  streams_.insert(&stream);
  io::ReadBuffer in;
  http::HeadScanner scanner;
  const Deadline deadline = after(kPatience);
  while (true) {
    const auto scanned = scanner.scan(in.view(), kLimits);
    if (!scanned || *scanned) {
      const std::string head(scanned ? in.view().substr(0, **scanned) : std::string_view("\r\n"));
      const std::string out = co_await answer(head);
      const io::Pieces bytes{out};
      (void)co_await stream.write_all(bytes, after(kPatience));
      stream.shutdown_send();
      break;
    }
    const auto n = co_await stream.read_some(in, 1024, deadline);
    if (!n || *n == 0) break;
  }
  streams_.erase(&stream);
}

}  // namespace heddle::admin
