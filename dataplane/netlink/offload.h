#pragma once
#include <string>

#include "common/base/result.h"

namespace heddle::netlink {

// What a device of the calling thread's network namespace sends and gets is single frames with
// their checksums in them, as on a cable: no segmentation or checksums left to the device, nothing
// merged on arrival. Source: ethtool(8), linux/ethtool.h.
Result<> disable_offloads(const std::string& device);

}  // namespace heddle::netlink
