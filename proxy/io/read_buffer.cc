#include "proxy/io/read_buffer.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"

namespace heddle::io {

std::span<char> ReadBuffer::prepare(std::size_t least) {
  if (capacity_ - end_ < least) {
    const std::size_t used = size();
    if (capacity_ - used >= least) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, used);
    } else {
      const std::size_t wanted = std::max({kInitial, capacity_ * 2, used + least});
      auto bigger = std::make_unique_for_overwrite<char[]>(wanted);
      if (used) std::memcpy(bigger.get(), bytes_.get() + begin_, used);
      bytes_ = std::move(bigger);
      capacity_ = wanted;
    }
    begin_ = 0;
    end_ = used;
  }
  return {bytes_.get() + end_, capacity_ - end_};
}

void ReadBuffer::consume(std::size_t n) {
  CHECK(n <= size());
  begin_ += n;
  if (begin_ == end_) begin_ = end_ = 0;
}

void ReadBuffer::release() {
  CHECK(empty());
  bytes_.reset();
  capacity_ = begin_ = end_ = 0;
}

}  // namespace heddle::io
