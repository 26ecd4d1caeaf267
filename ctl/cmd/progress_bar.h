#pragma once
#include <cstddef>
#include <iosfwd>
#include <string>

namespace heddle::cmd {

// `  [#########.....] 12/40  h3`, at most so many columns wide.
struct Advance {
  std::size_t done = 0;
  std::size_t total = 0;  // at least 1
  std::string what;       // the last thing that was done
};
std::string format_bar(const Advance& advance, std::size_t columns);

// A line at the end of a terminal's output that is written over. Threads: main's.
class ProgressBar final {
 public:
  explicit ProgressBar(std::ostream& out) : out_(out) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(const Advance& advance);
  void clear();  // before anything else is printed

 private:
  std::ostream& out_;
  bool shown_ = false;
};

}  // namespace heddle::cmd
