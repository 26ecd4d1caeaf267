// Where every benchmark of a daemon takes place.
#include <sched.h>
#include <sys/mount.h>

#include <cstdio>
#include <cstdlib>

#include "dataplane/netns/netns.h"
#include "tests/bench/netd/attach/child.h"
#include "tests/bench/netd/attach/peer.h"

namespace heddle::bench {

std::vector<std::string> add_namespaces(const std::string& prefix, int first, int count) {
  std::vector<std::string> made;
  for (int i = first; i < first + count; ++i) {
    made.push_back(prefix + std::to_string(i));
    if (auto created = netns::create(made.back()); !created) {
      std::fprintf(stderr, "%s\n", created.error().text().c_str());
      std::exit(1);
    }
  }
  return made;
}

void enter_private_host() {
  const bool done = ::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
                    ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                    ::mount("heddle-bench", "/tmp", "tmpfs", 0, "mode=1777") == 0;
  if (!done) {
    std::perror("this benchmark runs as root: unshare, mount");
    std::exit(1);
  }
  std::string output;
  run({"ip", "link", "set", "lo", "up"}, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, "", output);
}

}  // namespace heddle::bench
