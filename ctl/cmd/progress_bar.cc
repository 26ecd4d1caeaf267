#include "ctl/cmd/progress_bar.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <ostream>
#include <utility>

#include "ctl/output/table.h"

namespace heddle::cmd {
namespace {

constexpr std::size_t kBar = 30;
constexpr std::size_t kDefaultColumns = 80;
constexpr const char* kEraseLine = "\r\x1b[K";

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0) return kDefaultColumns;
  return size.ws_col;
}

}  // namespace

std::string format_bar(const Advance& advance, std::size_t columns) {
  const std::size_t done = std::min(advance.done, advance.total);
  const std::size_t filled = advance.total == 0 ? 0 : kBar * done / advance.total;
  std::string out = "  [" + std::string(filled, '#') + std::string(kBar - filled, '.') + "] " +
                    std::to_string(done) + "/" + std::to_string(advance.total) + "  " +
                    output::printable(advance.what);
  // A line that wraps could not be written over.
  if (out.size() >= columns) out.resize(columns > 0 ? columns - 1 : 0);
  return out;
}

void ProgressBar::show(const Advance& advance) {
  out_ << kEraseLine << format_bar(advance, terminal_columns());
  out_.flush();
  shown_ = true;
}

void ProgressBar::clear() {
  if (!std::exchange(shown_, false)) return;
  out_ << kEraseLine;
  out_.flush();
}

}  // namespace heddle::cmd
