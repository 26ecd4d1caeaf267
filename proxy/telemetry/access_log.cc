#include "proxy/telemetry/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

namespace heddle::telemetry {
namespace {

constexpr std::size_t kMaxBacklog = 1 << 20;

}  // namespace

Result<std::unique_ptr<AccessLog>> AccessLog::open(const Settings& settings) {
  std::unique_ptr<AccessLog> log(new AccessLog);
  TRY_DO(log->configure(settings));
  return log;
}

Result<> AccessLog::configure(const Settings& settings) {
  TRY(auto format, AccessFormat::parse(settings.format));
  UniqueFd fd;
  if (settings.where == "-") {
    fd.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  } else if (settings.where != "none") {
    fd.reset(::open(settings.where.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  }
  if (settings.where != "none" && !fd) {
    return fail_errno(errno, "open the access log '" + settings.where + "'");
  }
  sample_one_in_.store(settings.sample ? settings.sample : 1, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    on_.store(bool(fd), std::memory_order_relaxed);
    fd_ = fd ? std::make_shared<const UniqueFd>(std::move(fd)) : nullptr;
    format_ = std::make_shared<const AccessFormat>(std::move(format));
  }
  if (on_.load(std::memory_order_relaxed) && !writer_.joinable()) {
    writer_ = std::thread([this] { run(); });
  }
  return {};
}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (writer_.joinable()) writer_.join();
}

bool AccessLog::wants(int status) {
  if (!on_.load(std::memory_order_relaxed)) return false;
  const std::uint32_t one_in = sample_one_in_.load(std::memory_order_relaxed);
  if (status >= 500 || one_in == 1) return true;
  return seen_.fetch_add(1, std::memory_order_relaxed) % one_in == 0;
}

void AccessLog::write(const AccessRecord& record) {
  std::shared_ptr<const AccessFormat> format;
  {
    const std::lock_guard lock(mutex_);
    format = format_;
  }
  const std::string line = format->format(record);
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (pending_.size() + line.size() > kMaxBacklog) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    was_empty = pending_.empty();
    pending_ += line;
  }
  if (was_empty) wake_.notify_one();
}

void AccessLog::run() {
  std::string batch;
  std::shared_ptr<const UniqueFd> fd;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !pending_.empty(); });
      if (pending_.empty()) return;
      batch.clear();
      batch.swap(pending_);
      fd = fd_;
    }
    if (fd) write_batch(fd->get(), batch);
  }
}

// A pipe that nobody reads must not keep the process from ending: writes are small enough not to
// block once poll() says so, and stopping gives up on what is left.
void AccessLog::write_batch(int fd, std::string_view rest) {
  while (!rest.empty()) {
    pollfd ready{fd, POLLOUT, 0};
    const int polled = ::poll(&ready, 1, 200);
    if (polled == 0) {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      continue;
    }
    const ssize_t n = ::write(fd, rest.data(), std::min<std::size_t>(rest.size(), 4096));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // a log that cannot be written must not stop the proxy
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace heddle::telemetry
