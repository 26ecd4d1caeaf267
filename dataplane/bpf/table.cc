#include "dataplane/bpf/table.h"

#include <bpf/bpf.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace heddle::bpf {
namespace {

constexpr std::uint32_t kBatch = 2048;  // entries per system call

}  // namespace

Result<RawTable> RawTable::open(int fd, std::string name, std::size_t key_bytes,
                                std::size_t value_bytes) {
  bpf_map_info info{};
  std::uint32_t info_bytes = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &info_bytes) != 0)
    return fail_errno(errno, "look at map " + name);
  if (info.key_size != key_bytes || info.value_size != value_bytes)
    return fail(Errc::internal, "map " + name + " has another layout than this program");
  UniqueFd own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!own) return fail_errno(errno, "duplicate the descriptor of map " + name);
  return RawTable(std::move(own), std::move(name), key_bytes, value_bytes, info.max_entries);
}

Result<bool> RawTable::find(const void* key, void* value) const {
  if (bpf_map_lookup_elem(fd_.get(), key, value) == 0) return true;
  if (errno == ENOENT) return false;
  return fail_errno(errno, "read map " + name_);
}

Result<> RawTable::put(const void* key, const void* value) {
  if (bpf_map_update_elem(fd_.get(), key, value, BPF_ANY) == 0) return {};
  if (errno == E2BIG || errno == ENOSPC) {  // ENOSPC: a trie
    return fail(Errc::exhausted, "map " + name_ + " is full: it holds at most " +
                                     std::to_string(maximum_) + " entries");
  }
  if (errno == ENOMEM)
    return fail(Errc::exhausted, "the kernel has no memory for another entry of map " + name_);
  return fail_errno(errno, "write map " + name_);
}

Result<> RawTable::remove(const void* key) {
  if (bpf_map_delete_elem(fd_.get(), key) == 0 || errno == ENOENT) return {};
  return fail_errno(errno, "delete from map " + name_);
}

Result<std::size_t> RawTable::dump(std::vector<std::byte>& keys,
                                   std::vector<std::byte>& values) const {
  std::size_t total = 0;
  // A hash map's is a bucket's number, a trie's is a key.
  std::vector<std::byte> position(std::max(key_bytes_, sizeof(std::uint32_t)));
  bool first = true;
  std::uint32_t batch = kBatch;
  for (;;) {
    keys.resize((total + batch) * key_bytes_);
    values.resize((total + batch) * value_bytes_);
    std::uint32_t count = batch;
    const int failed = bpf_map_lookup_batch(fd_.get(), first ? nullptr : position.data(),
                                            position.data(), keys.data() + total * key_bytes_,
                                            values.data() + total * value_bytes_, &count, nullptr);
    if (failed != 0 && errno == ENOSPC) {  // one bucket holds more than the batch
      batch *= 2;
      continue;
    }
    if (failed != 0 && errno != ENOENT) return fail_errno(errno, "read map " + name_);
    first = false;
    total += count;
    if (failed != 0) break;  // ENOENT: that was the last batch
  }
  keys.resize(total * key_bytes_);
  values.resize(total * value_bytes_);
  return total;
}

}  // namespace heddle::bpf
