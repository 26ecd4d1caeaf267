#include "netd/holder/keeper.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "common/observe/log.h"
#include "netd/holder/process_keeper.h"
#include "netd/holder/systemd_keeper.h"

namespace heddle::holder {

Result<std::unique_ptr<Keeper>> open_keeper(const Settings& settings) {
  if (const auto bound = SystemdKeeper::offered()) {
    log_info("keeper_opened", {{"kind", "systemd"}, {"bound", *bound}});
    return SystemdKeeper::open(*bound);
  }
  return ProcessKeeper::open(settings);
}

}  // namespace heddle::holder
