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

// The proxy's own pages for operators and Prometheus on a listening socket, TCP or unix, a few
// connections at a time. Threads: the executor's.
class Admin {
 public:
  struct Page {
    int status = 404;
    std::string type = "text/plain; charset=utf-8";
    std::string body;
  };
  // Views live until the page is there.
  struct Ask {
    std::string_view method;  // GET (a HEAD too), POST
    std::string_view path;
    std::string_view query;
  };
  using Pages = std::function<Task<Page>(Ask)>;
  // What may be asked: only to see, or to change something (POST) as well.
  enum class Access { see, change };

  // Takes `socket`. Errors: it is not a listening socket.
  static Result<std::unique_ptr<Admin>> open(asio::any_io_executor executor, UniqueFd socket,
                                             Access access, Pages pages);
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  Task<> run();  // until stop()
  void stop();

 private:
  static constexpr std::size_t kMaxConnections = 16;

  Admin(asio::any_io_executor executor, Access access, Pages pages);
  Task<> serve(io::Stream::Socket socket);
  Task<std::string> answer(std::string_view head) const;

  io::DeadlineQueue deadlines_;
  asio::ip::tcp::acceptor acceptor_;
  const Access access_;
  const Pages pages_;
  TaskGroup connections_;
  std::set<io::Stream*> streams_;  // of connections that are served now
  bool stopping_ = false;
};

}  // namespace heddle::admin
