#include "proxy/http2/frame_scanner.h"

#include <algorithm>

namespace heddle::http2 {

std::optional<FrameHead> FrameScanner::next(std::string_view bytes, std::size_t& at,
                                            std::size_t& began) {
  const std::size_t skipped = std::min(skip_, bytes.size() - at);
  skip_ -= skipped;
  at += skipped;
  began = have_ == 0 ? at : 0;
  while (have_ < head_.size()) {
    if (at == bytes.size()) return std::nullopt;
    head_[have_++] = static_cast<std::uint8_t>(bytes[at++]);
  }
  have_ = 0;
  FrameHead out;
  out.length = static_cast<std::uint32_t>(head_[0]) << 16 |
               static_cast<std::uint32_t>(head_[1]) << 8 | head_[2];
  out.type = head_[3];
  out.flags = head_[4];
  out.stream = static_cast<std::int32_t>((static_cast<std::uint32_t>(head_[5]) << 24 |
                                          static_cast<std::uint32_t>(head_[6]) << 16 |
                                          static_cast<std::uint32_t>(head_[7]) << 8 | head_[8]) &
                                         0x7fffffffu);
  skip_ = out.length;
  return out;
}

}  // namespace heddle::http2
