#include "dataplane/bpf/libbpf_log.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <utility>

namespace heddle::bpf {
namespace {

constexpr std::size_t kKeptBytes = 1500;  // a verifier's last words, not its whole log

thread_local std::string kept;

// libbpf's own format strings and arguments.
int keep(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (length <= 0) return 0;
  // One call may carry a whole verifier log.
  std::string text(static_cast<std::size_t>(length), '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, arguments);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (!kept.empty()) kept += "; ";
  kept += text;
  if (kept.size() > kKeptBytes) kept.erase(0, kept.size() - kKeptBytes);
  return 0;
}

}  // namespace

void begin_libbpf_log() {
  libbpf_set_print(&keep);
  kept.clear();
}

std::string take_libbpf_log() {
  return std::exchange(kept, {});
}

}  // namespace heddle::bpf
