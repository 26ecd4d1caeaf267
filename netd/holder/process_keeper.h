#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "netd/holder/keeper.h"
#include "netd/holder/protocol.h"

namespace heddle::holder {

// Keeps with a heddle-holder process over its unix socket. The process is nobody's child, in a
// session of its own: it lives through the daemon's SIGKILL.
// Threads: any; requests are one at a time, each at most 5 s.
class ProcessKeeper final : public Keeper {
 public:
  // Errors: `denied` when another user listens there; `unavailable` when none can be started.
  static Result<std::unique_ptr<Keeper>> open(const Settings& settings);

  Result<> put(const std::string& name, int fd) override;
  Result<> drop(const std::string& name) override;
  Result<std::map<std::string, UniqueFd>> take_all() override;
  Result<> shut() override;

 private:
  ProcessKeeper(Settings settings, UniqueFd socket)
      : settings_(std::move(settings)), socket_(std::move(socket)) {}

  Result<> send(const Request& request, int fd);
  Result<> receive(Reply& reply, std::vector<UniqueFd>& fds);
  Result<> ask(const Request& request, int fd, Reply& reply, std::vector<UniqueFd>& fds);
  Error gone(int sys_errno) const;

  const Settings settings_;
  std::mutex mutex_;  // guards the order of request and reply
  UniqueFd socket_;   // none after a failure: replies would be taken for others'
};

}  // namespace heddle::holder
