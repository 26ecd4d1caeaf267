#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "netd/holder/keeper.h"

namespace heddle::holder {

// Keeps with systemd's fd store (sd_pid_notify_with_fds(3), FDSTORE=1), which gives the descriptors
// back at the next start (sd_listen_fds_with_names(3)). The manager does not answer, so the bound
// is counted here, and a duplicate of each descriptor is held for take_all(). Names: FDNAME allows
// no ':' and other units' sockets may be among the inherited descriptors, so ours are written with
// the prefix "h=" and '=' for ':'. Threads: any.
class SystemdKeeper final : public Keeper {
 public:
  // The bound, when systemd started us with a store: NOTIFY_SOCKET, and FDSTORE (systemd 254) or
  // HEDDLE_FD_STORE (the unit sets it beside FileDescriptorStoreMax=).
  static std::optional<std::size_t> offered();
  static Result<std::unique_ptr<Keeper>> open(std::size_t bound);

  Result<> put(const std::string& name, int fd) override;
  Result<> drop(const std::string& name) override;
  Result<std::map<std::string, UniqueFd>> take_all() override;
  Result<> shut() override;

 private:
  explicit SystemdKeeper(std::size_t bound) : bound_(bound) {}
  void inherit();

  const std::size_t bound_;
  std::mutex mutex_;
  std::map<std::string, UniqueFd> kept_;
};

std::string format_fd_name(const std::string& name);
// Absent: not one of ours.
std::optional<std::string> parse_fd_name(std::string_view text);

}  // namespace heddle::holder
