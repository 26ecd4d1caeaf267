#pragma once
#include <chrono>
#include <string>

namespace heddle {

// A point on the steady clock after which an operation gives up.
using Deadline = std::chrono::steady_clock::time_point;

// The seam through which programs read time, so that tests and labs can step it.
// Threads: any.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::steady_clock::time_point steady() const = 0;  // never goes back
  virtual std::chrono::system_clock::time_point wall() const = 0;    // certificates, created-at
};

// The machine's. In a lab, which cannot set that for one of its hosts, the wall clock is so many
// milliseconds away from it as the file says that HEDDLE_CLOCK_OFFSET_FILE names; one that is
// absent or holds no number says none.
class SystemClock final : public Clock {
 public:
  SystemClock();  // reads the environment
  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::now();
  }
  std::chrono::system_clock::time_point wall() const override;

 private:
  std::string offset_file_;
};

// Moves only when told to.
class ManualClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point steady() const override { return steady_; }
  std::chrono::system_clock::time_point wall() const override { return wall_; }
  void advance(std::chrono::nanoseconds by) {
    steady_ += by;
    wall_ += std::chrono::duration_cast<std::chrono::system_clock::duration>(by);
  }

 private:
  std::chrono::steady_clock::time_point steady_{std::chrono::hours(1)};
  std::chrono::system_clock::time_point wall_{std::chrono::hours(24 * 365 * 50)};
};

inline Deadline after(std::chrono::milliseconds budget) {
  return std::chrono::steady_clock::now() + budget;
}

}  // namespace heddle
