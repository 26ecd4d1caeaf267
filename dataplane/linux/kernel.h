#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "dataplane/bpf/programs.h"
#include "dataplane/intent/kernel.h"

namespace heddle::dataplane {

// Where the inbound listeners of sidecars are kept.
class ListenerSource {
 public:
  virtual ~ListenerSource() = default;
  // The socket that listens on `port` inside `sandbox`, borrowed until the next call; -1 when there
  // is none (yet).
  virtual int listener(const SandboxPath& sandbox, std::uint16_t port) = 0;
};

// The kernel of the network namespace in which it was opened. `Kernel` says what callers may rely
// on; how states show that no intent describes:
//   - a link that is down has MTU 0;
//   - what belongs to a link that went (its port, its addresses' map entries) is named `if#12`, to
//   a
//     sandbox that went `cookie:1234`, to a cgroup that went `cgroup:99`; Remove operations accept
//     the first two;
//   - an nft table changed by hand has rules of a device called `altered: chain forward is
//   missing`,
//     one for each alteration (nft/ruleset.h).
// Addresses and routes that others set on our links, inside and outside of sandboxes, are left
// alone and do not show.
// Threads: one caller at a time, any thread of that namespace.
class LinuxKernel final : public Kernel {
 public:
  struct Settings {
    std::uint32_t link_group = 0;  // IFLA_GROUP of our links, unique; not 0, bits 29 and 31 clear
    std::string nft_table;         // of family inet, unique to the daemon
    std::string cgroup;            // the cgroup2 directory that relative proxy cgroups are under
  };

  // `programs`: or why they could not be loaded, which operations that need them then return.
  // Errors: `invalid` settings; `denied`.
  static Result<std::unique_ptr<LinuxKernel>> open(Settings settings, ListenerSource& listeners,
                                                   Result<std::unique_ptr<bpf::Programs>> programs);
  ~LinuxKernel() override;

  Result<> apply(const Operation& operation) override;
  Result<HostState> observe(const HostState& wanted) override;
  bool sandbox_exists(const SandboxPath& sandbox) override;
  Result<> remove_everything() override;

  // The loaded programs, for drop counters; nullptr without.
  bpf::Programs* programs();

 private:
  struct Impl;
  explicit LinuxKernel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace heddle::dataplane
