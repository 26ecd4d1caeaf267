#pragma once
#include <cstdint>
#include <string>

#include "dataplane/linux/kernel.h"

// What kernel tests and benchmarks put into a sandbox.
namespace heddle::dataplane {

class NoListeners final : public ListenerSource {
 public:
  int listener(const SandboxPath&, std::uint16_t) override { return -1; }
};

// eth0 at 10.77.0.NUMBER of the bridge hbr0, with hvNUMBER on the host. NUMBER: 2 to 254.
inline Attachment bridge_endpoint(const SandboxPath& sandbox, int number) {
  const auto low = static_cast<std::uint8_t>(number);
  Attachment attachment;
  attachment.host_name = "hv" + std::to_string(number);
  attachment.sandbox = sandbox;
  attachment.name = "eth0";
  attachment.host_mac = {{2, 1, 0, 0, 0, low}};
  attachment.mac = {{2, 2, 0, 0, 0, low}};
  attachment.addresses = {{IpAddr::v4(0x0a4d0000U + low), 24}};
  attachment.bridge = "hbr0";
  return attachment;
}

}  // namespace heddle::dataplane
