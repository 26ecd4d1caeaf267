// The store and the kernel of heddled-crashing: as they are, until the call that is to be the last.
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>

#include "netd/control/control.h"

namespace heddle::crash {
namespace {

// Which call of both seams is the last one; nothing is counted while the file is not there.
class Fuse final {
 public:
  void burn() {
    const char* path = std::getenv("HEDDLE_CRASH_AFTER");
    unsigned last = 0;
    if (path == nullptr || !(std::ifstream(path) >> last)) {
      calls_ = 0;
      return;
    }
    if (++calls_ == last) ::kill(::getpid(), SIGKILL);
  }

 private:
  unsigned calls_ = 0;
};

class CrashingStore final : public store::Store {
 public:
  CrashingStore(store::Store& inner, Fuse& fuse) : inner_(inner), fuse_(fuse) {}
  Result<std::optional<store::Object>> get(const store::Key& key, Deadline deadline) override {
    return inner_.get(key, deadline);
  }
  Result<store::Listing> list(const std::string& kind, Deadline deadline) override {
    return inner_.list(kind, deadline);
  }
  Result<store::Revision> commit(const store::Transaction& transaction,
                                 Deadline deadline) override {
    auto done = inner_.commit(transaction, deadline);
    fuse_.burn();
    return done;
  }
  Result<std::unique_ptr<Watch>> watch(store::Revision from, OnChange on_change) override {
    return inner_.watch(from, std::move(on_change));
  }

 private:
  store::Store& inner_;
  Fuse& fuse_;
};

class CrashingKernel final : public dataplane::Kernel {
 public:
  CrashingKernel(dataplane::Kernel& inner, Fuse& fuse) : inner_(inner), fuse_(fuse) {}
  Result<> apply(const dataplane::Operation& operation) override {
    auto done = inner_.apply(operation);
    fuse_.burn();
    return done;
  }
  Result<dataplane::HostState> observe(const dataplane::HostState& wanted) override {
    return inner_.observe(wanted);
  }
  bool sandbox_exists(const dataplane::SandboxPath& sandbox) override {
    return inner_.sandbox_exists(sandbox);
  }
  Result<> remove_everything() override { return inner_.remove_everything(); }

 private:
  dataplane::Kernel& inner_;
  Fuse& fuse_;
};

// Made for the one Control of the process, which outlives main()'s own parts.
struct Seams {
  Fuse fuse;
  std::optional<CrashingStore> store;
  std::optional<CrashingKernel> kernel;
};
Seams seams;

}  // namespace

// A member function takes its object as the first argument after the result's place (Itanium C++
// ABI, sections 3.1.3 and 3.2), as these do.
Result<> real_start(control::Control* control, control::Control::Parts parts) __asm__(
    "__real__ZN6heddle7control7Control5startENS1_5PartsE");
Result<> wrapped_start(control::Control* control, control::Control::Parts parts) __asm__(
    "__wrap__ZN6heddle7control7Control5startENS1_5PartsE");

Result<> wrapped_start(control::Control* control, control::Control::Parts parts) {
  parts.store = &seams.store.emplace(*parts.store, seams.fuse);
  parts.kernel = &seams.kernel.emplace(*parts.kernel, seams.fuse);
  return real_start(control, parts);
}

}  // namespace heddle::crash
