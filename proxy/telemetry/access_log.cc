#include "proxy/telemetry/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>

namespace heddle::telemetry {
namespace {

constexpr std::size_t kMaxBacklog = 1 << 20;

// Bytes outside printable ASCII are escaped one by one: what clients send need not be UTF-8.
void append_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c < ' ' || c >= 0x7f) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += static_cast<char>(c);
    }
  }
  out += '"';
}

void append_key(std::string& out, std::string_view key) {
  out += out.back() == '{' ? "\"" : ",\"";
  out.append(key).append("\":");
}

void append(std::string& out, std::string_view key, std::string_view text) {
  if (text.empty()) return;
  append_key(out, key);
  append_string(out, text);
}

void append(std::string& out, std::string_view key, std::uint64_t number) {
  append_key(out, key);
  out += std::to_string(number);
}

std::string format_time(std::chrono::system_clock::time_point at) {
  const auto since = at.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(since - seconds);
  const std::time_t whole = seconds.count();
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  char text[40];
  const std::size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + n, sizeof text - n, ".%03dZ", static_cast<int>(millis.count()));
  return text;
}

}  // namespace

std::string format_record(const AccessRecord& record) {
  std::string out = "{";
  out.reserve(400);
  append(out, "time", format_time(record.at));
  append(out, "kind", record.kind);
  append(out, "listener", record.listener);
  append(out, "client", record.client);
  append(out, "method", record.method);
  append(out, "host", record.host);
  append(out, "path", record.path);
  if (record.status) append(out, "status", static_cast<std::uint64_t>(record.status));
  append(out, "reason", record.reason);
  append(out, "request_id", record.request_id);
  append(out, "service", record.service);
  append(out, "target", record.target);
  append(out, "attempts", static_cast<std::uint64_t>(record.attempts));
  append(out, "bytes_in", record.bytes_in);
  append(out, "bytes_out", record.bytes_out);
  append_key(out, "duration_ms");
  char digits[32];
  const double ms = std::chrono::duration<double, std::milli>(record.duration).count();
  const auto end = std::to_chars(digits, digits + sizeof digits, ms, std::chars_format::fixed, 3);
  out.append(digits, end.ptr);
  out += "}\n";
  return out;
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& where,
                                                   std::uint32_t sample_one_in) {
  UniqueFd fd;
  if (where == "-") {
    fd.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  } else if (where != "none") {
    fd.reset(::open(where.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  }
  if (where != "none" && !fd) return fail_errno(errno, "open the access log '" + where + "'");
  return std::unique_ptr<AccessLog>(
      new AccessLog(std::move(fd), sample_one_in ? sample_one_in : 1));
}

AccessLog::AccessLog(UniqueFd fd, std::uint32_t sample_one_in)
    : fd_(std::move(fd)), sample_one_in_(sample_one_in) {
  if (fd_) writer_ = std::thread([this] { run(); });
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
  if (!fd_) return false;
  if (status >= 500 || sample_one_in_ == 1) return true;
  return seen_.fetch_add(1, std::memory_order_relaxed) % sample_one_in_ == 0;
}

void AccessLog::write(const AccessRecord& record) {
  if (!fd_) return;
  const std::string line = format_record(record);
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
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !pending_.empty(); });
      if (pending_.empty()) return;
      batch.clear();
      batch.swap(pending_);
    }
    write_batch(batch);
  }
}

// A pipe that nobody reads must not keep the process from ending: writes are small enough not to
// block once poll() says so, and stopping gives up on what is left.
void AccessLog::write_batch(std::string_view rest) {
  while (!rest.empty()) {
    pollfd ready{fd_.get(), POLLOUT, 0};
    const int polled = ::poll(&ready, 1, 200);
    if (polled == 0) {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      continue;
    }
    const ssize_t n = ::write(fd_.get(), rest.data(), std::min<std::size_t>(rest.size(), 4096));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // a log that cannot be written must not stop the proxy
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace heddle::telemetry
