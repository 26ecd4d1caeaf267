#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "common/async/task_group.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "proxy/io/deadline_queue.h"
#include "proxy/io/stream.h"

namespace heddle::admin {

// The proxy's own pages for operators and Prometheus: GET requests on a socket that was handed
// over, a few connections at a time. Threads: the executor's.
class Admin {
 public:
  struct Page {
    int status = 404;
    std::string type = "text/plain; charset=utf-8";
    std::string body;
  };
  using Pages = std::function<Page(std::string_view path)>;

  // Takes `socket`. Errors: it is not a listening socket.
  static Result<std::unique_ptr<Admin>> open(asio::any_io_executor executor, UniqueFd socket,
                                             Pages pages);
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  Task<> run();  // until stop()
  void stop();

 private:
  static constexpr std::size_t kMaxConnections = 16;

  Admin(asio::any_io_executor executor, Pages pages);
  Task<> serve(io::Stream::Socket socket);
  std::string answer(std::string_view head) const;

  io::DeadlineQueue deadlines_;
  asio::ip::tcp::acceptor acceptor_;
  const Pages pages_;
  TaskGroup connections_;
  std::set<io::Stream*> streams_;  // of connections that are served now
  bool stopping_ = false;
};

}  // namespace heddle::admin
