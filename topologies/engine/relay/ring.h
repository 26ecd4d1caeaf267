#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ebpf/abi/wire.h"

namespace heddle::relay {

// Reads a BPF ring buffer of heddle_wire_record. Source: the kernel's
// Documentation/bpf/ringbuf.rst, kernel/bpf/ringbuf.c. libbpf's reader does not tell whether a
// record has been begun that it cannot give out yet, and without that a sleeper misses it.
// Threads: one reader.
class Ring final {
 public:
  // `fd`: the map, borrowed for the call.
  static Result<Ring> open(int fd);
  Ring(Ring&& other) noexcept;
  Ring& operator=(Ring&&) = delete;
  ~Ring();

  using Visit = std::function<void(const heddle_wire_record& record, const std::byte* payload)>;
  // Every record that is complete, in order. Those that are not what they should be are skipped.
  void consume(const Visit& each);

  // Whether there is a record, complete or not, that consume() has not given out.
  bool has_more() const;

  int fd() const { return fd_.get(); }  // readable when there is a complete record

 private:
  Ring() = default;
  UniqueFd fd_;
  std::size_t bytes_ = 0;  // of the data; a power of two
  std::size_t page_ = 0;
  std::byte* consumer_ = nullptr;  // its position, in a page of its own, which we write
  std::byte* producer_ = nullptr;  // its position; behind that page the data, twice in a row
};

}  // namespace heddle::relay
