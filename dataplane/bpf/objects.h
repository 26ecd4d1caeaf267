#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "dataplane/bpf/pinned_link.h"

namespace heddle::bpf {

// The eBPF objects of ebpf/, loaded into the kernel, their maps pinned under one directory.
// Maps pinned there before are taken over with their entries if type and sizes match; one that does
// not match is unpinned and made anew, empty.
// Errors: `denied` without CAP_BPF; `unsupported` with what the kernel said when it refuses one.
class Objects final {
 public:
  static Result<std::unique_ptr<Objects>> load(const std::string& pin_dir);
  ~Objects();
  Objects(const Objects&) = delete;
  Objects& operator=(const Objects&) = delete;

  bool adopted() const { return adopted_; }

  // Descriptors, borrowed. `map` CHECKs that a map of this name (ebpf/abi/maps.h) exists.
  int map(std::string_view name) const;
  int from_container() const;
  int from_underlay() const;
  int from_vxlan() const;
  int socket_hook(SocketHook hook) const;
  int stale() const;  // -1: this kernel has no such iterator

  // An sk_lookup program for the namespace with this cookie.
  Result<UniqueFd> load_inbound(std::uint64_t cookie) const;

  // Maps that are not pinned where they should be, by file name. Another map there counts as none.
  Result<std::set<std::string>> missing_pins() const;
  Result<> restore_pins();
  // Removes the maps' pins.
  Result<> unpin();

 private:
  struct Skeletons;
  std::map<std::string, int> pinned_maps() const;  // path -> descriptor
  Objects(std::string pin_dir, std::unique_ptr<Skeletons> skeletons, bool adopted);

  std::string pin_dir_;
  std::unique_ptr<Skeletons> skeletons_;
  bool adopted_;
};

// Id that the kernel gave a program. Two loads of one program differ.
Result<std::uint32_t> program_id(int program_fd);

}  // namespace heddle::bpf
