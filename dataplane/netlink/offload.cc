#include "dataplane/netlink/offload.h"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "common/base/unique_fd.h"
#include "common/net/link.h"

namespace heddle::netlink {

Result<> disable_offloads(const std::string& device) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno(errno, "open a socket");
  if (device.size() > kMaxIfName) return fail(Errc::invalid, "no device name: " + device);
  // Checksums last: what needs them goes with them, but says so in the log of the kernel.
  constexpr auto kOffloads =
      std::to_array<std::uint32_t>({ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_STXCSUM});
  for (const std::uint32_t offload : kOffloads) {
    ethtool_value value{};
    value.cmd = offload;
    ifreq request{};
    std::memcpy(request.ifr_name, device.data(), device.size());
    request.ifr_data = reinterpret_cast<char*>(&value);
    if (::ioctl(socket.get(), SIOCETHTOOL, &request) < 0 && errno != EOPNOTSUPP)
      return fail_errno(errno, "turn off offloads of " + device);
  }
  return {};
}

}  // namespace heddle::netlink
