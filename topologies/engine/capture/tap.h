#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "topologies/engine/capture/pcapng.h"

namespace heddle::capture {

// An end of a link: an interface of a network namespace.
struct Place {
  std::string name;   // as it was asked for: h1:eth0
  std::string netns;  // path; empty: this program's
  std::string interface;
};

// The interfaces that a namespace has. Errors: `not_found` when it is gone.
Result<std::vector<std::string>> interfaces_of(const std::string& netns);

// Sees every packet of one interface, both ways, and changes nothing of it (not even to
// promiscuous: a veth takes all frames). A link that goes down and comes back is seen further; one
// that is removed is not. Source: packet(7); if_packet.h for VLAN tags, which the kernel keeps
// beside the packet. Threads: one at a time; the namespace is entered by a helper thread. Errors of
// open: `denied` without CAP_NET_RAW; `not_found` without the interface; `unsupported`
//         for a link type that is neither Ethernet nor IP.
class Tap final {
 public:
  static Result<Tap> open(const Place& place, std::uint32_t snaplen);
  Tap(Tap&&) noexcept;
  ~Tap();

  int fd() const;  // readable when there are packets, or when the link has changed
  std::uint16_t link_type() const;

  // The packets that are there, at most a few dozen; valid until the next call. None: look again
  // when `fd` is readable.
  Result<std::vector<Packet>> read();

  // Whether the interface, or its namespace's place, is no more. The kernel tells of a link that
  // goes down alone, so this is to be asked now and then.
  bool gone() const;

  // Dropped by the kernel so far, for want of room.
  std::uint64_t dropped();

 private:
  struct State;
  explicit Tap(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace heddle::capture
