#include "topologies/engine/relay/ring.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace heddle::relay {
namespace {

constexpr std::uint64_t kHeader = BPF_RINGBUF_HDR_SZ;

std::uint64_t round_up(std::uint64_t bytes) {
  return (bytes + 7) & ~std::uint64_t{7};
}

std::atomic_ref<std::uint64_t> position(std::byte* page) {
  return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(page));
}

Result<std::size_t> data_bytes(int fd) {
  bpf_map_info info{};
  bpf_attr attr{};
  attr.info.bpf_fd = static_cast<std::uint32_t>(fd);
  attr.info.info_len = sizeof info;
  attr.info.info = reinterpret_cast<std::uint64_t>(&info);
  if (::syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr) != 0)
    return fail_errno(errno, "look at the relay's ring");
  if (info.type != BPF_MAP_TYPE_RINGBUF || (info.max_entries & (info.max_entries - 1)) != 0)
    return fail(Errc::internal, "the relay's ring is no ring buffer");
  return info.max_entries;
}

}  // namespace

Result<Ring> Ring::open(int fd) {
  Ring ring;
  TRY(ring.bytes_, data_bytes(fd));
  ring.fd_.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!ring.fd_) return fail_errno(errno, "duplicate the ring's descriptor");
  ring.page_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* consumer = ::mmap(nullptr, ring.page_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (consumer == MAP_FAILED) return fail_errno(errno, "map the ring's position");
  ring.consumer_ = static_cast<std::byte*>(consumer);
  void* producer = ::mmap(nullptr, ring.page_ + 2 * ring.bytes_, PROT_READ, MAP_SHARED, fd,
                          static_cast<off_t>(ring.page_));
  if (producer == MAP_FAILED) return fail_errno(errno, "map the ring");
  ring.producer_ = static_cast<std::byte*>(producer);
  return ring;
}

Ring::Ring(Ring&& other) noexcept
    : fd_(std::move(other.fd_)),
      bytes_(other.bytes_),
      page_(other.page_),
      consumer_(std::exchange(other.consumer_, nullptr)),
      producer_(std::exchange(other.producer_, nullptr)) {}

Ring::~Ring() {
  if (consumer_) ::munmap(consumer_, page_);
  if (producer_) ::munmap(producer_, page_ + 2 * bytes_);
}

void Ring::consume(const Visit& each) {
  std::uint64_t at = position(consumer_).load(std::memory_order_relaxed);
  const std::uint64_t end = position(producer_).load(std::memory_order_acquire);
  while (at < end) {
    std::byte* place = producer_ + page_ + (at & (bytes_ - 1));
    const std::uint32_t length =
        std::atomic_ref(*reinterpret_cast<std::uint32_t*>(place)).load(std::memory_order_acquire);
    if (length & BPF_RINGBUF_BUSY_BIT) break;
    const std::uint32_t room = length & ~BPF_RINGBUF_DISCARD_BIT;
    if (!(length & BPF_RINGBUF_DISCARD_BIT) && room >= sizeof(heddle_wire_record)) {
      heddle_wire_record record;
      std::memcpy(&record, place + kHeader, sizeof record);
      if (record.bytes <= room - sizeof record) each(record, place + kHeader + sizeof record);
    }
    at += round_up(room + kHeader);
    position(consumer_).store(at, std::memory_order_release);
  }
}

bool Ring::has_more() const {
  return position(consumer_).load(std::memory_order_relaxed) !=
         position(producer_).load(std::memory_order_acquire);
}

}  // namespace heddle::relay
