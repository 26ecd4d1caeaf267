#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace heddle::http2 {

struct FrameHead {
  std::uint32_t length = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::int32_t stream = 0;
};

// Finds the heads of frames in a byte stream, in whatever steps it comes. The library tells of no
// frame that it ignores, and of others only when they are whole.
class FrameScanner {
 public:
  // `skip`: bytes before the first frame (a preface).
  explicit FrameScanner(std::size_t skip) : skip_(skip) {}

  // Scans from `at` on. Value: the next head, `at` then stands behind it; nullopt at the end of
  // `bytes`. `began`: where in `bytes` the head began, 0 if in an earlier step.
  std::optional<FrameHead> next(std::string_view bytes, std::size_t& at, std::size_t& began);
  bool between() const { return skip_ == 0 && have_ == 0; }  // frames, or their head and end

 private:
  std::size_t skip_;
  std::array<std::uint8_t, 9> head_{};
  std::size_t have_ = 0;
};

}  // namespace heddle::http2
