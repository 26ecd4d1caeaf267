#pragma once
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "dataplane/netlink/link.h"

namespace heddle::dataplane {

// Deletes links after the answer was given. One deletion waits for a grace period (about 20 ms)
// with the kernel's lock held, a whole group waits once: so a link is only taken down and moved
// into a group of its own kind, which a thread deletes a moment later, with what came meanwhile.
// Owns:    that thread, with a socket of the namespace of the thread that started it. Threads: one
// caller at a time.
class Reaper final {
 public:
  // Links that an earlier process had retired are deleted first.
  static Result<std::unique_ptr<Reaper>> start(std::uint32_t group);
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;
  ~Reaper();  // finishes

  // No packet passes any more when it returns; the names stay taken until the link is deleted.
  Result<> retire(netlink::Socket& socket, IfIndex link);

  // Closes a descriptor whose end takes as long.
  void discard(UniqueFd fd);

  // Waits until every retired link is deleted, and returns the last failure of that. True when
  // there was something to wait for.
  Result<bool> finish();

  // What `make` returns. When it finds a name taken, that may be a retired link's: then once more,
  // after those are deleted.
  template <class Make>
  auto make_despite_retired(Make make) -> decltype(make()) {
    auto made = make();
    if (!made && made.error().code() == Errc::exists && finish().value_or(false)) made = make();
    return made;
  }

 private:
  Reaper(netlink::Socket socket, std::uint32_t group);
  void run();

  netlink::Socket socket_;  // the thread's
  const std::uint32_t group_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t retired_ = 0;  // times that links were retired; the thread follows
  std::uint64_t reaped_ = 0;   // the value of retired_ up to which all are deleted
  Result<> last_;
  std::vector<UniqueFd> discarded_;
  bool stopping_ = false;
  int hurrying_ = 0;  // callers of finish()
  std::thread thread_;
};

}  // namespace heddle::dataplane
