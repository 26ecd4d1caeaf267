#include "netd/holder/systemd_keeper.h"

#include <fcntl.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "common/observe/log.h"
#include "netd/holder/protocol.h"

namespace heddle::holder {
namespace {

constexpr std::string_view kPrefix = "h=";

std::optional<std::size_t> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  if (error != std::errc() || *end != '\0' || value == 0) return std::nullopt;
  return value;
}

Result<> notify(const std::string& state, const int* fd) {
  const int n = ::sd_pid_notify_with_fds(0, 0, state.c_str(), fd, fd != nullptr ? 1 : 0);
  if (n > 0) return {};
  if (n == 0) return fail(Errc::unavailable, "NOTIFY_SOCKET is not set any more");
  return fail_errno(-n, "tell systemd");
}

Result<> remove_from_store(const std::string& name) {
  return notify("FDSTOREREMOVE=1\nFDNAME=" + format_fd_name(name), nullptr);
}

}  // namespace

std::string format_fd_name(const std::string& name) {
  std::string text(kPrefix);
  text += name;
  std::replace(text.begin(), text.end(), ':', '=');
  return text;
}

std::optional<std::string> parse_fd_name(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  std::string name(text.substr(kPrefix.size()));
  std::replace(name.begin(), name.end(), '=', ':');
  if (!is_name(name)) return std::nullopt;
  return name;
}

std::optional<std::size_t> SystemdKeeper::offered() {
  if (std::getenv("NOTIFY_SOCKET") == nullptr) return std::nullopt;
  if (const auto bound = number_in("FDSTORE")) return bound;
  return number_in("HEDDLE_FD_STORE");
}

Result<std::unique_ptr<Keeper>> SystemdKeeper::open(std::size_t bound) {
  std::unique_ptr<SystemdKeeper> keeper(new SystemdKeeper(bound));
  keeper->inherit();
  return std::unique_ptr<Keeper>(std::move(keeper));
}

void SystemdKeeper::inherit() {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  for (int i = 0; i < count; ++i) {
    const auto name = parse_fd_name(names[i]);
    if (!name) continue;  // a socket unit's: not ours to own
    auto& place = kept_[*name];
    if (place) log_warn("descriptor_kept_twice", {{"name", *name}});
    place.reset(SD_LISTEN_FDS_START + i);
  }
  for (int i = 0; i < count; ++i) std::free(names[i]);
  std::free(names);
}

Result<> SystemdKeeper::put(const std::string& name, int fd) {
  if (!is_name(name)) {
    return fail(Errc::invalid, "descriptor name '" + name.substr(0, 160) +
                                   "' must be 1 to 128 of A-Z a-z 0-9 . _ : / -");
  }
  const std::lock_guard lock(mutex_);
  const bool known = kept_.contains(name);
  if (!known && kept_.size() >= bound_) {
    return fail(Errc::exhausted, "systemd's fd store is full at " + std::to_string(bound_) +
                                     "; raise FileDescriptorStoreMax= and HEDDLE_FD_STORE");
  }
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) return fail_errno(errno, "keep " + name);
  if (known) TRY_DO(remove_from_store(name).during("keep " + name));
  TRY_DO(notify("FDSTORE=1\nFDPOLL=0\nFDNAME=" + format_fd_name(name), &fd).during("keep " + name));
  kept_[name] = std::move(copy);
  return {};
}

Result<> SystemdKeeper::drop(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto it = kept_.find(name);
  if (it == kept_.end()) return {};
  TRY_DO(remove_from_store(name).during("drop " + name));
  kept_.erase(it);
  return {};
}

Result<std::map<std::string, UniqueFd>> SystemdKeeper::take_all() {
  const std::lock_guard lock(mutex_);
  std::map<std::string, UniqueFd> all;
  for (const auto& [name, fd] : kept_) {
    UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
    if (!copy) return fail_errno(errno, "take " + name);
    all.emplace(name, std::move(copy));
  }
  return all;
}

Result<> SystemdKeeper::shut() {
  const std::lock_guard lock(mutex_);
  Result<> first;
  for (const auto& [name, fd] : kept_) {
    auto removed = remove_from_store(name);
    if (!removed && first) first = std::move(removed);
  }
  kept_.clear();
  return std::move(first).during("empty systemd's fd store");
}

}  // namespace heddle::holder
