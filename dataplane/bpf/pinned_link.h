#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

// BPF links pinned in a bpffs: attachments that outlive the process and end with their pin.
namespace heddle::bpf {

// The socket hooks, in the order of the table in pinned_link.cc.
enum class SocketHook {
  connect4,
  connect6,
  sendmsg4,
  sendmsg6,
  recvmsg4,
  recvmsg6,
  getpeername4,
  getpeername6,
  sockops,
  getsockopt,
};
inline constexpr int kSocketHooks = 10;
std::string_view name_of(SocketHook hook);

// A cgroup2 directory held open for attaching.
struct Cgroup {
  int fd = -1;           // borrowed
  std::uint64_t id = 0;  // bpf_get_current_cgroup_id() of processes in it
};

// Attaches `program_fd` and pins the link at `path`; a link there on the same cgroup gets the new
// program in place, without a gap. Others' programs on the cgroup go on running.
// Errors: `exhausted` when 64 programs share the cgroup already.
Result<> ensure_cgroup_link(const std::string& path, SocketHook hook, Cgroup cgroup,
                            int program_fd);

// The same for sk_lookup in a network namespace. A link whose namespace is gone is replaced.
Result<> ensure_lookup_link(const std::string& path, int netns_fd, int program_fd);

// Gives an existing sk_lookup link another program. Returns false when the link's namespace is
// gone.
Result<bool> replace_lookup_program(const std::string& path, int program_fd);

// Whether the pinned link is attached to something that still exists.
Result<bool> is_attached(const std::string& path);

// Detaches and unpins. Absence is success.
Result<> remove_link(const std::string& path);

}  // namespace heddle::bpf
