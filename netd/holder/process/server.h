#pragma once
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "netd/holder/process/table.h"

namespace heddle::process {

// heddle-holder's loop: answers the requests (answer.h) of root and of its own user until
// told to end.
// Bounds:  16 clients; a client that does not read its replies is disconnected.
// Threads: one.
class Server final {
 public:
  // Takes the lock beside the socket, then the socket's place: what a dead holder left is replaced.
  // Errors: `in_use` when a living holder has it.
  Result<> open(const std::string& socket_path);
  // Apart, because clients see the listening process as their peer (SO_PEERCRED).
  Result<> listen();

  // Until SHUT, or until `stop_fd` (a signalfd or pipe; -1 none) becomes readable.
  void run(int stop_fd);

  // Removes the socket and the lock from the file system.
  void close();

 private:
  static constexpr int kMaxClients = 16;

  void accept_client();
  void serve(UniqueFd& client);

  std::string path_;
  UniqueFd lock_;
  UniqueFd listener_;
  UniqueFd clients_[kMaxClients];
  bool ended_ = false;
  Table table_;
};

}  // namespace heddle::process
