#pragma once
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace heddle::mesh {

// A listening unix socket at a path, which is replaced when it exists. Mode 0600.
struct UnixSocket {
  std::string path;
  int type = 0;  // SOCK_STREAM or SOCK_SEQPACKET
  int backlog = 0;
  uid_t uid = 0;  // who may connect, besides root
};

// Errors: `invalid` for a path longer than 107 bytes; those of the file system.
Result<UniqueFd> listen_unix(const UnixSocket& wanted);

// One that hands over whoever connects.
// Threads: one of its own, which calls `accepted` with each connection, one at a time.
// Limits:  without a free descriptor, connections wait in the backlog.
class UnixListener final {
 public:
  struct Settings {
    UnixSocket socket;
    int flags = 0;  // of the connections: SOCK_NONBLOCK
    std::function<void(UniqueFd connection)> accepted;
  };
  // Errors: those of listen_unix().
  static Result<std::unique_ptr<UnixListener>> start(Settings settings);
  ~UnixListener();  // returns when no call is under way
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

 private:
  explicit UnixListener(Settings settings) : settings_(std::move(settings)) {}
  void accept_all();
  void accept_one();

  const Settings settings_;
  UniqueFd listener_;
  UniqueFd stop_;
  std::thread thread_;
};

// Who is at the other end of a connection, told by the kernel (SO_PEERCRED).
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
};
Result<Peer> peer_of(int connection);

}  // namespace heddle::mesh
