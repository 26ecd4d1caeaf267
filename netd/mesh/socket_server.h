#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/unique_fd.h"
#include "netd/mesh/unix_listener.h"
#include "netd/model/ids.h"

namespace heddle::mesh {

// `<proxy id>\n<socket name>`, as proxy/control/socket_fetch.h sends it.
struct SocketQuestion {
  model::Id proxy;
  std::string name;
  friend bool operator==(const SocketQuestion&, const SocketQuestion&) = default;
};
// Errors: `invalid`.
Result<SocketQuestion> parse_socket_question(std::string_view text);

// Gives listening sockets to proxies that run already, so that a new listener needs no new process:
// one question and one answer per connection (SOCK_SEQPACKET), the descriptor beside it
// (SCM_RIGHTS, unix(7)). Only root and `uid` are heard; who may have what is the callback's.
// Threads: the listener's own, which calls `find`.
class SocketServer final {
 public:
  struct Settings {
    std::string path;
    uid_t uid = 0;
    // A duplicate of the socket. Errors: what the proxy is told.
    std::function<Result<UniqueFd>(const Peer&, const SocketQuestion&)> find;
  };
  static Result<std::unique_ptr<SocketServer>> start(Settings settings);
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;

 private:
  explicit SocketServer(Settings settings) : settings_(std::move(settings)) {}
  void answer(int connection) const;
  Result<UniqueFd> find(int connection) const;

  const Settings settings_;
  std::unique_ptr<UnixListener> listener_;  // its thread uses the settings
};

}  // namespace heddle::mesh
