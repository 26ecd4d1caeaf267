#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace heddle::io {

// Bytes received and not used yet, contiguous. Holds no memory until something is to be read.
class ReadBuffer {
 public:
  static constexpr std::size_t kInitial = 4096;

  std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

  // Room for at least `least` more bytes; views taken before are void.
  std::span<char> prepare(std::size_t least);
  void commit(std::size_t n) { end_ += n; }
  void consume(std::size_t n);
  void release();  // gives the memory back; the content must have been used

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace heddle::io
